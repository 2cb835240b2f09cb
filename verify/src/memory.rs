//! Memory: the library's own segments, whose bytes are known, and regions whose bits need not be. Every access is checked
//! against them; between them there is nothing.

use crate::{
    algebra::Bit,
    contents::Contents,
    elf::{BASE, Library, Segment},
    fault::{Fault, Kind, Outcome},
    machine::{Held, Part},
    pointers::{Length, Pointer, Value},
    words::{Lane, Word},
};

/// A piece of memory that a call may use.
#[derive(Debug)]
pub struct Region {
    /// Its name.
    pub name: String,
    /// Its first address.
    pub base: u64,
    /// What it holds.
    pub contents: Contents,
    /// How many bytes it is longer for each n (`pointers.rs`).
    pub grows: u64,
    /// Whether it may be written. All may be read.
    pub writable: bool,
    /// For each byte the instruction that last wrote it: its address in the library plus 1, or 0.
    pub writers: Vec<u32>,
}

impl Region {
    /// Leaves its first bytes.
    pub fn truncate(&mut self, len: usize) {
        self.contents.truncate(len);
        self.writers.truncate(len);
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.contents.len()
    }
}

/// All of memory.
#[derive(Debug)]
pub struct Memory {
    segments: Vec<Segment>,
    regions: Vec<Region>,
    /// The region that was used last, which is likely to be used again.
    recent: usize,
    /// The lowest address of the stack that may be used now: the stack pointer, less the platform's red zone.
    pub stack_floor: u64,
    /// The lowest address of the stack that was used.
    pub stack_lowest: u64,
    /// How often the library's own memory was written to.
    pub static_writes: u64,
    /// The instruction at work, for `writers`.
    pub now: u32,
}

/// The name of the stack's region.
pub const STACK: &str = "stack";

/// Where an access goes.
enum Target {
    Region(usize, usize),
    Segment(usize, usize),
}

impl Memory {
    /// A library, and no regions.
    pub fn new(library: &Library) -> Memory {
        Memory {
            segments: library.segments.clone(),
            regions: Vec::new(),
            recent: 0,
            stack_floor: 0,
            stack_lowest: u64::MAX,
            static_writes: 0,
            now: 0,
        }
    }

    /// Adds a region, in place of one of the same name.
    pub fn put(&mut self, name: &str, base: u64, contents: impl Into<Contents>, writable: bool) {
        self.regions.retain(|region| region.name != name);
        let contents = contents.into();
        let writers = vec![0; if writable { contents.len() } else { 0 }];
        self.regions.push(Region { name: name.into(), base, contents, grows: 0, writable, writers });
    }

    /// Removes all regions but these.
    pub fn keep(&mut self, names: &[&str]) {
        self.regions.retain(|region| names.contains(&&*region.name));
    }

    /// Takes a region out.
    pub fn take(&mut self, name: &str) -> Option<Region> {
        let i = self.regions.iter().position(|region| region.name == name)?;
        Some(self.regions.swap_remove(i))
    }

    /// A region.
    pub fn region(&mut self, name: &str) -> Option<&mut Region> {
        self.regions.iter_mut().find(|region| region.name == name)
    }

    /// Makes what the stack holds unknown again.
    pub fn forget_stack(&mut self) {
        let lowest = std::mem::replace(&mut self.stack_lowest, u64::MAX);
        if let Some(stack) = self.region(STACK) {
            stack.contents.reset();
            let unused = (lowest.saturating_sub(stack.base) as usize).min(stack.len());
            stack.writers[unused..].fill(0);
        }
    }

    /// The parts of the stack that were written to, and what they hold. Pointers are seen where they are aligned.
    pub fn stack(&self) -> Vec<(Part, Held)> {
        let mut parts = Vec::new();
        let Some(stack) = self.regions.iter().find(|region| region.name == STACK) else { return parts };
        for (at, lane) in stack.contents.all_written() {
            let bits = lane.bits();
            for (at, word) in (stack.base + at as u64..).step_by(8).zip(bits.chunks(64)) {
                let pointer = Pointer::from_bits(word);
                parts.extend((at..).zip(word.chunks(8)).map(|(at, byte)| {
                    let held = match pointer {
                        Some(pointer) => Held::Value(Value::Pointer(pointer)),
                        None => Held::Bits(byte.into()),
                    };
                    (Part::Stack(at), held)
                }));
            }
        }
        parts
    }

    /// Sets bytes of the stack.
    pub fn set_stack(&mut self, at: u64, bits: &[Bit]) {
        if let Some(stack) = self.region(STACK) {
            stack.contents.write((at - stack.base) as usize, bits);
        }
    }

    /// The length of the region that starts there.
    pub fn length_of(&self, base: u64) -> Option<Length> {
        let region = self.regions.iter().find(|region| region.base == base)?;
        Some(Length { least: region.len() as u64, scale: region.grows })
    }

    /// Has a region be longer by so many bytes for each n. What is behind its least length is out of bounds all the same.
    pub fn grow(&mut self, name: &str, bytes: u64) {
        if let Some(region) = self.region(name) {
            region.grows = bytes;
        }
    }

    /// An address as a pointer into its region, which may lie anywhere.
    pub fn pointer(&self, at: u64) -> Word {
        let found = self.regions.iter().find(|region| at.wrapping_sub(region.base) <= region.len() as u64);
        found.map_or(Word::Known(at), |region| Word::Pointer(Pointer::new(at, region.base)))
    }

    /// The code from an address on.
    pub fn code(&self, at: u64) -> Option<&[u8]> {
        self.segments
            .iter()
            .filter(|segment| segment.executable)
            .find_map(|segment| segment.bytes.get(usize::try_from(at.checked_sub(segment.base)?).ok()?..))
    }

    fn target(&mut self, at: u64, len: usize, write: bool) -> Outcome<Target> {
        let found = |region: &Region| (at.wrapping_sub(region.base) as usize) < region.len();
        let which = match self.regions.get(self.recent) {
            Some(region) if found(region) => Some(self.recent),
            _ => self.regions.iter().position(found),
        };
        if let Some(which) = which {
            self.recent = which;
            let region = &self.regions[which];
            let offset = (at - region.base) as usize;
            let fault = |what: &str| {
                let (name, all) = (&region.name, region.len());
                Err(Fault::new(
                    Kind::Bounds,
                    format!("{what} {len} bytes at {offset} of {name} ({all} bytes)"),
                ))
            };
            if offset + len > region.len() {
                return fault(if write { "writes across the end:" } else { "reads across the end:" });
            }
            if write && !region.writable {
                return fault("writes what is to be read only:");
            }
            if region.name == STACK {
                if at < self.stack_floor {
                    return fault("uses the stack below its pointer and red zone:");
                }
                self.stack_lowest = self.stack_lowest.min(at);
            }
            return Ok(Target::Region(which, offset));
        }
        for (i, segment) in self.segments.iter().enumerate() {
            let offset = at.wrapping_sub(segment.base) as usize;
            if offset < segment.bytes.len() && len <= segment.bytes.len() - offset {
                if write && !segment.writable {
                    return Err(Fault::new(
                        Kind::Bounds,
                        format!("writes over constants at {:#x}", at - BASE),
                    ));
                }
                return Ok(Target::Segment(i, offset));
            }
        }
        let what = if write { "writes" } else { "reads" };
        let near = self.near(at);
        Err(Fault::new(Kind::Bounds, format!("{what} {len} bytes at {at:#x}, {near}")))
    }

    /// An address in words.
    fn near(&self, at: u64) -> String {
        let nearest = self
            .regions
            .iter()
            .map(|region| {
                let end = region.base + region.len() as u64;
                if at < region.base {
                    (region.base - at, format!("{} bytes before {}", region.base - at, region.name))
                } else {
                    (at - end, format!("{} bytes behind {}", at - end, region.name))
                }
            })
            .min();
        nearest.map_or_else(|| "where nothing is".into(), |(_, text)| text)
    }

    /// Reads whole bytes.
    pub fn load(&mut self, at: u64, out: &mut [Bit]) -> Outcome<()> {
        let len = out.len() / 8;
        match self.target(at, len, false)? {
            Target::Region(which, offset) => {
                self.regions[which].contents.read(offset, out);
            }
            Target::Segment(which, offset) => {
                for (i, byte) in self.segments[which].bytes[offset..offset + len].iter().enumerate() {
                    for k in 0..8 {
                        out[8 * i + k] = Bit::from(byte >> k & 1 != 0);
                    }
                }
            }
        }
        Ok(())
    }

    /// Writes whole bytes.
    pub fn store(&mut self, at: u64, bits: &[Bit]) -> Outcome<()> {
        let len = bits.len() / 8;
        match self.target(at, len, true)? {
            Target::Region(which, offset) => {
                let region = &mut self.regions[which];
                region.contents.write(offset, bits);
                region.writers[offset..offset + len].fill(self.now + 1);
            }
            Target::Segment(which, offset) => {
                self.static_writes += 1;
                for (i, byte) in bits.chunks(8).enumerate() {
                    let value = Word::from_bits(byte).known();
                    let value = value.ok_or_else(|| Fault::secret("what is written to a static variable"))?;
                    self.segments[which].bytes[offset + i] = value as u8;
                }
            }
        }
        Ok(())
    }

    /// Reads a lane.
    pub fn load_lane(&mut self, at: u64) -> Outcome<Lane> {
        match self.target(at, 16, false)? {
            Target::Region(which, offset) => Ok(self.regions[which].contents.read_lane(offset)),
            Target::Segment(which, offset) => {
                let bytes = self.segments[which].bytes[offset..].first_chunk();
                Ok(Lane::Known(u128::from_le_bytes(*bytes.expect("the target has so many"))))
            }
        }
    }

    /// Writes a lane.
    pub fn store_lane(&mut self, at: u64, lane: &Lane) -> Outcome<()> {
        match self.target(at, 16, true)? {
            Target::Region(which, offset) => {
                let region = &mut self.regions[which];
                region.contents.write_lane(offset, lane);
                region.writers[offset..offset + 16].fill(self.now + 1);
                Ok(())
            }
            Target::Segment(..) => self.store(at, &lane.bits()),
        }
    }

    /// Reads up to eight bytes; zeros above them.
    pub fn load_word(&mut self, at: u64, bytes: usize) -> Outcome<Word> {
        if let Target::Segment(which, offset) = self.target(at, bytes, false)? {
            let mut value = [0; 8];
            value[..bytes].copy_from_slice(&self.segments[which].bytes[offset..offset + bytes]);
            return Ok(Word::Known(u64::from_le_bytes(value)));
        }
        let mut bits = [Bit::ZERO; 64];
        self.load(at, &mut bits[..8 * bytes])?;
        Ok(Word::from_bits(&bits[..8 * bytes]))
    }

    /// Writes a word's lowest bytes.
    pub fn store_word(&mut self, at: u64, word: &Word, bytes: usize) -> Outcome<()> {
        self.store(at, &word.bits()[..8 * bytes])
    }
}
