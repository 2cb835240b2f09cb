//! Which instructions of the kernel no theorem ran through, and why not.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use iced_x86::{Decoder, DecoderOptions, FlowControl, Instruction, Mnemonic};

use crate::{
    elf::{Architecture, BASE, Function, Library},
    machine::aarch64::decode::{Instruction as A64, decode},
};

/// Functions whose every instruction is to be executed, by parts of their names.
const KERNEL: [&str; 12] = [
    "xts::simd::x86_64::aesni",
    "xts::simd::x86_64::vaes",
    "xts::simd::aarch64::armv8",
    "xts::simd::aes::",
    "xts::simd::job",
    "xts::simd::pieces",
    "atrest::xts::sectors",
    "atrest::xts::unit",
    "atrest::xts::vectored",
    "atrest::xts::tweak",
    "atrest_xts_encrypt_",
    "atrest_xts_decrypt_",
];

/// An explanation: a part of a function's name, the most instructions that may be missing there, and why.
pub struct Reason {
    part: String,
    most: usize,
    why: String,
}

/// Reads explanations: lines of `PART | MOST | WHY`; `#` begins a comment.
pub fn reasons(text: &str) -> Result<Vec<Reason>, String> {
    text.lines()
        .filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
        .map(|line| {
            let fields: Vec<&str> = line.split('|').map(str::trim).collect();
            let [part, most, why] = fields[..] else { return Err(format!("not an explanation: {line}")) };
            let most = most.parse().map_err(|_| format!("not a number of instructions: {line}"))?;
            Ok(Reason { part: part.into(), most, why: why.into() })
        })
        .collect()
}

/// What no theorem ran through.
#[derive(Default)]
pub struct Coverage {
    /// Instructions of the kernel.
    pub all: usize,
    /// Those that were executed.
    pub executed: usize,
    /// The others, by function; and why, if that is known.
    pub missing: BTreeMap<String, Missing>,
}

/// Instructions of a function.
pub struct Missing {
    /// Their addresses, but for those that lead to a panic alone.
    pub at: Vec<u64>,
    /// How many lead to a panic alone.
    pub panics: usize,
    /// Why they are not reached.
    pub why: Option<String>,
}

impl Coverage {
    /// Of a library.
    pub fn new(library: &Library, executed: &BTreeSet<u64>, reasons: &[Reason]) -> Coverage {
        let mut coverage = Coverage::default();
        let kernel = |function: &&Function| KERNEL.iter().any(|part| function.name.contains(part));
        for function in library.functions.iter().filter(kernel) {
            let instructions = instructions(library, function);
            let missing: Vec<u64> =
                instructions.iter().copied().filter(|at| !executed.contains(at)).collect();
            coverage.all += instructions.len();
            coverage.executed += instructions.len() - missing.len();
            if !missing.is_empty() {
                let doomed = doomed(library, function, &missing);
                let all = missing.len();
                let missing: Vec<u64> = missing.into_iter().filter(|at| !doomed.contains(at)).collect();
                let reason = reasons
                    .iter()
                    .find(|reason| function.name.contains(&reason.part) && missing.len() <= reason.most);
                let why = match reason {
                    _ if missing.is_empty() => Some("a panic follows".into()),
                    reason => reason.map(|reason| reason.why.clone()),
                };
                let name = format!("{} at {:#x}", function.name, function.start);
                let panics = all - missing.len();
                coverage.missing.insert(name, Missing { at: missing, panics, why });
            }
        }
        coverage
    }

    /// Functions with instructions that are missing for no known reason.
    pub fn unexplained(&self) -> impl Iterator<Item = (&String, &Missing)> {
        self.missing.iter().filter(|(_, missing)| missing.why.is_none())
    }
}

/// Functions that do not return, by parts of their names.
const PANICS: [&str; 6] =
    ["core::panicking::", "unwrap_failed", "expect_failed", "_fail", "panic_already", "_Unwind_Resume"];

/// What may come behind an instruction.
#[derive(Clone, Copy)]
enum Flow {
    /// The next one: it begins at that address.
    Next(u64),
    /// Another one.
    Jump(u64),
    /// The next one or another one.
    Either(u64, u64),
    /// What is called, if that is known, and then perhaps the next one.
    Call(Option<u64>, u64),
    /// Nothing: a trap.
    Trap,
    /// Something else.
    Unknown,
}

/// What may come behind each instruction of a function, and behind what fills gaps.
fn flows(library: &Library, function: &Function) -> HashMap<u64, Flow> {
    let code = library.bytes(function.start);
    let code = &code[..code.len().min(function.len as usize)];
    // Through the table of addresses, as most calls go.
    let through = |at: u64| library.bytes(at).first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let x86 = |instruction: &Instruction| {
        let (next, to) = (instruction.next_ip(), instruction.near_branch64());
        match instruction.flow_control() {
            _ if matches!(instruction.mnemonic(), Mnemonic::Ud2 | Mnemonic::Int3) => Flow::Trap,
            FlowControl::Next => Flow::Next(next),
            FlowControl::UnconditionalBranch => Flow::Jump(to),
            FlowControl::ConditionalBranch => Flow::Either(next, to),
            FlowControl::Call => Flow::Call(Some(BASE + to), next),
            FlowControl::IndirectCall if instruction.is_ip_rel_memory_operand() => {
                Flow::Call(Some(through(instruction.ip_rel_memory_address())), next)
            }
            FlowControl::IndirectCall => Flow::Call(None, next),
            _ => Flow::Unknown,
        }
    };
    let aarch64 = |at: u64, code: u32| {
        let (next, to) = (at + 4, |offset| at.wrapping_add_signed(offset));
        match decode(code) {
            // BRK and UDF.
            None if code & 0xffe0_001f == 0xd420_0000 || code >> 16 == 0 => Flow::Trap,
            None | Some(A64::BranchTo { link: false, .. }) => Flow::Unknown,
            Some(A64::Branch { link: false, offset }) => Flow::Jump(to(offset)),
            Some(A64::Branch { link: true, offset }) => Flow::Call(Some(BASE + to(offset)), next),
            Some(A64::BranchTo { link: true, .. }) => Flow::Call(None, next),
            Some(
                A64::BranchIf { offset, .. } | A64::BranchZero { offset, .. } | A64::BranchBit { offset, .. },
            ) => Flow::Either(next, to(offset)),
            Some(_) => Flow::Next(next),
        }
    };
    match library.architecture {
        Architecture::X86_64 => Decoder::with_ip(64, code, function.start, DecoderOptions::NONE)
            .iter()
            .map(|instruction| (instruction.ip(), x86(&instruction)))
            .collect(),
        Architecture::Aarch64 => (function.start..)
            .step_by(4)
            .zip(code.as_chunks().0)
            .map(|(at, code)| (at, aarch64(at, u32::from_le_bytes(*code))))
            .collect(),
    }
}

/// Of instructions that were not reached, those behind which nothing comes but a panic, or the end of unwinding. They are
/// checks of what the call, or the constructor of a job, has checked before, which the compiler does not see.
fn doomed(library: &Library, function: &Function, missing: &[u64]) -> HashSet<u64> {
    let all = flows(library, function);
    let gaps: HashSet<u64> = {
        let instructions: HashSet<u64> = instructions(library, function).into_iter().collect();
        all.keys().copied().filter(|at| !instructions.contains(at)).collect()
    };
    let panics = |at: u64| {
        let name = match library.imports.get(&at) {
            Some(name) => name,
            None => match library.function(at.wrapping_sub(BASE)) {
                Some(function) => &function.name,
                None => return false,
            },
        };
        PANICS.iter().any(|part| name.contains(part))
    };
    let mut doomed: HashSet<u64> = missing.iter().copied().collect();
    loop {
        let before = doomed.len();
        let is = |doomed: &HashSet<u64>, mut at: u64| loop {
            match all.get(&at) {
                Some(Flow::Trap) => return true,
                Some(Flow::Next(next)) if gaps.contains(&at) => at = *next,
                _ => return doomed.contains(&at),
            }
        };
        for at in missing {
            let stays = match all.get(at).copied().unwrap_or(Flow::Unknown) {
                Flow::Next(next) => is(&doomed, next),
                Flow::Jump(to) => is(&doomed, to),
                Flow::Either(next, to) => is(&doomed, next) && is(&doomed, to),
                Flow::Call(to, next) => to.is_some_and(panics) || is(&doomed, next),
                Flow::Trap => true,
                Flow::Unknown => false,
            };
            if !stays {
                doomed.remove(at);
            }
        }
        if doomed.len() == before {
            return doomed;
        }
    }
}

/// The addresses of a function's instructions, without those that fill gaps.
fn instructions(library: &Library, function: &Function) -> Vec<u64> {
    let code = library.bytes(function.start);
    let code = &code[..code.len().min(function.len as usize)];
    match library.architecture {
        Architecture::X86_64 => Decoder::with_ip(64, code, function.start, DecoderOptions::NONE)
            .iter()
            .filter(|instruction| {
                !matches!(
                    instruction.mnemonic(),
                    Mnemonic::Nop | Mnemonic::Int3 | Mnemonic::Ud2 | Mnemonic::INVALID
                )
            })
            .map(|instruction| instruction.ip())
            .collect(),
        // Four bytes each. What is no instruction here is a trap, or fills gaps; a call into it would fail.
        Architecture::Aarch64 => code
            .as_chunks()
            .0
            .iter()
            .zip((function.start..).step_by(4))
            .filter(|(code, _)| {
                let instruction = decode(u32::from_le_bytes(**code));
                !matches!(instruction, None | Some(A64::Nothing))
            })
            .map(|(_, at)| at)
            .collect(),
    }
}
