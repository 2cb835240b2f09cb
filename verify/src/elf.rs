//! A shared library, read from its file and placed in memory as a loader would: the bytes that ship are the bytes that are
//! executed. Anything that this loader does not know is an error.

use std::collections::{BTreeMap, HashMap};

use rustc_demangle::demangle;

use crate::fault::{Fault, Kind, Outcome};

/// Where address 0 of the library lies.
pub const BASE: u64 = 0x10_0000_0000;
/// Where the functions of other libraries lie, 16 bytes each: nothing is there to be read.
pub const IMPORTS: u64 = 0x20_0000_0000;

/// A part of the library in memory.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Its first address.
    pub base: u64,
    /// What is there.
    pub bytes: Vec<u8>,
    /// Whether it may be written.
    pub writable: bool,
    /// Whether it holds code.
    pub executable: bool,
}

/// What the code is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// x86-64.
    X86_64,
    /// AArch64, little-endian.
    Aarch64,
}

/// A function of the library.
#[derive(Clone, Debug)]
pub struct Function {
    /// Its first address in the file.
    pub start: u64,
    /// How many bytes it has.
    pub len: u64,
    /// Its name, demangled.
    pub name: String,
}

/// A library.
#[derive(Clone, Debug)]
pub struct Library {
    /// Its path.
    pub path: String,
    /// SHA-256 of the file, in hexadecimal.
    pub hash: String,
    /// The architecture.
    pub architecture: Architecture,
    /// What lies in memory.
    pub segments: Vec<Segment>,
    /// The functions that it exports, by name.
    exports: HashMap<String, u64>,
    /// The names of the functions that it calls elsewhere, by address.
    pub imports: BTreeMap<u64, String>,
    /// All functions, in order of their addresses.
    pub functions: Vec<Function>,
    /// Where the library keeps which backends gave known answers: an address of the file, and a byte for each backend.
    /// Only the symbol table tells.
    answers: Option<(u64, u64)>,
}

/// The name of that variable, and what it holds of a backend whose answers were right: both of src/xts/answers.rs.
const ANSWERS: &str = "atrest::xts::answers::GIVEN";
const RIGHT: u8 = 1;

fn broken(text: impl Into<String>) -> Fault {
    Fault::new(Kind::File, text)
}

/// Little-endian numbers of a file.
struct File<'a>(&'a [u8]);

impl<'a> File<'a> {
    fn bytes(&self, at: u64, len: u64) -> Outcome<&'a [u8]> {
        usize::try_from(at)
            .ok()
            .zip(usize::try_from(len).ok())
            .and_then(|(at, len)| self.0.get(at..at.checked_add(len)?))
            .ok_or_else(|| broken("the file is shorter than it says"))
    }

    fn number(&self, at: u64, len: usize) -> Outcome<u64> {
        let mut bytes = [0; 8];
        bytes[..len].copy_from_slice(self.bytes(at, len as u64)?);
        Ok(u64::from_le_bytes(bytes))
    }

    fn text(&self, at: u64) -> Outcome<String> {
        let rest = self.0.get(at as usize..).ok_or_else(|| broken("a name lies outside the file"))?;
        let len = rest.iter().position(|&byte| byte == 0).unwrap_or(rest.len());
        Ok(String::from_utf8_lossy(&rest[..len]).into_owned())
    }
}

/// A section, as far as it is of interest.
#[derive(Clone, Copy)]
struct Section {
    kind: u64,
    offset: u64,
    size: u64,
    link: u64,
}

/// A symbol.
struct Symbol {
    name: String,
    value: u64,
    size: u64,
    function: bool,
    object: bool,
    defined: bool,
    weak: bool,
}

/// The SHA-256 of some bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Library {
    /// Loads a file.
    pub fn load(path: &str) -> Outcome<Library> {
        let bytes = std::fs::read(path).map_err(|error| broken(format!("{path}: {error}")))?;
        Library::from_bytes(path, &bytes)
    }

    /// No library at all.
    pub fn empty() -> Library {
        Library {
            path: String::new(),
            hash: String::new(),
            architecture: Architecture::X86_64,
            segments: Vec::new(),
            exports: HashMap::new(),
            imports: BTreeMap::new(),
            functions: Vec::new(),
            answers: None,
        }
    }

    fn from_bytes(path: &str, bytes: &[u8]) -> Outcome<Library> {
        let file = File(bytes);
        if file.bytes(0, 6)? != b"\x7fELF\x02\x01" || file.number(16, 2)? != 3 {
            return Err(broken(format!("{path} is no shared library of 64 bits, little-endian")));
        }
        let architecture = match file.number(18, 2)? {
            62 => Architecture::X86_64,
            183 => Architecture::Aarch64,
            other => return Err(broken(format!("{path} is for another architecture ({other})"))),
        };
        let mut library = Library {
            path: path.into(),
            hash: sha256(bytes),
            architecture,
            segments: segments(&file)?,
            exports: HashMap::new(),
            imports: BTreeMap::new(),
            functions: Vec::new(),
            answers: None,
        };
        let sections = sections(&file)?;
        for section in &sections {
            match section.kind {
                // SHT_SYMTAB, SHT_DYNSYM
                2 | 11 => {
                    for symbol in symbols(&file, &sections, section)? {
                        if symbol.object
                            && symbol.defined
                            && format!("{:#}", demangle(&symbol.name)) == ANSWERS
                        {
                            library.answers = Some((symbol.value, symbol.size));
                        }
                        if !symbol.function || !symbol.defined {
                            continue;
                        }
                        if section.kind == 11 {
                            library.exports.insert(symbol.name.clone(), BASE + symbol.value);
                        }
                        library.functions.push(Function {
                            start: symbol.value,
                            len: symbol.size,
                            name: format!("{:#}", demangle(&symbol.name)),
                        });
                    }
                }
                // SHT_RELA
                4 => library.relocate(&file, &sections, section)?,
                // SHT_REL, SHT_RELR
                9 | 19 => return Err(broken("relocations of a kind that is not known here")),
                _ => {}
            }
        }
        library.functions.sort_by_key(|function| function.start);
        library.functions.dedup_by_key(|function| function.start);
        Ok(library)
    }

    /// Applies the relocations of a section.
    fn relocate(&mut self, file: &File<'_>, sections: &[Section], section: &Section) -> Outcome<()> {
        let table = sections.get(section.link as usize).ok_or_else(|| broken("no symbols"))?;
        let symbols = symbols(file, sections, table)?;
        for at in (section.offset..section.offset + section.size).step_by(24) {
            let (place, info, addend) =
                (file.number(at, 8)?, file.number(at + 8, 8)?, file.number(at + 16, 8)?);
            let symbol = symbols.get((info >> 32) as usize);
            let value = match (self.architecture, info as u32) {
                // R_X86_64_RELATIVE, R_AARCH64_RELATIVE
                (Architecture::X86_64, 8) | (Architecture::Aarch64, 1027) => BASE.wrapping_add(addend),
                // R_X86_64_64, _GLOB_DAT, _JUMP_SLOT; R_AARCH64_ABS64, _GLOB_DAT, _JUMP_SLOT
                (Architecture::X86_64, 1 | 6 | 7) | (Architecture::Aarch64, 257 | 1025 | 1026) => {
                    let symbol = symbol.ok_or_else(|| broken("a relocation names no symbol"))?;
                    self.target(symbol).wrapping_add(addend)
                }
                // Thread-local variables: R_X86_64_DTPMOD64, _DTPOFF64, _TPOFF64; R_AARCH64_TLS_*, _TLSDESC. No call that
                // is proved reaches one: it would have to call __tls_get_addr or read the segment register.
                (Architecture::X86_64, 16..=18) | (Architecture::Aarch64, 1028..=1031) => continue,
                (_, other) => return Err(broken(format!("relocation {other} is not known here"))),
            };
            let write = self.segments.iter_mut().find_map(|segment| {
                let offset = BASE.wrapping_add(place).checked_sub(segment.base)? as usize;
                segment.bytes.get_mut(offset..offset + 8)
            });
            write.ok_or_else(|| broken("a relocation lies outside"))?.copy_from_slice(&value.to_le_bytes());
        }
        Ok(())
    }

    /// The address of a symbol; of another library's function, a place that stands for it.
    fn target(&mut self, symbol: &Symbol) -> u64 {
        if symbol.defined {
            return BASE + symbol.value;
        }
        if let Some((&known, _)) = self.imports.iter().find(|(_, name)| **name == symbol.name) {
            return known;
        }
        // What start-up code asks for, and does without.
        if symbol.weak && (symbol.name.starts_with("_ITM_") || symbol.name == "__gmon_start__") {
            return 0;
        }
        let address = IMPORTS + 16 * self.imports.len() as u64;
        self.imports.insert(address, symbol.name.clone());
        address
    }

    /// Puts the library into the state of a process in which each backend has given known answers, as one has that ever
    /// made a key. Asked for in a proof, they would be no theorem: an S-box that is not interpreted gives none.
    ///
    /// # Errors
    /// If the symbol table does not say where that state is, or the file is stripped of it.
    pub fn with_known_answers(mut self) -> Outcome<Library> {
        let Some((at, len)) = self.answers else {
            return Err(broken(format!(
                "{} has no symbol {ANSWERS}: give the file from before its symbol table was stripped",
                self.path
            )));
        };
        self.patch(at, &vec![RIGHT; len as usize]);
        Ok(self)
    }

    /// The address of a function that it exports.
    pub fn export(&self, name: &str) -> Outcome<u64> {
        self.exports.get(name).copied().ok_or_else(|| broken(format!("{} exports no {name}", self.path)))
    }

    /// The function around an address of the file.
    pub fn function(&self, at: u64) -> Option<&Function> {
        let i = self.functions.partition_point(|function| function.start <= at).checked_sub(1)?;
        self.functions.get(i).filter(|function| at < function.start + function.len.max(1))
    }

    /// The bytes from an address of the file on, to the end of their segment.
    pub fn bytes(&self, at: u64) -> &[u8] {
        let at = at + BASE;
        let segment = self.segments.iter().find(|s| (s.base..s.base + s.bytes.len() as u64).contains(&at));
        segment.map_or(&[], |segment| &segment.bytes[(at - segment.base) as usize..])
    }

    /// Changes bytes, for mutants.
    pub fn patch(&mut self, at: u64, bytes: &[u8]) {
        let at = at + BASE;
        for segment in &mut self.segments {
            if (segment.base..segment.base + segment.bytes.len() as u64).contains(&at) {
                let offset = (at - segment.base) as usize;
                segment.bytes[offset..offset + bytes.len()].copy_from_slice(bytes);
            }
        }
    }

    /// Where an address of the file comes from: the function, and the line if a tool is there that knows it.
    pub fn place(&self, at: u64) -> String {
        let name = self.function(at).map_or("?", |function| &function.name);
        // Of binutils or LLVM, which read DWARF; without one, there is no line.
        let line = ["addr2line", "llvm-symbolizer"].iter().find_map(|tool| {
            let mut command = std::process::Command::new(tool);
            match *tool {
                "addr2line" => command.args(["-i", "-e", &self.path, &format!("{at:#x}")]),
                _ => command.args(["--inlines", "-s", "-e", &self.path, &format!("{at:#x}")]),
            };
            let output = command.output().ok()?;
            // The innermost function first; those of the standard library tell little.
            let text = String::from_utf8_lossy(&output.stdout);
            let foreign =
                |line: &str| ["/rustc/", "/registry/", "/library/"].iter().any(|part| line.contains(part));
            let line = text.lines().find(|line| line.contains(".rs:") && !foreign(line))?;
            let file = line.split(" (").next()?;
            Some(file.rsplit_once("/src/").map_or(file.into(), |(_, file)| format!("src/{file}")))
        });
        format!("{at:#x} in {name}{}", line.map_or(String::new(), |line| format!(" ({line})")))
    }
}

/// The PT_LOAD segments.
fn segments(file: &File<'_>) -> Outcome<Vec<Segment>> {
    let (table, size, count) = (file.number(32, 8)?, file.number(54, 2)?, file.number(56, 2)?);
    let mut segments = Vec::new();
    for header in (0..count).map(|i| table + i * size) {
        if file.number(header, 4)? != 1 {
            continue;
        }
        let flags = file.number(header + 4, 4)?;
        let [offset, address, _, in_file, in_memory] =
            [8, 16, 24, 32, 40].map(|field| file.number(header + field, 8));
        let (in_file, in_memory) = (in_file?, in_memory?);
        if in_memory > 1 << 30 || in_memory < in_file {
            return Err(broken("a segment of no sensible size"));
        }
        let mut bytes = file.bytes(offset?, in_file)?.to_vec();
        bytes.resize(in_memory as usize, 0);
        segments.push(Segment {
            base: BASE + address?,
            bytes,
            writable: flags & 2 != 0,
            executable: flags & 1 != 0,
        });
    }
    Ok(segments)
}

fn sections(file: &File<'_>) -> Outcome<Vec<Section>> {
    let (table, size, count) = (file.number(40, 8)?, file.number(58, 2)?, file.number(60, 2)?);
    (0..count)
        .map(|i| table + i * size)
        .map(|header| {
            Ok(Section {
                kind: file.number(header + 4, 4)?,
                offset: file.number(header + 24, 8)?,
                size: file.number(header + 32, 8)?,
                link: file.number(header + 40, 4)?,
            })
        })
        .collect()
}

fn symbols(file: &File<'_>, sections: &[Section], table: &Section) -> Outcome<Vec<Symbol>> {
    let names = sections.get(table.link as usize).ok_or_else(|| broken("no names"))?.offset;
    (table.offset..table.offset + table.size)
        .step_by(24)
        .map(|at| {
            let info = file.number(at + 4, 1)?;
            Ok(Symbol {
                name: file.text(names + file.number(at, 4)?)?,
                value: file.number(at + 8, 8)?,
                size: file.number(at + 16, 8)?,
                function: matches!(info & 15, 2 | 10),
                object: info & 15 == 1,
                defined: file.number(at + 6, 2)? != 0,
                weak: info >> 4 == 2,
            })
        })
        .collect()
}
