//! Which instructions of the kernel no theorem ran through, and why not.

use std::collections::{BTreeMap, BTreeSet};

use iced_x86::{Decoder, DecoderOptions, Mnemonic};

use crate::{
    elf::{Architecture, Function, Library},
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
    /// Their addresses.
    pub at: Vec<u64>,
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
                let reason = reasons
                    .iter()
                    .find(|reason| function.name.contains(&reason.part) && missing.len() <= reason.most);
                let why = reason.map(|reason| reason.why.clone());
                let name = format!("{} at {:#x}", function.name, function.start);
                coverage.missing.insert(name, Missing { at: missing, why });
            }
        }
        coverage
    }

    /// Functions with instructions that are missing for no known reason.
    pub fn unexplained(&self) -> impl Iterator<Item = (&String, &Missing)> {
        self.missing.iter().filter(|(_, missing)| missing.why.is_none())
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
