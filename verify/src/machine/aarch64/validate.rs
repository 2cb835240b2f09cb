//! Compares the decoder and the models with a processor, or with an emulator of one: each instruction that a proof met is
//! executed by aarch64/runner.c, on random registers and memory, and then by its model. Branches are made to go to a place
//! that the runner knows, and bases of addresses to its memory.
//!
//! The model is run twice. First with everything known. Then with some registers *blinded*: each of their bits is r where
//! it is 0, and the complement of r where it is 1, with one unknown bit r. What comes out must be right for r = 0. S-boxes
//! of unknown bytes are left out there.

use std::{
    collections::BTreeMap,
    io::{Read, Write},
    process::{Child, Command, Stdio},
};

use super::{
    Aarch64, Flags, Registers,
    decode::{Address, Instruction, Operand, STACK_POINTER, Shift, Update, decode},
};
use crate::{
    aes::known,
    algebra::{self, Bit},
    fault::Outcome,
    inputs::Random,
    words::{Lane, Word},
};

/// How much memory the runner has.
const SCRATCH: usize = 1024;
/// The size of its `struct state`.
const STATE: usize = 272 + 512 + SCRATCH;
/// States at once: fewer than pipes hold, so that neither side waits for the other.
const BATCH: usize = 16;
/// Registers that blinding knows by these numbers; vectors are from 32 on.
const CARRY: u32 = 31;

/// What came out.
#[derive(Default)]
pub struct Validation {
    /// Runs, and encodings, by form.
    pub forms: BTreeMap<String, (u64, u64)>,
    /// Runs of models with blinded registers, that could be compared.
    pub blinded: u64,
    /// Instructions whose model is wrong, and how.
    pub wrong: BTreeMap<String, String>,
    /// Instructions that have no model for some of their inputs, and why.
    pub partial: BTreeMap<String, String>,
}

/// The registers and the memory of the runner.
#[derive(Clone)]
struct State {
    general: [u64; 31],
    flags: u64,
    taken: u64,
    vectors: [u128; 32],
    memory: Vec<u8>,
}

impl State {
    fn random(random: &mut Random) -> State {
        let mut lane = || u128::from(word(random)) | u128::from(word(random)) << 64;
        let vectors = std::array::from_fn(|_| lane());
        let general = std::array::from_fn(|_| word(random));
        let memory = (0..SCRATCH).map(|_| random.next() as u8).collect();
        State { general, flags: random.next() & 0xf000_0000, taken: 0, vectors, memory }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes: Vec<u8> = self.general.iter().flat_map(|x| x.to_le_bytes()).collect();
        bytes.extend([self.flags, self.taken, 0].iter().flat_map(|x| x.to_le_bytes()));
        bytes.extend(self.vectors.iter().flat_map(|x| x.to_le_bytes()));
        bytes.extend(&self.memory);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> State {
        let word = |i: usize| u64::from_le_bytes(bytes[8 * i..8 * i + 8].try_into().expect("eight bytes"));
        let vector = |i: usize| {
            let at = 272 + 16 * i;
            u128::from_le_bytes(bytes[at..at + 16].try_into().expect("16 bytes"))
        };
        State {
            general: std::array::from_fn(word),
            flags: word(31),
            taken: word(32),
            vectors: std::array::from_fn(vector),
            memory: bytes[784..].to_vec(),
        }
    }
}

/// The runner at work.
struct Runner {
    child: Child,
    code: u64,
    scratch: u64,
}

impl Runner {
    fn new(command: &[String]) -> Result<Runner, String> {
        let error = |error: std::io::Error| format!("the runner: {error}");
        let [program, arguments @ ..] = command else { return Err("which runner?".into()) };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(error)?;
        let mut places = [0; 16];
        child.stdout.as_mut().ok_or("no pipe")?.read_exact(&mut places).map_err(error)?;
        let [code, scratch] =
            [0, 8].map(|i| u64::from_le_bytes(places[i..i + 8].try_into().expect("eight bytes")));
        Ok(Runner { child, code, scratch })
    }

    fn run(&mut self, code: u32, states: &[State]) -> Result<Vec<State>, String> {
        let error = |error: std::io::Error| format!("the runner, at {code:08x}: {error}");
        let mut request = code.to_le_bytes().to_vec();
        request.extend((states.len() as u32).to_le_bytes());
        request.extend(states.iter().flat_map(State::to_bytes));
        let input = self.child.stdin.as_mut().ok_or("no pipe")?;
        input.write_all(&request).and_then(|()| input.flush()).map_err(error)?;
        let mut reply = vec![0; STATE * states.len()];
        self.child.stdout.as_mut().ok_or("no pipe")?.read_exact(&mut reply).map_err(error)?;
        Ok(reply.chunks(STATE).map(State::from_bytes).collect())
    }
}

/// Random, or near a border, or small.
fn word(random: &mut Random) -> u64 {
    match random.next() % 8 {
        0 => [0, 1, !0, 1 << 63, (1 << 63) - 1, 0x8000_0000, 0x7fff_ffff, 0xffff_ffff]
            [random.next() as usize % 8],
        1 => random.next() & 0x3f3f_3f3f_3f3f_3f3f,
        2 => random.next() % 70,
        _ => random.next(),
    }
}

/// The address of an instruction that uses memory.
fn address(instruction: &Instruction) -> Option<&Address> {
    use Instruction as I;
    match instruction {
        I::Transfer { at, .. }
        | I::Structures { at, .. }
        | I::Element { at, .. }
        | I::LoadRepeated { at, .. }
        | I::Prefetch { at } => Some(at),
        _ => None,
    }
}

/// An encoding that can be run anywhere: branches go to the next but one instruction, and a general register is in the
/// place of the stack pointer.
fn independent(code: u32, instruction: &Instruction) -> Option<u32> {
    use Instruction as I;
    let field = |low: u32, len: u32, value: u32| code & !(((1 << len) - 1) << low) | value << low;
    let free = [27, 26, 25, 24];
    let in_use = [code & 31, code >> 10 & 31, code >> 16 & 31];
    let free = free.into_iter().find(|register| !in_use.contains(register))?;
    let mut code = match instruction {
        I::Branch { .. } => field(0, 26, 2),
        I::BranchIf { .. } | I::BranchZero { .. } => field(5, 19, 2),
        I::BranchBit { .. } => field(5, 14, 2),
        // It would have to be followed through its registers' names.
        I::BranchTo { register, .. } if *register >= 31 => return None,
        _ => code,
    };
    for _ in 0..2 {
        let (reads, writes) = match decode(code)? {
            I::Sum { a, to, .. } | I::Logic { a, to, .. } => (a == STACK_POINTER, to == STACK_POINTER),
            other => (address(&other).is_some_and(|at| at.base == STACK_POINTER), false),
        };
        if reads {
            code = code & !(31 << 5) | free << 5;
        }
        if writes {
            code = code & !31 | free;
        }
    }
    Some(code)
}

/// What an instruction is, without the numbers of its registers and its constants.
fn form(instruction: &Instruction) -> String {
    let text = format!("{instruction:?}");
    let mut form = String::new();
    for part in text.split_inclusive([' ', ',', '(', ')']) {
        let digits = part.trim_end_matches([' ', ',', '(', ')']);
        if !digits.is_empty() && digits.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit()) {
            let after = &part[digits.len()..];
            // Sizes stay.
            if form.ends_with("bytes: ") || form.ends_with("element: ") || form.ends_with("group: ") {
                form += digits;
            }
            form += after;
        } else {
            form += part;
        }
    }
    form
}

/// Validates the encodings of a file.
///
/// # Errors
/// If the runner does not run.
pub fn validate(lines: &str, states: u64, runner: &[String]) -> Result<Validation, String> {
    let mut forms: BTreeMap<String, Vec<(u32, Instruction)>> = BTreeMap::new();
    for line in lines.lines() {
        let code = u32::from_str_radix(line, 16).map_err(|_| format!("{line} is no encoding"))?.swap_bytes();
        let Some(instruction) = decode(code) else { continue };
        let Some(code) = independent(code, &instruction) else { continue };
        let Some(instruction) = decode(code) else { return Err(format!("{code:08x} is not decoded")) };
        let list = forms.entry(form(&instruction)).or_default();
        if !list.iter().any(|(other, _)| *other == code) {
            list.push((code, instruction));
        }
    }
    let mut runner = Runner::new(runner)?;
    let (mut validation, mut random) = (Validation::default(), Random(1));
    let mut machine = Aarch64::bare();
    for (form, list) in forms {
        let each = states.div_ceil(list.len() as u64).max(BATCH as u64);
        let runs = validation.forms.entry(form).or_default();
        for (code, instruction) in list {
            runs.1 += 1;
            for _ in 0..each.div_ceil(BATCH as u64) {
                let before: Vec<State> =
                    (0..BATCH).map(|_| suited(&instruction, &runner, &mut random)).collect();
                let after = runner.run(code, &before)?;
                for (before, after) in before.iter().zip(&after) {
                    let mut pair = Pair { machine: &mut machine, runner: &runner, before, after };
                    let name = format!("{code:08x} {instruction:?}");
                    match pair.compare(&instruction, None) {
                        Ok(text) if text.is_empty() => runs.0 += 1,
                        Ok(text) => {
                            validation.wrong.entry(name.clone()).or_insert(text);
                        }
                        Err(fault) => {
                            validation.partial.entry(name.clone()).or_insert(fault.to_string());
                        }
                    }
                    let mut blind = [Bit::ZERO];
                    algebra::base(algebra::Kind::Blind, random.next(), &mut blind);
                    // Few of them or many.
                    let which = random.next() & if random.next() & 1 == 0 { random.next() } else { !0 };
                    // Counts, addresses and the like must be known, so that not every blinding can be modelled.
                    if let Ok(text) = pair.compare(&instruction, Some((blind[0], which))) {
                        validation.blinded += 1;
                        if !text.is_empty() {
                            validation.wrong.entry(name).or_insert(format!("(blinded) {text}"));
                        }
                    }
                }
            }
        }
    }
    drop(runner.child.stdin.take());
    let _ = runner.child.wait();
    Ok(validation)
}

/// A random state in which an instruction uses the runner's memory, and branches go to where they are expected.
fn suited(instruction: &Instruction, runner: &Runner, random: &mut Random) -> State {
    let mut state = State::random(random);
    if let Some(at) = address(instruction) {
        let middle = runner.scratch + SCRATCH as u64 / 2 + random.next() % 16;
        let offset = match at.offset {
            Operand::Number(number) => number,
            Operand::Extended { register, bytes, signed, .. } => {
                let index = random.next() % 8;
                let index = if signed || bytes == 8 { index.wrapping_sub(4) } else { index };
                if register < 31 {
                    // Above its lowest bytes may be anything.
                    let above = if bytes == 8 { 0 } else { random.next() << (8 * bytes) };
                    state.general[register] =
                        if bytes == 8 { index } else { index & crate::words::mask(bytes) | above };
                }
                0
            }
            Operand::Shifted(..) => 0,
        };
        let added = if at.update == Update::After { 0 } else { offset };
        if at.base < 31 {
            state.general[at.base] = middle.wrapping_sub(added);
        }
    }
    if let Instruction::BranchTo { register, .. } = instruction {
        state.general[*register] = runner.code + 8;
    }
    // Often what is compared is the same.
    if random.next().is_multiple_of(4) {
        let pair = match *instruction {
            Instruction::Sum { a, b: Operand::Shifted(b, Shift::Left, _), .. }
            | Instruction::CompareIf { a, b: Operand::Shifted(b, Shift::Left, _), .. } => Some((a, b)),
            _ => None,
        };
        if let Some((a, b)) = pair.filter(|(a, b)| *a < 31 && *b < 31) {
            state.general[a] = state.general[b];
        }
    }
    state
}

/// A state before and after an instruction, and the machine to compare with.
struct Pair<'a> {
    machine: &'a mut Aarch64,
    runner: &'a Runner,
    before: &'a State,
    after: &'a State,
}

impl Pair<'_> {
    /// Runs the model. `blind`: an unknown bit, and which registers it blinds. Gives the differences.
    fn compare(&mut self, instruction: &Instruction, blind: Option<(Bit, u64)>) -> Outcome<String> {
        let (before, code) = (self.before, self.runner.code);
        let blinded =
            |which: u32| blind.filter(|(_, all)| all >> which & 1 != 0).map_or(Bit::ZERO, |(bit, _)| bit);
        let word = |which: u32, value: u64| match blinded(which) {
            Bit::ZERO => Word::Known(value),
            bit => Word::from_bits(&Word::Known(value).bits().map(|b| b ^ bit)),
        };
        let lane = |which: u32, value: u128| match blinded(which) {
            Bit::ZERO => Lane::Known(value),
            bit => Lane::from_bits(&Lane::Known(value).bits().map(|b| b ^ bit)),
        };
        let base = address(instruction).map(|at| at.base);
        let bit = |i: u32| before.flags >> i & 1 != 0;
        self.machine.registers = Registers {
            general: std::array::from_fn(|i| match before.general.get(i) {
                // Addresses must be known.
                Some(&value) if base == Some(i) => Word::Known(value),
                Some(&value) => word(i as u32, value),
                None => Word::Known(0),
            }),
            vectors: std::array::from_fn(|i| lane(32 + i as u32, before.vectors[i])),
            flags: Flags {
                negative: Some(Bit::from(bit(31))),
                zero: Some(bit(30)),
                carry: Some(Bit::from(bit(29)) ^ blinded(CARRY)),
                overflow: Some(Bit::from(bit(28))),
            },
        };
        let mut bits = known(&before.memory);
        let memory = blinded(CARRY);
        bits.iter_mut().for_each(|bit| *bit = *bit ^ memory);
        self.machine.memory.put("scratch", self.runner.scratch, bits, true);
        (self.machine.now, self.machine.next) = (code, code + 4);
        self.machine.step(instruction)?;
        let memory = self
            .machine
            .memory
            .take("scratch")
            .map_or(Vec::new(), |region| region.contents.bits(0, region.len()));
        Ok(self.differences(&memory, blind.map(|(bit, _)| bit)))
    }

    /// How the model's results differ. With an unknown bit, what else is unknown is not compared.
    fn differences(&self, memory: &[Bit], blind: Option<Bit>) -> String {
        let (model, after) = (&self.machine.registers, self.after);
        // For the unknown bit being 0.
        let value = |bit: Bit| bit.known().or_else(|| (bit ^ blind?).known());
        let differ = |model: &[Bit], real: &[Bit]| {
            model.iter().zip(real).any(|(model, real)| match value(*model) {
                Some(model) => real.known() != Some(model),
                None => blind.is_none(),
            })
        };
        let mut text = String::new();
        for (i, &real) in after.general.iter().enumerate() {
            if differ(&model.general[i].bits(), &Word::Known(real).bits()) {
                text += &format!("x{i} {:x?} is {real:x} ", model.general[i].known());
            }
        }
        for (i, &real) in after.vectors.iter().enumerate() {
            if differ(&model.vectors[i].bits(), &Lane::Known(real).bits()) {
                text += &format!("v{i} {:x?} is {real:x} ", model.vectors[i].known());
            }
        }
        let Flags { negative, zero, carry, overflow } = &model.flags;
        for (name, model, place) in
            [("n", *negative, 31), ("z", zero.map(Bit::from), 30), ("c", *carry, 29), ("v", *overflow, 28)]
        {
            // A flag that the model does not know cannot be used; if everything is known, so are they.
            let real = after.flags >> place & 1 != 0;
            let wrong = match model {
                Some(model) => value(model).map_or(blind.is_none(), |model| model != real),
                None => blind.is_none(),
            };
            if wrong {
                text += &format!("flag {name} ");
            }
        }
        let taken = self.machine.next.wrapping_sub(self.runner.code + 4) / 4;
        if taken != after.taken {
            text += "goes elsewhere ";
        }
        if differ(memory, &known(&after.memory)) {
            text += "memory ";
        }
        text
    }
}
