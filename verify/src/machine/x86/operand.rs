//! Operands of instructions: general registers, memory, and what is at hand.

use iced_x86::{
    Encoder, FlowControl, Instruction, InstructionInfoFactory, MemorySize, Mnemonic, OpAccess, OpKind,
    Register,
};

use super::X86;
use crate::{
    algebra::{Bit, add},
    fault::{Fault, Kind, Outcome},
    pointers::{self, Value},
    words::{Word, mask},
};

/// A general register's number and size in bytes.
fn general(register: Register) -> Outcome<(usize, usize)> {
    if !register.is_gpr() {
        return Err(Fault::no_model(format!("{register:?} as a number")));
    }
    Ok((register.full_register().number(), register.size()))
}

/// Whether a register is the second byte of another one.
fn is_second_byte(register: Register) -> bool {
    matches!(register, Register::AH | Register::BH | Register::CH | Register::DH)
}

/// The size of an operand, in bytes. What is at hand is as long as the first operand.
pub fn size(instruction: &Instruction, operand: u32) -> usize {
    match instruction.op_kind(operand) {
        OpKind::Register => instruction.op_register(operand).size(),
        OpKind::Memory => instruction.memory_size().size(),
        _ => size(instruction, 0),
    }
}

/// Whether an operand is a register of that kind.
pub fn is(instruction: &Instruction, operand: u32, kind: fn(Register) -> bool) -> bool {
    instruction.op_kind(operand) == OpKind::Register && kind(instruction.op_register(operand))
}

/// Whether an operand is in memory.
pub fn is_memory(instruction: &Instruction, operand: u32) -> bool {
    instruction.op_kind(operand) == OpKind::Memory
}

/// The size of the element that a memory operand repeats, in bytes.
pub fn repeated(instruction: &Instruction) -> Outcome<usize> {
    use MemorySize::*;
    match instruction.memory_size() {
        Broadcast512_UInt64 | Broadcast512_Int64 | Broadcast256_UInt64 | Broadcast256_Int64
        | Broadcast128_UInt64 | Broadcast128_Int64 => Ok(8),
        Broadcast512_UInt32 | Broadcast512_Int32 | Broadcast256_UInt32 | Broadcast256_Int32
        | Broadcast128_UInt32 | Broadcast128_Int32 => Ok(4),
        other => Err(Fault::no_model(format!("a memory operand of {other:?}"))),
    }
}

impl X86 {
    /// The address of the memory operand.
    pub(super) fn address(&self, instruction: &Instruction) -> Outcome<u64> {
        match self.effective(instruction) {
            Ok(word) if word.address().is_some() => Ok(word.address().unwrap_or(0)),
            Err(fault) if fault.kind != Kind::NotLinear => Err(fault),
            _ => Err(Fault::secret("an address")),
        }
    }

    /// The memory operand's address as a sum, which need not be known: `lea` is arithmetic, too.
    pub(super) fn effective(&self, instruction: &Instruction) -> Outcome<Word> {
        if instruction.segment_prefix() != Register::None {
            return Err(Fault::no_model("a segment"));
        }
        if instruction.is_ip_rel_memory_operand() {
            return Ok(Word::Known(instruction.ip_rel_memory_address()));
        }
        let mut sum = Word::Known(instruction.memory_displacement64());
        let scale = instruction.memory_index_scale().trailing_zeros() as usize;
        for (register, shift) in [(instruction.memory_base(), 0), (instruction.memory_index(), scale)] {
            if register == Register::None {
                continue;
            }
            let (number, 8) = general(register)? else {
                return Err(Fault::no_model("addresses of 32 bits"));
            };
            let part = &self.registers.general[number];
            sum = match (&sum, part) {
                (Word::Known(a), Word::Known(b)) => Word::Known(a.wrapping_add(b << shift)),
                _ if self.pointer_sum(&sum, part, shift).is_some() => {
                    self.pointer_sum(&sum, part, shift).unwrap_or(Word::Known(0))
                }
                _ => {
                    let (part, mut out) = (part.moved(|i| i.checked_sub(shift)), [Bit::ZERO; 64]);
                    let _ = add(&sum.bits(), &part.bits(), Bit::ZERO, &mut out)?;
                    Word::from_bits(&out)
                }
            };
        }
        Ok(sum)
    }

    /// A sum that is again a pointer.
    fn pointer_sum(&self, a: &Word, b: &Word, shift: usize) -> Option<Word> {
        let (a, b) = (a.value()?, b.value()?);
        let b = match b {
            Value::Number(b) => Value::Number(b << shift),
            Value::Pointer(_) if shift == 0 => b,
            Value::Pointer(number) => number.shifted(shift as u32, true)?,
        };
        pointers::sum(a, b, false, |_| None).0.map(Word::from)
    }

    /// Reads an operand; zeros above it.
    pub(super) fn read(&mut self, instruction: &Instruction, operand: u32) -> Outcome<Word> {
        match instruction.op_kind(operand) {
            OpKind::Register => {
                let register = instruction.op_register(operand);
                let (number, bytes) = general(register)?;
                let whole = &self.registers.general[number];
                if is_second_byte(register) {
                    return Ok(whole.moved(|i| (i < 8).then_some(i + 8)));
                }
                Ok(whole.low(bytes))
            }
            OpKind::Memory => {
                let at = self.address(instruction)?;
                self.memory.load_word(at, size(instruction, operand))
            }
            _ => Ok(Word::Known(instruction.immediate(operand)).low(size(instruction, 0).min(8))),
        }
    }

    /// Reads an operand that must be known.
    pub(super) fn read_known(&mut self, instruction: &Instruction, operand: u32, what: &str) -> Outcome<u64> {
        self.read(instruction, operand)?.known().ok_or_else(|| Fault::secret(what))
    }

    /// Writes an operand. A register's upper half becomes 0; of shorter registers, what is above them stays.
    pub(super) fn write(&mut self, instruction: &Instruction, operand: u32, value: &Word) -> Outcome<()> {
        match instruction.op_kind(operand) {
            OpKind::Register => {
                let register = instruction.op_register(operand);
                let (number, bytes) = general(register)?;
                let old = &self.registers.general[number];
                if is_second_byte(register) {
                    let mut bits = old.bits();
                    bits[8..16].copy_from_slice(&value.bits()[..8]);
                    self.registers.general[number] = Word::from_bits(&bits);
                    return Ok(());
                }
                self.registers.general[number] = match (bytes, old, value) {
                    (8, _, _) => value.clone(),
                    (4, _, _) => value.low(4),
                    (_, Word::Known(old), Word::Known(new)) => {
                        Word::Known(old & !mask(bytes) | new & mask(bytes))
                    }
                    _ => {
                        let mut bits = old.bits();
                        bits[..8 * bytes].copy_from_slice(&value.bits()[..8 * bytes]);
                        Word::from_bits(&bits)
                    }
                };
                Ok(())
            }
            OpKind::Memory => {
                let at = self.address(instruction)?;
                self.memory.store_word(at, value, size(instruction, operand))
            }
            _ => Err(Fault::no_model("writes what is at hand")),
        }
    }
}

/// The encoding of an instruction with its memory operand at a register by itself, so that it can be run anywhere; none
/// for what cannot: control flow, the stack, and what asks about the processor.
pub fn independent(instruction: &Instruction) -> Option<Vec<u8>> {
    use Mnemonic as M;
    if instruction.flow_control() != FlowControl::Next
        || matches!(instruction.mnemonic(), M::Push | M::Pop | M::Cpuid | M::Xgetbv | M::Nop | M::Endbr64)
    {
        return None;
    }
    let mut instruction = *instruction;
    let registers: Vec<Register> = (0..instruction.op_count())
        .filter(|&i| instruction.op_kind(i) == OpKind::Register)
        .map(|i| instruction.op_register(i).full_register())
        .collect();
    let has_memory = (0..instruction.op_count()).any(|i| is_memory(&instruction, i));
    if has_memory && instruction.mnemonic() != M::Lea {
        let mut factory = InstructionInfoFactory::new();
        let implied: Vec<Register> = factory
            .info(&instruction)
            .used_registers()
            .iter()
            .filter(|used| {
                used.access() != OpAccess::Read || [Register::RAX, Register::RDX].contains(&used.register())
            })
            .map(|used| used.register().full_register())
            .collect();
        let free = [Register::R11, Register::R10, Register::RSI].into_iter();
        let base = free.into_iter().find(|base| !registers.contains(base) && !implied.contains(base))?;
        instruction.set_memory_base(base);
        instruction.set_memory_index(Register::None);
        instruction.set_memory_index_scale(1);
        instruction.set_memory_displacement64(0);
        instruction.set_memory_displ_size(0);
    } else if has_memory
        && (instruction.is_ip_rel_memory_operand()
            || [instruction.memory_base(), instruction.memory_index()].contains(&Register::RSP))
    {
        return None;
    }
    if registers.contains(&Register::RSP) {
        return None;
    }
    let mut encoder = Encoder::new(64);
    encoder.encode(&instruction, 0).ok()?;
    Some(encoder.take_buffer())
}
