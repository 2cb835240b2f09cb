//! AArch64, as the AAPCS64 has it, on Linux.

pub mod decode;
mod flow;
mod integer;
pub mod processor;
#[cfg(test)]
mod tests;
pub mod validate;
mod vector;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use self::{
    decode::{Address, Instruction, Operand, Register as Number, STACK_POINTER, Update, ZERO, decode},
    processor::Processor,
};
use super::{Counts, Held, Machine, Part, RETURN, Register, State, Stop, contracts};
use crate::{
    algebra::{self, Bit},
    contents::Contents,
    elf::{BASE, Library},
    fault::{Fault, Kind, Outcome},
    inputs::Inputs,
    memory::{Memory, STACK},
    pointers::{Pointer, Value},
    rounds::Rounds,
    words::{Lane, Unknowns, Word},
};

/// How large the stack is, in bytes, and where it begins.
const STACK_LEN: usize = 64 << 10;
const STACK_BASE: u64 = 0x7000_0000_0000;
/// Bytes above the stack pointer of a call: arguments, and what is not the callee's.
const ABOVE: u64 = 256;

/// What a function restores (AAPCS64, 6.1.1); and, of the vector registers 8 to 15, the lower halves (6.1.2).
const SAVED: std::ops::RangeInclusive<usize> = 19..=29;
const SAVED_HALVES: std::ops::RangeInclusive<usize> = 8..=15;
/// Where a call returns to.
const LINK: usize = 30;
/// How many arguments are in registers; the rest is on the stack.
const ARGUMENTS: usize = 8;

/// The flags; none where one is not known. But for zero, they may be bits of secrets.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// N.
    pub negative: Option<Bit>,
    /// Z.
    pub zero: Option<bool>,
    /// C.
    pub carry: Option<Bit>,
    /// V.
    pub overflow: Option<Bit>,
}

/// The registers.
#[derive(Clone, Debug)]
pub struct Registers {
    /// General registers by their numbers, [`ZERO`] (which always is 0) and [`STACK_POINTER`].
    pub general: [Word; 33],
    /// v0 to v31.
    pub vectors: [Lane; 32],
    /// The flags.
    pub flags: Flags,
}

impl Registers {
    /// All of them unknown.
    pub fn unknown(unknowns: &mut Unknowns) -> Registers {
        let mut registers = Registers {
            general: std::array::from_fn(|_| unknowns.word()),
            vectors: std::array::from_fn(|_| unknowns.lane()),
            flags: Flags::default(),
        };
        registers.general[ZERO] = Word::Known(0);
        registers
    }
}

/// An instruction of the library that was executed.
struct Decoded {
    at: u64,
    code: u32,
    instruction: Option<Instruction>,
}

/// An AArch64 machine.
pub struct Aarch64 {
    /// The registers.
    pub registers: Registers,
    /// Memory.
    pub memory: Memory,
    /// The address of the next instruction.
    pub next: u64,
    /// That of the instruction at work.
    now: u64,
    processor: &'static Processor,
    imports: BTreeMap<u64, String>,
    unknowns: Unknowns,
    /// AES instructions that were executed before.
    rounds: Rounds,
    /// What registers hold before each call. They may be the same bits each time, as those of the stack are: nothing goes
    /// from one call to the next but the key object, which was made without them.
    unknown_registers: Registers,
    counts: Counts,
    /// Whether the stack may lie anywhere.
    anywhere: bool,
    /// How far its start is from the usual, in bytes.
    skew: u64,
    /// Unknown words that are known not to be 0.
    not_zero: HashSet<Vec<Bit>>,
    /// How often the address of the last stop was passed.
    reached: u64,
    /// The addresses that were executed, if they are kept.
    trace: Option<Vec<u64>>,
    before: Registers,
    foreign: Option<Registers>,
    decoded: Vec<Decoded>,
    /// For each byte of the library's memory the place of its instruction in `decoded`, plus 1.
    places: Vec<u32>,
}

impl Aarch64 {
    /// A machine for a library.
    pub fn new(library: &Library, processor: &'static Processor) -> Aarch64 {
        let mut unknowns = Unknowns::new();
        let registers = Registers::unknown(&mut unknowns);
        let mut memory = Memory::new(library);
        let stack = Contents::input(Inputs::Unknown, algebra::Kind::Stack, 0, STACK_LEN);
        memory.put(STACK, STACK_BASE, stack, true);
        let end = library.segments.iter().map(|s| s.base - BASE + s.bytes.len() as u64).max().unwrap_or(0);
        Aarch64 {
            unknown_registers: registers.clone(),
            before: registers.clone(),
            foreign: None,
            reached: 0,
            trace: None,
            registers,
            memory,
            next: 0,
            now: 0,
            processor,
            imports: library.imports.clone(),
            unknowns,
            rounds: Rounds::default(),
            counts: Counts::default(),
            anywhere: false,
            skew: 0,
            not_zero: HashSet::new(),
            decoded: Vec::new(),
            places: vec![0; end as usize],
        }
    }

    /// A machine without a library, for single instructions.
    pub fn bare() -> Aarch64 {
        Aarch64::new(&Library::empty(), &processor::WITH_SHA3)
    }

    /// Everything is unknown again, and what was used of the stack is forgotten.
    fn forget(&mut self) {
        self.registers = self.unknown_registers.clone();
        self.not_zero.clear();
        self.memory.forget_stack();
        self.memory.stack_floor = 0;
    }

    fn run(&mut self, most_steps: u64, stop: Option<Stop>) -> Outcome<bool> {
        let last = self.counts.steps + most_steps;
        while self.next != RETURN {
            if let Some(stop) = stop
                && self.next == BASE + stop.at
            {
                if self.reached + 1 == stop.time {
                    return Ok(true);
                }
                self.reached += 1;
            }
            if let Some(name) = self.imports.get(&self.next) {
                let name = name.clone();
                self.foreign(&name)?;
                continue;
            }
            let at = self.next;
            if let Some(trace) = &mut self.trace {
                trace.push(at - BASE);
            }
            self.counts.steps += 1;
            if self.counts.steps > last {
                let fault = Fault::new(Kind::Endless, format!("does not end in {most_steps} instructions"));
                return Err(self.blame(at, fault));
            }
            let (code, instruction) = self.decode(at)?;
            self.memory.now = (at - BASE) as u32;
            self.now = at;
            self.next = at + 4;
            let done = match instruction {
                Some(instruction) => self.step(&instruction),
                None => Err(Fault::no_model(format!("no model for {code:08x}"))),
            };
            if let Err(fault) = done {
                return Err(self.blame(at, fault));
            }
        }
        Ok(false)
    }

    /// The stack pointer before a call.
    fn top(&self) -> u64 {
        STACK_BASE + STACK_LEN as u64 - ABOVE - self.skew
    }

    fn blame(&self, at: u64, mut fault: Fault) -> Fault {
        let place = self.places.get((at - BASE) as usize).copied().unwrap_or(0);
        if let Some(Decoded { code, instruction, .. }) = self.decoded.get((place as usize).wrapping_sub(1)) {
            let what = instruction.map_or("not known here".into(), |known| format!("{known:?}"));
            fault.text = format!("{}; the instruction is {code:08x}, {what}", fault.text);
        }
        fault.at = Some(at - BASE);
        fault
    }

    fn decode(&mut self, at: u64) -> Outcome<(u32, Option<Instruction>)> {
        let outside = || Fault::new(Kind::Convention, format!("goes to {at:#x}, outside the library's code"));
        let place =
            at.checked_sub(BASE).and_then(|at| self.places.get_mut(at as usize)).ok_or_else(outside)?;
        if *place == 0 {
            let code = self.memory.code(at).and_then(|code| code.first_chunk::<4>()).ok_or_else(outside)?;
            if !at.is_multiple_of(4) {
                return Err(outside());
            }
            let code = u32::from_le_bytes(*code);
            self.decoded.push(Decoded { at, code, instruction: decode(code) });
            *place = self.decoded.len() as u32;
        }
        let decoded = &mut self.decoded[*place as usize - 1];
        Ok((decoded.code, decoded.instruction))
    }

    /// Executes one instruction; `next` is already that of the one behind it.
    ///
    /// # Errors
    /// A fault.
    pub fn step(&mut self, instruction: &Instruction) -> Outcome<()> {
        if !self.flow(instruction)? && !self.integer(instruction)? && !self.vector(instruction)? {
            return Err(Fault::no_model(format!("no model for {instruction:?}")));
        }
        // There is no red zone: what is below the stack pointer is not the function's (AAPCS64, 6.4.5.1).
        if let Some(stack) = self.registers.general[STACK_POINTER].address() {
            self.memory.stack_floor = stack;
        }
        Ok(())
    }

    /// A function of another library: its contract, and then all that it may destroy.
    fn foreign(&mut self, name: &str) -> Outcome<()> {
        let arguments = [0, 1, 2].map(|i| self.registers.general[i].clone());
        let result = match name {
            "getauxval" => self.auxiliary(&arguments[0]),
            _ => contracts::execute(name, &arguments, &mut self.memory),
        };
        let result = result.map_err(|fault| self.blame(BASE + u64::from(self.memory.now), fault))?;
        *self.counts.foreign.entry(name.into()).or_default() += 1;
        let old = std::mem::replace(&mut self.registers, Registers::unknown(&mut self.unknowns));
        self.foreign = Some(self.registers.clone());
        for i in SAVED.chain([STACK_POINTER]) {
            self.registers.general[i] = old.general[i].clone();
        }
        for i in SAVED_HALVES {
            let vector = &mut self.registers.vectors[i];
            *vector = Lane::from_halves(&old.vectors[i].half(0), &vector.half(1));
        }
        self.registers.general[0] = result;
        self.next = old.general[LINK].known().ok_or_else(|| Fault::secret("a return address"))?;
        Ok(())
    }

    /// What the operating system says about the processor.
    fn auxiliary(&self, which: &Word) -> Outcome<Word> {
        let which = which.known().ok_or_else(|| Fault::secret("an argument of getauxval()"))?;
        let value = self.processor.auxiliary(which);
        value.map(Word::Known).ok_or_else(|| Fault::no_model(format!("getauxval({which})")))
    }

    fn stack(&self) -> Outcome<u64> {
        self.registers.general[STACK_POINTER].address().ok_or_else(|| Fault::secret("the stack pointer"))
    }

    /// The stack pointer for an address in the stack, as known as it is.
    fn stack_at(&self, at: u64) -> Word {
        if self.anywhere { Word::Pointer(Pointer::new(at, STACK_BASE)) } else { Word::Known(at) }
    }

    /// Writes a general register: its upper half becomes 0 where it is used with 32 bits.
    fn write(&mut self, to: Number, value: Word) {
        if to != ZERO {
            self.registers.general[to] = value;
        }
    }

    /// Executes what uses an address; the base changes as it says.
    fn access<T>(&mut self, at: &Address, access: impl FnOnce(&mut Self, u64) -> Outcome<T>) -> Outcome<T> {
        let base = self.registers.general[at.base].clone();
        if at.base == STACK_POINTER && !self.stack()?.is_multiple_of(16) {
            return Err(Fault::new(Kind::Convention, "the stack pointer is not aligned to 16 bytes"));
        }
        let with_offset = if at.offset == Operand::Number(0) {
            base.clone()
        } else {
            let offset = self.operand(&at.offset, 8);
            self.address_sum(&base, &offset)
        };
        let address = if at.update == Update::After { &base } else { &with_offset };
        let address = address.address().ok_or_else(|| Fault::secret("an address"))?;
        if at.update != Update::None {
            // The stack that is made room for may be used at once.
            if at.base == STACK_POINTER
                && let Some(stack) = with_offset.address()
            {
                self.memory.stack_floor = self.memory.stack_floor.min(stack);
            }
            self.write(at.base, with_offset);
        }
        access(self, address)
    }
}

impl Machine for Aarch64 {
    fn memory(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn place_stack(&mut self, anywhere: bool, skew: u64) {
        self.anywhere = anywhere;
        // The stack pointer is aligned to 16 bytes; the places among 64 are left.
        self.skew = 16 * (skew % 4);
    }

    fn expect(&mut self, bytes: usize) {
        self.rounds.expect(bytes);
    }

    fn unknowns(&mut self) -> &mut Unknowns {
        &mut self.unknowns
    }

    fn begin(&mut self, function: u64, arguments: &[Word]) -> Outcome<()> {
        self.forget();
        self.reached = 0;
        let top = self.top();
        for (i, argument) in arguments.iter().enumerate() {
            if i < ARGUMENTS {
                self.registers.general[i] = argument.clone();
            } else {
                self.memory.store_word(top + 8 * (i - ARGUMENTS) as u64, argument, 8)?;
            }
        }
        self.registers.general[STACK_POINTER] = self.stack_at(top);
        self.memory.stack_floor = top;
        self.registers.general[LINK] = Word::Known(RETURN);
        self.before = self.registers.clone();
        self.foreign = None;
        self.next = function;
        Ok(())
    }

    fn go_on(&mut self, most_steps: u64, stop: Option<Stop>) -> Outcome<bool> {
        self.run(most_steps, stop)
    }

    fn end(&mut self) -> Outcome<u64> {
        let broken = |text: String| Err(Fault::new(Kind::Convention, text));
        for i in SAVED {
            if !self.registers.general[i].is_same(&self.before.general[i]) {
                return broken(format!("does not restore x{i}"));
            }
        }
        for i in SAVED_HALVES {
            if !self.registers.vectors[i].half(0).is_same(&self.before.vectors[i].half(0)) {
                return broken(format!("does not restore d{i}"));
            }
        }
        if self.stack()? != self.top() {
            return broken("does not restore the stack pointer".into());
        }
        self.registers.general[0].low(4).known().ok_or_else(|| Fault::secret("the status"))
    }

    fn state(&mut self) -> State {
        let mut state = State::new();
        let registers = &self.registers;
        for (i, word) in registers.general.iter().enumerate() {
            state.insert(Part::General(i), Held::from(word));
        }
        for (i, lane) in registers.vectors.iter().enumerate() {
            state.insert(Part::Lane(i, 0), Held::Bits(lane.shared()));
        }
        let Flags { negative, zero, carry, overflow } = &registers.flags;
        for (i, flag) in [*negative, zero.map(Bit::from), *carry, *overflow].into_iter().enumerate() {
            state.insert(Part::Flag(i), Held::Bits(flag.into_iter().collect()));
        }
        state.extend(self.memory.stack());
        state
    }

    fn make_unknown(&mut self, parts: &BTreeSet<Part>) {
        self.not_zero.clear();
        for part in parts {
            match *part {
                Part::General(i) => self.registers.general[i] = self.unknowns.word(),
                Part::Lane(i, _) => self.registers.vectors[i] = self.unknowns.lane(),
                Part::Flag(0) => self.registers.flags.negative = None,
                Part::Flag(1) => self.registers.flags.zero = None,
                Part::Flag(2) => self.registers.flags.carry = None,
                Part::Flag(_) => self.registers.flags.overflow = None,
                // There are none.
                Part::Mask(_) | Part::Unfenced => {}
                Part::Stack(at) => {
                    let mut byte = [Bit::ZERO; 8];
                    self.unknowns.fill(&mut byte);
                    self.memory.set_stack(at, &byte);
                }
            }
        }
    }

    fn keep_trace(&mut self, keep: bool) -> Vec<u64> {
        std::mem::replace(&mut self.trace, keep.then(Vec::new)).unwrap_or_default()
    }

    fn set(&mut self, part: Part, value: Value) {
        match part {
            Part::General(i) => self.registers.general[i] = Word::from(value),
            Part::Stack(at) if at % 8 == 0 => self.memory.set_stack(at, &Word::from(value).bits()),
            _ => {}
        }
    }

    fn registers(&self) -> Vec<Register> {
        let general = (0..STACK_POINTER).filter(|&i| i != ZERO).map(|i| {
            let of = |registers: &Registers| registers.general[i].bits().to_vec();
            Register {
                name: format!("x{i}"),
                before: of(&self.before),
                foreign: self.foreign.as_ref().map(of),
                now: of(&self.registers),
            }
        });
        let vectors = (0..32).map(|i| {
            let of = |registers: &Registers| registers.vectors[i].bits().to_vec();
            Register {
                name: format!("v{i}"),
                before: of(&self.before),
                foreign: self.foreign.as_ref().map(of),
                now: of(&self.registers),
            }
        });
        general.chain(vectors).collect()
    }

    fn executed(&self) -> Vec<u64> {
        self.decoded.iter().map(|decoded| decoded.at - BASE).collect()
    }

    fn encodings(&self) -> Vec<Vec<u8>> {
        let all: HashSet<u32> = self.decoded.iter().map(|decoded| decoded.code).collect();
        all.into_iter().map(|code| code.to_le_bytes().to_vec()).collect()
    }

    fn counts(&self) -> &Counts {
        &self.counts
    }

    fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }
}
