//! x86-64, as the System V ABI has it.

pub mod cpuid;
mod flow;
mod integer;
mod models;
mod operand;
#[cfg(test)]
mod tests;
mod vector;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use iced_x86::{Decoder, DecoderOptions, Instruction};

use self::cpuid::Processor;
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

pub use models::Model;
pub use operand::{independent, size as operand_size};

/// How large the stack is, in bytes, and where it begins.
const STACK_LEN: usize = 64 << 10;
const STACK_BASE: u64 = 0x7000_0000_0000;
/// Bytes above the return address: arguments, and what is not the callee's.
const ABOVE: u64 = 256;
/// Bytes below the stack pointer that a function may use (System V ABI, 3.2.2).
const RED_ZONE: u64 = 128;

const RAX: usize = 0;
const RCX: usize = 1;
const RDX: usize = 2;
const RBX: usize = 3;
const RSP: usize = 4;
const RSI: usize = 6;
const RDI: usize = 7;
/// What a function restores (System V ABI, 3.2.1).
const SAVED: [usize; 6] = [RBX, 5, 12, 13, 14, 15];
/// Where arguments are; the rest is on the stack.
const ARGUMENTS: [usize; 6] = [RDI, RSI, RDX, RCX, 8, 9];
const NAMES: [&str; 16] = [
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

/// The flags; none where one is not known, or not defined.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// Carry. It may be a bit of a secret, which the next addition takes.
    pub carry: Option<Bit>,
    /// Zero.
    pub zero: Option<bool>,
    /// Sign.
    pub sign: Option<bool>,
    /// Overflow.
    pub overflow: Option<bool>,
    /// Parity.
    pub parity: Option<bool>,
}

/// A vector register: four lanes.
pub type Vector = [Lane; 4];

/// The registers.
#[derive(Clone, Debug)]
pub struct Registers {
    /// General registers, in the order of their numbers.
    pub general: [Word; 16],
    /// zmm0 to zmm31.
    pub vectors: [Vector; 32],
    /// Mask registers. They may hold bits of secrets: compilers select constants so.
    pub masks: [Word; 8],
    /// The flags.
    pub flags: Flags,
}

impl Registers {
    /// All of them unknown.
    pub fn unknown(unknowns: &mut Unknowns) -> Registers {
        Registers {
            general: std::array::from_fn(|_| unknowns.word()),
            vectors: std::array::from_fn(|_| std::array::from_fn(|_| unknowns.lane())),
            masks: std::array::from_fn(|_| unknowns.word()),
            flags: Flags::default(),
        }
    }
}

/// An instruction of the library that was executed.
struct Decoded {
    instruction: Instruction,
    model: Option<Model>,
}

/// An x86-64 machine.
pub struct X86 {
    /// The registers.
    pub registers: Registers,
    /// Memory.
    pub memory: Memory,
    /// The address of the next instruction.
    pub next: u64,
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
    /// Whether there are streaming stores that other processors may see too late.
    unfenced: bool,
    /// The first bits of unknown words that are known not to be 0.
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

impl X86 {
    /// A machine for a library.
    pub fn new(library: &Library, processor: &'static Processor) -> X86 {
        let mut unknowns = Unknowns::new();
        let registers = Registers::unknown(&mut unknowns);
        let mut memory = Memory::new(library);
        let stack = Contents::input(Inputs::Unknown, algebra::Kind::Stack, 0, STACK_LEN);
        memory.put(STACK, STACK_BASE, stack, true);
        let end = library.segments.iter().map(|s| s.base - BASE + s.bytes.len() as u64).max().unwrap_or(0);
        X86 {
            unknown_registers: registers.clone(),
            before: registers.clone(),
            foreign: None,
            reached: 0,
            trace: None,
            registers,
            memory,
            next: 0,
            processor,
            imports: library.imports.clone(),
            unknowns,
            rounds: Rounds::default(),
            counts: Counts::default(),
            anywhere: false,
            skew: 0,
            unfenced: false,
            not_zero: HashSet::new(),
            decoded: Vec::new(),
            places: vec![0; end as usize],
        }
    }

    /// A machine without a library, for single instructions.
    pub fn bare(processor: &'static Processor) -> X86 {
        X86::new(&Library::empty(), processor)
    }

    /// Everything is unknown again, and what was used of the stack is forgotten.
    fn forget(&mut self) {
        self.registers = self.unknown_registers.clone();
        self.not_zero.clear();
        self.unfenced = false;
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
            let (instruction, model) = self.decode(at)?;
            self.memory.now = (at - BASE) as u32;
            self.next = instruction.next_ip();
            if let Err(fault) = self.step(&instruction, model.as_ref()) {
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
        if let Some(decoded) = self.decoded.get((place as usize).wrapping_sub(1)) {
            fault.text = format!("{}; the instruction is {}", fault.text, decoded.instruction);
        }
        fault.at = Some(at - BASE);
        fault
    }

    fn decode(&mut self, at: u64) -> Outcome<(Instruction, Option<Model>)> {
        let outside = || Fault::new(Kind::Convention, format!("goes to {at:#x}, outside the library's code"));
        let place =
            at.checked_sub(BASE).and_then(|at| self.places.get_mut(at as usize)).ok_or_else(outside)?;
        if *place == 0 {
            let code = self.memory.code(at).ok_or_else(outside)?;
            let code = &code[..code.len().min(15)];
            let instruction = Decoder::with_ip(64, code, at, DecoderOptions::NONE).decode();
            let model = Model::of(&instruction);
            self.decoded.push(Decoded { instruction, model });
            *place = self.decoded.len() as u32;
        }
        let decoded = &mut self.decoded[*place as usize - 1];
        Ok((decoded.instruction, decoded.model))
    }

    /// Executes one instruction; `next` is already that of the one behind it.
    ///
    /// # Errors
    /// A fault.
    pub fn step(&mut self, instruction: &Instruction, model: Option<&Model>) -> Outcome<()> {
        let Some(model) = model else {
            return Err(Fault::no_model(format!("no model for {:?}", instruction.code())));
        };
        match model {
            Model::Flow(model) => self.flow(instruction, *model)?,
            Model::Integer(model) => self.integer(instruction, *model)?,
            Model::Vector(model) => self.vector(instruction, *model)?,
        }
        if let Some(stack) = self.registers.general[RSP].address() {
            self.memory.stack_floor = stack.wrapping_sub(RED_ZONE);
        }
        Ok(())
    }

    /// A function of another library: its contract, and then all that it may destroy.
    fn foreign(&mut self, name: &str) -> Outcome<()> {
        let arguments = [RDI, RSI, RDX].map(|i| self.registers.general[i].clone());
        let result = contracts::execute(name, &arguments, &mut self.memory)
            .map_err(|fault| self.blame(BASE + u64::from(self.memory.now), fault))?;
        *self.counts.foreign.entry(name.into()).or_default() += 1;
        let kept = SAVED.map(|i| self.registers.general[i].clone());
        let stack = self.registers.general[RSP].clone();
        self.registers = Registers::unknown(&mut self.unknowns);
        self.foreign = Some(self.registers.clone());
        for (i, value) in SAVED.into_iter().zip(kept) {
            self.registers.general[i] = value;
        }
        self.registers.general[RSP] = stack;
        self.registers.general[RAX] = result;
        self.next = self.pop()?.known().ok_or_else(|| Fault::secret("a return address"))?;
        Ok(())
    }

    fn push(&mut self, word: &Word) -> Outcome<()> {
        let stack = self.stack()?.wrapping_sub(8);
        self.registers.general[RSP] = self.stack_at(stack);
        self.memory.stack_floor = stack.wrapping_sub(RED_ZONE);
        self.memory.store_word(stack, word, 8)
    }

    fn pop(&mut self) -> Outcome<Word> {
        let stack = self.stack()?;
        let word = self.memory.load_word(stack, 8)?;
        self.registers.general[RSP] = self.stack_at(stack.wrapping_add(8));
        Ok(word)
    }

    fn stack(&self) -> Outcome<u64> {
        self.registers.general[RSP].address().ok_or_else(|| Fault::secret("the stack pointer"))
    }

    /// The stack pointer for an address in the stack, as known as it is.
    fn stack_at(&self, at: u64) -> Word {
        if self.anywhere { Word::Pointer(Pointer::new(at, STACK_BASE)) } else { Word::Known(at) }
    }

    fn known_general(&self, i: usize) -> Outcome<u64> {
        self.registers.general[i].known().ok_or_else(|| Fault::secret(NAMES[i]))
    }
}

impl Machine for X86 {
    fn memory(&mut self) -> &mut Memory {
        &mut self.memory
    }

    fn place_stack(&mut self, anywhere: bool, skew: u64) {
        self.anywhere = anywhere;
        // The ABI has the stack pointer aligned to 16 bytes; the places among 64 are left.
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
            match ARGUMENTS.get(i) {
                Some(&register) => self.registers.general[register] = argument.clone(),
                None => self.memory.store_word(top + 8 * (i - 6) as u64, argument, 8)?,
            }
        }
        self.registers.general[RSP] = self.stack_at(top);
        self.push(&Word::Known(RETURN))?;
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
                return broken(format!("does not restore {}", NAMES[i]));
            }
        }
        if self.unfenced {
            return broken("returns before its streaming stores are fenced".into());
        }
        if self.stack()? != self.top() {
            return broken("does not restore the stack pointer".into());
        }
        self.registers.general[RAX].low(4).known().ok_or_else(|| Fault::secret("the status"))
    }

    fn state(&mut self) -> State {
        let mut state = State::new();
        let registers = &self.registers;
        for (i, word) in registers.general.iter().enumerate() {
            state.insert(Part::General(i), Held::from(word));
        }
        for (i, word) in registers.masks.iter().enumerate() {
            state.insert(Part::Mask(i), Held::from(word));
        }
        for (i, vector) in registers.vectors.iter().enumerate() {
            for (j, lane) in vector.iter().enumerate() {
                state.insert(Part::Lane(i, j), Held::Bits(lane.shared()));
            }
        }
        let Flags { carry, zero, sign, overflow, parity } = &registers.flags;
        let flags = [*zero, *sign, *overflow, *parity].map(|flag| flag.map(Bit::from));
        for (i, flag) in [*carry].into_iter().chain(flags).enumerate() {
            state.insert(Part::Flag(i), Held::Bits(flag.into_iter().collect()));
        }
        state.insert(Part::Unfenced, Held::Bits([Bit::from(self.unfenced)].into()));
        state.extend(self.memory.stack());
        state
    }

    fn make_unknown(&mut self, parts: &BTreeSet<Part>) {
        self.not_zero.clear();
        for part in parts {
            match *part {
                Part::General(i) => self.registers.general[i] = self.unknowns.word(),
                Part::Mask(i) => self.registers.masks[i] = self.unknowns.word(),
                Part::Lane(i, j) => self.registers.vectors[i][j] = self.unknowns.lane(),
                Part::Flag(0) => self.registers.flags.carry = None,
                Part::Flag(1) => self.registers.flags.zero = None,
                Part::Flag(2) => self.registers.flags.sign = None,
                Part::Flag(3) => self.registers.flags.overflow = None,
                Part::Flag(_) => self.registers.flags.parity = None,
                Part::Unfenced => self.unfenced = true,
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
            Part::Mask(i) => self.registers.masks[i] = Word::from(value),
            Part::Stack(at) if at % 8 == 0 => self.memory.set_stack(at, &Word::from(value).bits()),
            _ => {}
        }
    }

    fn registers(&self) -> Vec<Register> {
        let bits = |vector: &Vector| vector.iter().flat_map(Lane::bits).collect();
        let general = (0..16).map(|i| {
            let of = |registers: &Registers| registers.general[i].bits().to_vec();
            Register {
                name: NAMES[i].into(),
                before: of(&self.before),
                foreign: self.foreign.as_ref().map(of),
                now: of(&self.registers),
            }
        });
        let vectors = (0..32).map(|i| {
            let of = |registers: &Registers| bits(&registers.vectors[i]);
            Register {
                name: format!("zmm{i}"),
                before: of(&self.before),
                foreign: self.foreign.as_ref().map(of),
                now: of(&self.registers),
            }
        });
        general.chain(vectors).collect()
    }

    fn executed(&self) -> Vec<u64> {
        self.decoded.iter().map(|decoded| decoded.instruction.ip() - BASE).collect()
    }

    fn encodings(&self) -> Vec<Vec<u8>> {
        let all: HashSet<Vec<u8>> =
            self.decoded.iter().filter_map(|decoded| independent(&decoded.instruction)).collect();
        all.into_iter().collect()
    }

    fn counts(&self) -> &Counts {
        &self.counts
    }

    fn take_counts(&mut self) -> Counts {
        std::mem::take(&mut self.counts)
    }
}
