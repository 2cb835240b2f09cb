//! Machines: they execute the library's code on values that need not be known.
//!
//! Control flow, addresses, shift counts and the controls of shuffles must be known; what depends on a key, a tweak, data
//! or uninitialised memory ends in a fault there. Everything else is exact on sums of base bits, or a fault, or, for sums
//! of numbers, bits that nothing is known about: whatever then depends on them cannot be proved.
//!
//! # The seam between architectures
//!
//! [`Machine`] is all that the rest of this program knows of an architecture. Another one needs
//! - an entry in [`new`], and its relocations in `elf.rs`;
//! - a decoder, and its registers as [`Word`]s and [`Lane`](crate::words::Lane)s;
//! - models of its instructions, whose AES units are made of `aes.rs` (so that S-boxes stay uninterpreted in the same way);
//! - its calling convention: arguments, registers to restore, and what a called function may destroy;
//! - its processors (`Processor`): what the library finds out about them, and under which names `jobs.rs` lists their
//!   backends.
//!
//! `memory.rs`, [`contracts`], `subject.rs` and all theorems are shared: they pass arguments as [`Word`]s, place buffers by
//! their names, and compare bits. `validate.rs` compares models with the processor at hand; it belongs to an architecture.

pub mod aarch64;
pub mod contracts;
pub mod x86;

use std::{
    collections::{BTreeMap, BTreeSet},
    rc::Rc,
};

use crate::{
    algebra::Bit,
    elf::{Architecture, Library},
    fault::{Fault, Outcome},
    memory::Memory,
    pointers::Value,
    words::{Unknowns, Word},
};

/// Where a call begins to return to: nothing is there.
pub const RETURN: u64 = 0x30_0000_0000;

/// A register after a call.
pub struct Register {
    /// Its name.
    pub name: String,
    /// What it held before.
    pub before: Vec<Bit>,
    /// What the last function of another library may have left there, if the call called one.
    pub foreign: Option<Vec<Bit>>,
    /// What it holds now.
    pub now: Vec<Bit>,
}

/// Where an instruction is stopped at: its address in the library, and which time that it is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// The address.
    pub at: u64,
    /// From 1 on.
    pub time: u64,
}

/// A part of a machine's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// A general register.
    General(usize),
    /// A lane of a vector register.
    Lane(usize, usize),
    /// A mask register.
    Mask(usize),
    /// A flag.
    Flag(usize),
    /// A byte of the stack, by its address.
    Stack(u64),
    /// Whether streaming stores are unfenced.
    Unfenced,
}

/// What a part holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Held {
    /// A number or a pointer.
    Value(Value),
    /// Bits; none, where a flag is not known.
    Bits(Rc<[Bit]>),
}

impl Held {
    /// The same for a range whose least n is less by so much.
    pub fn for_less(&self, less: u64) -> Held {
        match self {
            Held::Value(value) => Held::Value(value.for_less(less)),
            bits => bits.clone(),
        }
    }
}

impl From<&Word> for Held {
    fn from(word: &Word) -> Held {
        match word.value() {
            Some(value) => Held::Value(value),
            None => Held::Bits(Rc::from(word.bits())),
        }
    }
}

/// A machine's registers and its stack, as far as it was written to.
pub type State = BTreeMap<Part, Held>;

/// What executed code did, over all calls.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// How many instructions.
    pub steps: u64,
    /// How many calls of other libraries, by name.
    pub foreign: BTreeMap<String, u64>,
    /// How many sums of numbers were not linear, so that nothing is known of them.
    pub unknown_sums: u64,
    /// How many prefetches of addresses that are not known.
    pub unknown_prefetches: u64,
    /// How many streaming stores, which may be seen late by other processors.
    pub streamed: u64,
}

/// What the proofs need of an architecture.
pub trait Machine {
    /// Its memory.
    fn memory(&mut self) -> &mut Memory;

    /// Places the stack for the calls to come. `anywhere`: nothing is known of its address but the last bits. `skew`: what
    /// those are; any number.
    fn place_stack(&mut self, anywhere: bool, skew: u64);

    /// Calls on so many bytes are to come: what is executed often is remembered for these.
    fn expect(&mut self, bytes: usize);

    /// Where new unknown bits come from.
    fn unknowns(&mut self) -> &mut Unknowns;

    /// Calls a function of the library with these arguments, as C would, and gives the `int` that it returns. All
    /// registers and the unused stack hold unknown bits at first.
    ///
    /// # Errors
    /// A fault, with the instruction to blame.
    fn call(&mut self, function: u64, arguments: &[Word], most_steps: u64) -> Outcome<u64> {
        self.begin(function, arguments)?;
        self.go_on(most_steps, None)?;
        self.end()
    }

    /// Begins such a call: nothing is executed yet.
    ///
    /// # Errors
    /// If there is no such call.
    fn begin(&mut self, function: u64, arguments: &[Word]) -> Outcome<()>;

    /// Executes the call that began; gives whether it was stopped before that instruction, rather than returned.
    ///
    /// # Errors
    /// A fault, with the instruction to blame.
    fn go_on(&mut self, most_steps: u64, stop: Option<Stop>) -> Outcome<bool>;

    /// What the call returned, and whether it kept the platform's rules.
    ///
    /// # Errors
    /// If it did not.
    fn end(&mut self) -> Outcome<u64>;

    /// The registers, and the stack as far as it was written to.
    fn state(&mut self) -> State;

    /// Makes parts of the state unknown, and forgets what is known about unknown words.
    fn make_unknown(&mut self, parts: &BTreeSet<Part>);

    /// Keeps, or keeps no longer, the addresses of the library that are executed; gives those that were kept.
    fn keep_trace(&mut self, keep: bool) -> Vec<u64>;

    /// Sets a general or a mask register, or eight aligned bytes of the stack from a part on; nothing else.
    fn set(&mut self, part: Part, value: Value);

    /// The registers, after a call.
    fn registers(&self) -> Vec<Register>;

    /// The addresses that were executed.
    fn executed(&self) -> Vec<u64>;

    /// The encodings of the instructions that were executed, each made independent of where it stands.
    fn encodings(&self) -> Vec<Vec<u8>>;

    /// What was counted.
    fn counts(&self) -> &Counts;

    /// The same, and everything is counted from 0 again.
    fn take_counts(&mut self) -> Counts;
}

/// A processor, as it describes itself to software.
#[derive(Clone, Copy, Debug)]
pub enum Processor {
    /// x86-64.
    X86(&'static x86::cpuid::Processor),
    /// AArch64.
    Aarch64(&'static aarch64::processor::Processor),
}

impl Processor {
    /// What it is, in words.
    pub fn name(self) -> &'static str {
        match self {
            Processor::X86(processor) => processor.name,
            Processor::Aarch64(processor) => processor.name,
        }
    }
}

/// A machine for a library, on a processor.
///
/// # Errors
/// If there is none for that architecture.
pub fn new(library: &Library, processor: Processor) -> Outcome<Box<dyn Machine>> {
    match (library.architecture, processor) {
        (Architecture::X86_64, Processor::X86(processor)) => Ok(Box::new(x86::X86::new(library, processor))),
        (Architecture::Aarch64, Processor::Aarch64(processor)) => {
            Ok(Box::new(aarch64::Aarch64::new(library, processor)))
        }
        _ => Err(Fault::no_model("that processor does not execute the library")),
    }
}
