//! Compares the models of instructions with the processor: each instruction that a proof met is run on it, on random
//! registers and memory, and then by its model.
//!
//! The model is run twice. First with everything known. Then with some registers *blinded*: each of their bits is r where
//! it is 0, and the complement of r where it is 1, with one unknown bit r. What comes out must be right for r = 0; this is
//! how the models' unknown bits are compared with the processor, too. S-boxes of unknown bytes are left out there.

use std::collections::BTreeMap;

use iced_x86::{Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpKind};

use crate::{
    aes::known,
    algebra::{self, Bit},
    fault::Fault,
    inputs::Random,
    machine::x86::{Flags, Model, Registers, X86, cpuid, operand_size},
    words::{Lane, Word},
};

/// The registers of the processor, as the code below reads and writes them.
#[repr(C, align(64))]
#[derive(Clone)]
struct Context {
    vectors: [[u128; 4]; 32],
    masks: [u64; 8],
    general: [u64; 16],
    flags: u64,
}

// Loads all registers, calls the instruction, and stores them again. rsp stays as it is; of the flags, those that
// instructions compute.
std::arch::global_asm!(
    ".globl atrest_verify_run_one",
    "atrest_verify_run_one:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push rdi",
    "push rsi",
    ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "vmovdqu64 zmm\\i, [rdi + 64*\\i]",
    ".endr",
    ".irp i, 0,1,2,3,4,5,6,7",
    "kmovq k\\i, [rdi + 2048 + 8*\\i]",
    ".endr",
    "push qword ptr [rdi + 2240]",
    "popfq",
    "mov rax, [rdi + 2112]",
    "mov rcx, [rdi + 2120]",
    "mov rdx, [rdi + 2128]",
    "mov rbx, [rdi + 2136]",
    "mov rbp, [rdi + 2152]",
    "mov rsi, [rdi + 2160]",
    ".irp i, 8,9,10,11,12,13,14,15",
    "mov r\\i, [rdi + 2112 + 8*\\i]",
    ".endr",
    "mov rdi, [rdi + 2168]",
    "call qword ptr [rsp]",
    "push rdi",
    "mov rdi, [rsp + 16]",
    "mov [rdi + 2112], rax",
    "mov [rdi + 2120], rcx",
    "mov [rdi + 2128], rdx",
    "mov [rdi + 2136], rbx",
    "mov [rdi + 2152], rbp",
    "mov [rdi + 2160], rsi",
    ".irp i, 8,9,10,11,12,13,14,15",
    "mov [rdi + 2112 + 8*\\i], r\\i",
    ".endr",
    "pop rax",
    "mov [rdi + 2168], rax",
    "pushfq",
    "pop rax",
    "mov [rdi + 2240], rax",
    "cld",
    ".irp i, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
    "vmovdqu64 [rdi + 64*\\i], zmm\\i",
    ".endr",
    ".irp i, 0,1,2,3,4,5,6,7",
    "kmovq [rdi + 2048 + 8*\\i], k\\i",
    ".endr",
    "vzeroupper",
    "pop rsi",
    "pop rdi",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
);

unsafe extern "C" {
    fn atrest_verify_run_one(context: *mut Context, code: *const u8);
}

/// A page for code.
struct Page(*mut u8);

impl Page {
    fn new() -> Option<Page> {
        use libc::{MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_EXEC, PROT_READ, PROT_WRITE, mmap};
        let rights = PROT_READ | PROT_WRITE | PROT_EXEC;
        // SAFETY: a new mapping, wherever there is room.
        let page = unsafe { mmap(std::ptr::null_mut(), 4096, rights, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) };
        (page != MAP_FAILED).then_some(Page(page.cast()))
    }

    fn put(&self, code: &[u8]) {
        // SAFETY: the page has 4096 bytes, an instruction at most 15; then a `ret`.
        unsafe {
            std::ptr::copy_nonoverlapping(code.as_ptr(), self.0, code.len());
            self.0.add(code.len()).write(0xc3);
        }
    }

    fn run(&self, context: &mut Context) {
        // SAFETY: the page holds one instruction, which neither branches nor uses the stack, and whose memory operand is
        // the scratch memory of `Validation`; and a `ret`. The processor has AVX-512, as `validate` asked.
        unsafe { atrest_verify_run_one(context, self.0) }
    }
}

/// 64 bytes that instructions read and write, with room behind them.
#[repr(align(64))]
struct Scratch([u8; 128]);

/// What came out.
#[derive(Default)]
pub struct Validation {
    /// Runs on the processor, by form; and encodings.
    pub forms: BTreeMap<String, (u64, u64)>,
    /// Runs of models with blinded registers, that could be compared.
    pub blinded: u64,
    /// Instructions whose model is wrong, and how.
    pub wrong: BTreeMap<String, String>,
    /// Instructions that have no model for some of their inputs, and why.
    pub partial: BTreeMap<String, String>,
    /// Instructions that the processor has not.
    pub unsupported: u64,
}

/// Whether the processor has what an instruction needs.
fn is_supported(instruction: &Instruction) -> bool {
    use iced_x86::CpuidFeature as F;
    instruction.cpuid_features().iter().all(|feature| match feature {
        F::AVX512_VBMI => std::arch::is_x86_feature_detected!("avx512vbmi"),
        F::AVX512_VBMI2 => std::arch::is_x86_feature_detected!("avx512vbmi2"),
        F::VAES => std::arch::is_x86_feature_detected!("vaes"),
        // Everything else came before, or with, AVX512BW.
        _ => true,
    })
}

/// Runs each instruction (in hexadecimal, one a line) so often that each form has `states` runs at least.
///
/// # Errors
/// If this processor cannot.
pub fn validate(lines: &str, states: u64) -> Result<Validation, String> {
    if !std::arch::is_x86_feature_detected!("avx512bw") || !std::arch::is_x86_feature_detected!("avx512vl") {
        return Err("this processor has no AVX-512, whose registers are to be compared".into());
    }
    let page = Page::new().ok_or("no memory for code")?;
    let mut by_form: BTreeMap<String, Vec<(Vec<u8>, Instruction)>> = BTreeMap::new();
    for line in lines.lines() {
        let byte = |i: usize| u8::from_str_radix(line.get(i..i + 2).unwrap_or("?"), 16);
        let code: Result<Vec<u8>, _> = (0..line.len()).step_by(2).map(byte).collect();
        let code = code.map_err(|_| format!("not an instruction in hexadecimal: {line}"))?;
        let instruction = Decoder::with_ip(64, &code, 0, DecoderOptions::NONE).decode();
        by_form.entry(format!("{:?}", instruction.code())).or_default().push((code, instruction));
    }
    let seed =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_nanos());
    let mut random = Random(seed as u64);
    let mut state = State {
        machine: X86::bare(&cpuid::ZEN5),
        scratch: Box::new(Scratch([0; 128])),
        validation: Validation::default(),
    };
    for (form, encodings) in by_form {
        let each = states.div_ceil(encodings.len() as u64).max(32);
        let mut runs = 0;
        for (code, instruction) in &encodings {
            if !is_supported(instruction) {
                state.validation.unsupported += 1;
                continue;
            }
            page.put(code);
            // Some states do not count, such as divisors of 0.
            let counted = (0..4 * each).filter(|_| state.compare(instruction, &page, &mut random));
            runs += counted.take(each as usize).count() as u64;
        }
        state.validation.forms.insert(form, (runs, encodings.len() as u64));
    }
    Ok(state.validation)
}

/// The places of the carry and of memory in a set of registers: 16 general ones, 32 vectors and 8 masks come before.
const CARRY: u32 = 56;
const MEMORY: u32 = 57;

/// The registers that an instruction uses, as a set.
fn used(instruction: &Instruction) -> u64 {
    let mut factory = InstructionInfoFactory::new();
    let mut set = 1 << CARRY | 1 << MEMORY;
    for used in factory.info(instruction).used_registers() {
        let register = used.register().full_register();
        let number = register.number();
        if register.is_gpr() {
            set |= 1 << number;
        } else if register.is_vector_register() {
            set |= 1 << (16 + number);
        } else if register.is_k() {
            set |= 1 << (48 + number);
        }
    }
    set
}

struct State {
    machine: X86,
    scratch: Box<Scratch>,
    validation: Validation,
}

/// Random, or near a border, or small bytes.
fn word(random: &mut Random) -> u64 {
    match random.next() % 8 {
        0 => [0, 1, !0, 1 << 63, (1 << 63) - 1, 0x8000_0000, 0x7fff_ffff, 0xffff_ffff]
            [random.next() as usize % 8],
        1 => random.next() & 0x3f3f_3f3f_3f3f_3f3f,
        2 => random.next() % 70,
        _ => random.next(),
    }
}

impl State {
    /// One run. Whether it counts: not where the instruction would trap.
    fn compare(&mut self, instruction: &Instruction, page: &Page, random: &mut Random) -> bool {
        let mut before = Context { vectors: [[0; 4]; 32], masks: [0; 8], general: [0; 16], flags: 0x202 };
        for lane in before.vectors.iter_mut().flatten() {
            *lane = u128::from(word(random)) | u128::from(word(random)) << 64;
        }
        before.masks = before.masks.map(|_| random.next());
        before.general = before.general.map(|_| word(random));
        before.flags |= random.next() & 0x8d5;
        for bytes in self.scratch.0.chunks_mut(8) {
            bytes.copy_from_slice(&word(random).to_le_bytes());
        }
        let memory = (0..instruction.op_count()).any(|i| instruction.op_kind(i) == OpKind::Memory);
        if memory && instruction.mnemonic() != Mnemonic::Lea {
            before.general[instruction.memory_base().number()] = self.scratch.0.as_ptr().addr() as u64;
        }
        if instruction.mnemonic() == Mnemonic::Div
            && !suit_division(instruction, &mut before, &mut self.scratch, random)
        {
            return false;
        }
        // Before the processor changes the memory.
        let blind = {
            let mut bit = [Bit::ZERO];
            algebra::base(algebra::Kind::Blind, random.next(), &mut bit);
            bit[0]
        };
        let inputs = self.scratch.0;
        let plain = self.model(instruction, &before, &inputs, None);
        let registers = random.next() & used(instruction);
        let blinded = self.model(instruction, &before, &inputs, Some((blind, registers)));
        let mut after = before.clone();
        page.run(&mut after);
        let outputs = self.scratch.0;
        match plain {
            Ok((registers, memory)) => {
                let differences = differences(&registers, &memory, &after, &outputs, None);
                if !differences.is_empty() {
                    self.validation.wrong.entry(instruction.to_string()).or_insert(differences);
                }
            }
            Err(fault) => {
                self.validation.partial.insert(instruction.to_string(), fault.to_string());
                return false;
            }
        }
        // Counts, addresses and the like must be known, so that not every blinding can be modelled.
        if let Ok((registers, memory)) = blinded {
            let differences = differences(&registers, &memory, &after, &outputs, Some(blind));
            if !differences.is_empty() {
                let text = format!("(blinded) {differences}");
                self.validation.wrong.entry(instruction.to_string()).or_insert(text);
            }
            self.validation.blinded += 1;
        }
        true
    }

    /// Runs the model. `blind`: the unknown bit, and which registers it blinds.
    fn model(
        &mut self,
        instruction: &Instruction,
        before: &Context,
        memory: &[u8],
        blind: Option<(Bit, u64)>,
    ) -> Result<(Registers, Vec<Bit>), Fault> {
        let blinded = |which: u32| blind.filter(|(_, registers)| registers >> which & 1 != 0);
        let word = |which: u32, value: u64| {
            let word = Word::Known(value);
            match blinded(which) {
                Some((bit, _)) => Word::from_bits(&word.bits().map(|b| b ^ bit)),
                None => word,
            }
        };
        let lane = |which: u32, value: u128| {
            let lane = Lane::Known(value);
            match blinded(which) {
                Some((bit, _)) => Lane::from_bits(&lane.bits().map(|b| b ^ bit)),
                None => lane,
            }
        };
        let bit = |i: u32| before.flags >> i & 1 != 0;
        self.machine.registers = Registers {
            general: std::array::from_fn(|i| word(i as u32, before.general[i])),
            vectors: std::array::from_fn(|i| {
                std::array::from_fn(|j| lane(16 + i as u32, before.vectors[i][j]))
            }),
            masks: std::array::from_fn(|i| word(48 + i as u32, before.masks[i])),
            flags: Flags {
                carry: Some(Bit::from(bit(0)) ^ blinded(CARRY).map_or(Bit::ZERO, |(bit, _)| bit)),
                parity: Some(bit(2)),
                zero: Some(bit(6)),
                sign: Some(bit(7)),
                overflow: Some(bit(11)),
            },
        };
        let mut bits = known(memory);
        if let Some((blind, _)) = blinded(MEMORY) {
            bits.iter_mut().for_each(|bit| *bit = *bit ^ blind);
        }
        self.machine.memory.put("scratch", self.scratch.0.as_ptr().addr() as u64, bits, true);
        self.machine.step(instruction, Model::of(instruction).as_ref())?;
        let memory = self
            .machine
            .memory
            .take("scratch")
            .map_or(Vec::new(), |region| region.contents.bits(0, region.len()));
        Ok((self.machine.registers.clone(), memory))
    }
}

/// Makes the dividend small enough, where it can be.
fn suit_division(
    instruction: &Instruction,
    context: &mut Context,
    scratch: &mut Scratch,
    random: &mut Random,
) -> bool {
    let bytes = operand_size(instruction, 0);
    let divisor = match instruction.op_kind(0) {
        OpKind::Memory => u64::from_le_bytes(scratch.0[..8].try_into().expect("eight bytes")),
        _ => context.general[instruction.op_register(0).full_register().number()],
    } & crate::words::mask(bytes);
    if divisor == 0 {
        return false;
    }
    if bytes == 1 {
        context.general[0] = context.general[0] & !0xffff | (random.next() % (divisor << 8));
    } else {
        context.general[2] = random.next() % divisor;
    }
    // The divisor itself may be the dividend's register.
    !matches!(instruction.op_kind(0), OpKind::Register)
        || ![0, 2].contains(&instruction.op_register(0).full_register().number())
}

/// How a model's results differ from the processor's. With an unknown bit, what else is unknown is not compared.
fn differences(
    model: &Registers,
    memory: &[Bit],
    processor: &Context,
    scratch: &[u8],
    blind: Option<Bit>,
) -> String {
    // For the unknown bit being 0.
    let value = |bit: Bit| match (bit.known(), blind) {
        (Some(value), _) => Some(value),
        (None, Some(blind)) => (bit ^ blind).known(),
        (None, None) => None,
    };
    let differ = |model: &[Bit], processor: &[Bit]| {
        model.iter().zip(processor).any(|(model, processor)| match value(*model) {
            Some(model) => processor.known() != Some(model),
            None => blind.is_none(),
        })
    };
    let mut text = String::new();
    for i in 0..32 {
        for j in 0..4 {
            if model.vectors[i][j].known() == Some(processor.vectors[i][j]) {
                continue;
            }
            if differ(&model.vectors[i][j].bits(), &Lane::Known(processor.vectors[i][j]).bits()) {
                text += &format!(
                    "zmm{i}[{j}] {:x?} is {:x} ",
                    model.vectors[i][j].known(),
                    processor.vectors[i][j]
                );
            }
        }
    }
    for i in (0..16).filter(|&i| i != 4) {
        if model.general[i].known() == Some(processor.general[i]) {
            continue;
        }
        if differ(&model.general[i].bits(), &Word::Known(processor.general[i]).bits()) {
            text += &format!("register {i} {:x?} is {:x} ", model.general[i].known(), processor.general[i]);
        }
    }
    for i in 0..8 {
        if model.masks[i].known() == Some(processor.masks[i]) {
            continue;
        }
        if differ(&model.masks[i].bits(), &Word::Known(processor.masks[i]).bits()) {
            text += &format!("k{i} ");
        }
    }
    let Flags { carry, zero, sign, overflow, parity } = &model.flags;
    for (name, model, place) in [
        ("carry", carry.and_then(value), 0),
        ("parity", *parity, 2),
        ("zero", *zero, 6),
        ("sign", *sign, 7),
        ("overflow", *overflow, 11),
    ] {
        // A flag that the model does not know cannot be used.
        if model.is_some_and(|model| model != (processor.flags >> place & 1 != 0)) {
            text += &format!("flag {name} ");
        }
    }
    if differ(memory, &known(scratch)) {
        text += "memory ";
    }
    text
}
