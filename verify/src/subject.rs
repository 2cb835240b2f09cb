//! The library's calls, and the theorems about them: for a key, a direction, a geometry and a place, what a call leaves in
//! memory is what the standards say.

use crate::{
    aes::{Block, known, known_block},
    algebra::{self, Bit},
    elf::Library,
    fault::{Fault, Kind, Outcome},
    machine::{self, Machine, Processor},
    memory::STACK,
    residue::{self, Residue},
    standard::{self, Direction},
    words::Word,
};

/// Where things lie. Regions are far from each other, so that nothing between them is hit.
const XTS: u64 = 0x1000_0000_0000;
const KEY: u64 = 0x2000_0000_0011;
const NAME: u64 = 0x2100_0000_0000;
const OUT: u64 = 0x2200_0000_0000;
const SOURCE: u64 = 0x3000_0000_0000;
const DESTINATION: u64 = 0x4000_0000_0000;
const TWEAK: u64 = 0x5000_0000_0003;
const SOURCE_LIST: u64 = 0x6000_0000_0000;
const DESTINATION_LIST: u64 = 0x6100_0000_0000;
const NUMBERING: u64 = 0x6200_0000_0000;

/// Values of atrest.h.
mod status {
    pub const NULL: u64 = 1;
    pub const SECTOR_SIZE: u64 = 4;
    pub const DATA_LENGTH: u64 = 5;
    pub const UNIT_LENGTH: u64 = 6;
    pub const BUFFER_LENGTH: u64 = 7;
    pub const OVERLAP: u64 = 8;
    pub const NUMBER: u64 = 9;
    pub const MISMATCH: u64 = 14;
    pub const TWEAKS: u64 = 15;
    /// A flag of atrest_xts_init().
    pub const ALLOW_EQUAL_HALVES: u64 = 1;
}

/// A backend and its schedule, and a processor that takes them.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What the library is asked for: `BACKEND` or `BACKEND:SCHEDULE`.
    pub name: &'static str,
    /// The processor.
    pub processor: Processor,
}

/// Whether a call works in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// Source and destination are the same.
    Same,
    /// They lie apart.
    Apart,
}

/// What keys, tweaks and data are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// Unknown, for theorems.
    Unknown,
    /// Numbers, for a counterexample.
    Numbers(u64),
}

impl Inputs {
    /// The bits of an input.
    pub fn bits(self, kind: algebra::Kind, bytes: usize) -> Vec<Bit> {
        match self {
            Inputs::Unknown => {
                let mut bits = vec![Bit::ZERO; 8 * bytes];
                for (i, block) in (0..).zip(bits.chunks_mut(128)) {
                    algebra::base(kind, i, block);
                }
                bits
            }
            Inputs::Numbers(seed) => {
                let mut random = Random(seed ^ (kind as u64) << 56);
                known(&(0..bytes).map(|_| random.next() as u8).collect::<Vec<u8>>())
            }
        }
    }
}

/// Numbers that look random (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// The next one.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// How sector numbers become tweaks: `atrest_layout`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// 64 bits, little-endian.
    Plain64 = 0,
    /// 64 bits, big-endian, in the last eight bytes.
    Plain64Be = 1,
    /// 64 bits, little-endian, in units of 512 bytes.
    Plain64In512 = 2,
    /// 128 bits, little-endian.
    Number128 = 3,
    /// 128 bits, big-endian.
    Number128Be = 4,
    /// 32 bits, little-endian, and around.
    Plain = 5,
    /// 64 bits, little-endian, in the last eight bytes.
    Upper64 = 6,
    /// The same in units of 512 bytes.
    Upper64In512 = 7,
    /// 64 bits, little-endian, and 2^63 - 1 minus that in the last eight bytes.
    WithComplement = 8,
    /// 128 bits, little-endian, of which 32 count.
    Counter32 = 9,
}

impl Layout {
    /// By its value in C.
    pub fn of(value: u64) -> Option<Layout> {
        use Layout::*;
        let all = [
            Plain64,
            Plain64Be,
            Plain64In512,
            Number128,
            Number128Be,
            Plain,
            Upper64,
            Upper64In512,
            WithComplement,
            Counter32,
        ];
        all.into_iter().find(|layout| *layout as u64 == value)
    }

    /// What a sector adds to the number.
    pub fn step(self, size: usize) -> u64 {
        if self.is_in_512() { size as u64 / 512 } else { 1 }
    }

    /// Whether numbers have 128 bits, rather than 64 that carry into the upper ones.
    pub fn is_wide(self) -> bool {
        matches!(self, Layout::Number128 | Layout::Number128Be | Layout::Counter32)
    }

    /// Whether it counts in units of 512 bytes, and is for multiples of that alone.
    pub fn is_in_512(self) -> bool {
        matches!(self, Layout::Plain64In512 | Layout::Upper64In512)
    }

    /// The largest number of a sector, where the call refuses larger ones.
    pub fn most(self, first: u128) -> u128 {
        match self {
            Layout::Plain64
            | Layout::Plain64In512
            | Layout::Plain
            | Layout::Number128
            | Layout::Number128Be => u128::MAX,
            Layout::Plain64Be | Layout::Upper64 | Layout::Upper64In512 => u128::from(u64::MAX),
            Layout::WithComplement => (1 << 63) - 1,
            Layout::Counter32 => first | u128::from(u32::MAX),
        }
    }

    /// A number as a tweak.
    fn tweak(self, number: &Block) -> Block {
        match self {
            Layout::Plain64Be | Layout::Number128Be => {
                std::array::from_fn(|i| number[8 * (15 - i / 8) + i % 8])
            }
            Layout::Plain => std::array::from_fn(|i| if i < 32 { number[i] } else { Bit::ZERO }),
            Layout::Upper64 | Layout::Upper64In512 => {
                std::array::from_fn(|i| if i < 64 { Bit::ZERO } else { number[i - 64] })
            }
            // 2^63 - 1 minus a number of 63 bits is its complement.
            Layout::WithComplement => std::array::from_fn(|i| match i {
                0..64 => number[i],
                64..127 => !number[i - 64],
                _ => Bit::ZERO,
            }),
            _ => *number,
        }
    }
}

/// A first sector's number: all those with the same lowest bits, and with a carry that ends in the same place.
#[derive(Clone, Copy, Debug)]
pub enum First {
    /// One number.
    Number(u128),
    /// The lowest `low` bits are those of `value`; above them are `ones` ones and a zero, if a carry comes; the rest is
    /// anything.
    Any { value: u64, low: usize, ones: Option<usize> },
}

impl First {
    fn bits(self, inputs: Inputs, layout: Layout) -> Block {
        match self {
            First::Number(number) => known_block(number.to_le_bytes()),
            First::Any { value, low, ones } => {
                let width = if layout.is_wide() { 128 } else { 64 };
                let mut bits = [Bit::ZERO; 128];
                bits[..width].copy_from_slice(&inputs.bits(algebra::Kind::Number, 16)[..width]);
                for i in 0..low {
                    bits[i] = Bit::from(value >> i & 1 != 0);
                }
                if let Some(ones) = ones {
                    bits[low..low + ones].fill(Bit::ONE);
                    if low + ones < width {
                        bits[low + ones] = Bit::ZERO;
                    }
                }
                bits
            }
        }
    }
}

/// What is proved about: a backend, a key size, and a key of that size.
pub struct Subject<'a> {
    library: &'a Library,
    /// The machine, after the key's expansion.
    pub machine: Box<dyn Machine>,
    inputs: Inputs,
    /// Source data, as much as was needed so far; and what lies in the destination before.
    data: Vec<Bit>,
    before: Vec<Bit>,
    key1: Vec<Block>,
    key2: Vec<Block>,
    /// The size of the key object, in bytes.
    size: usize,
    /// The most stack that a call used, in bytes.
    pub stack_used: u64,
    /// What calls left behind, if that is looked for.
    pub residue: Option<Residue>,
    /// Whether the addresses of regions are known: where they lie, rather than anywhere.
    pub at_known_addresses: bool,
    /// Whether data is other data than usual, to see what depends on it.
    pub on_other_data: bool,
}

impl<'a> Subject<'a> {
    /// Expands a key: the theorem that atrest_xts_init() makes an object is part of every other one.
    pub fn new(
        library: &'a Library,
        target: &Target,
        key_bits: usize,
        inputs: Inputs,
    ) -> Outcome<Subject<'a>> {
        let mut machine = machine::new(library, target.processor)?;
        let size = machine.call(library.export("atrest_xts_size")?, &[], 1000)? as usize;
        if size == 0 || size > 1 << 16 {
            return Err(Fault::new(Kind::Status, format!("atrest_xts_size() is {size}")));
        }
        let key_len = key_bits / 4;
        let key = inputs.bits(algebra::Kind::Key, key_len);
        let mut object = vec![Bit::ZERO; 8 * size];
        machine.unknowns().fill(&mut object);
        let memory = machine.memory();
        memory.put("the key object", XTS, object, true);
        memory.put("the key", KEY, key.clone(), false);
        memory.put("the backend's name", NAME, known(format!("{}\0", target.name).as_bytes()), false);
        memory.put("out", OUT, vec![Bit::ZERO; 64], true);
        let [bytes, half] = [key_len, key_len / 2];
        let subject = Subject {
            library,
            machine,
            inputs,
            data: Vec::new(),
            before: Vec::new(),
            key1: standard::key_expansion(key[..8 * half].as_chunks().0),
            key2: standard::key_expansion(key[8 * half..].as_chunks().0),
            size,
            stack_used: 0,
            residue: None,
            at_known_addresses: false,
            on_other_data: false,
        };
        subject.initialised(bytes)
    }

    fn initialised(mut self, key_len: usize) -> Outcome<Subject<'a>> {
        // Without the flag, the call compares the halves and says so, which does depend on the key.
        let flags = status::ALLOW_EQUAL_HALVES;
        let arguments = [XTS, self.size as u64, KEY, key_len as u64, NAME, flags, OUT].map(Word::Known);
        self.call("atrest_xts_init", &arguments, 0, 0)?;
        let out = self.machine.memory().load_word(OUT, 8)?;
        if out.address() != Some(XTS) {
            return Err(Fault::new(Kind::Wrong, "atrest_xts_init() sets another pointer"));
        }
        let memory = self.machine.memory();
        memory.keep(&[STACK, "the key object"]);
        // Nothing writes to it any more.
        if let Some(mut object) = memory.take("the key object") {
            object.writable = false;
            memory.put(&object.name, object.base, object.bits, false);
        }
        Ok(self)
    }

    /// Calls a function that works on `len` bytes, and wants a status. Addresses among the arguments are known numbers, or
    /// pointers into their regions.
    fn call(&mut self, name: &str, arguments: &[Word], len: usize, want: u64) -> Outcome<()> {
        let function = self.library.export(name)?;
        let arguments: Vec<Word> = arguments.iter().map(|argument| self.placed(argument)).collect();
        let arguments = &arguments;
        // A hundred times what the slowest backend takes.
        let most_steps = 1_000_000 + 1000 * len as u64;
        let status = self.machine.call(function, arguments, most_steps)?;
        let memory = self.machine.memory();
        if let Some(stack) = memory.region(STACK) {
            let end = stack.base + stack.len() as u64;
            self.stack_used = self.stack_used.max(end - memory.stack_lowest);
        }
        if status != want {
            return Err(Fault::new(Kind::Status, format!("{name}() returns {status}, not {want}")));
        }
        Ok(())
    }

    /// An address, if it is one, where it may lie anywhere.
    fn placed(&mut self, argument: &Word) -> Word {
        match argument {
            // Everything lies above this, and no length or number does, but for those that are meant to be refused.
            Word::Known(at) if !self.at_known_addresses && *at >= XTS && *at < 1 << 47 => {
                self.machine.memory().pointer(*at)
            }
            _ => argument.clone(),
        }
    }

    /// Source data of that length.
    fn data(&mut self, len: usize) -> Vec<Bit> {
        if self.data.len() < 8 * len {
            self.data = self.inputs.bits(algebra::Kind::Data, len);
            self.before = vec![Bit::ZERO; 8 * len];
            self.machine.unknowns().fill(&mut self.before);
        }
        if self.on_other_data {
            return self.inputs.bits(algebra::Kind::OtherData, len);
        }
        self.data[..8 * len].to_vec()
    }

    /// Puts source and destination in place; gives their addresses.
    fn buffers(&mut self, data: &[Bit], place: Place, skew: u64) -> (u64, u64) {
        let (mut source, mut destination) = (SOURCE, DESTINATION);
        if skew & 8 != 0 {
            // The other one comes first in memory.
            (source, destination) = (destination, source);
        }
        let (source, destination) = (source + skew % 64, destination + skew * 3 % 64);
        self.machine.place_stack(!self.at_known_addresses, skew / 2);
        let before = match place {
            Place::Same => data.to_vec(),
            Place::Apart => self.before[..data.len()].to_vec(),
        };
        let memory = self.machine.memory();
        memory.keep(&[STACK, "the key object"]);
        memory.put("the destination", destination, before, true);
        if place == Place::Same {
            return (destination, destination);
        }
        memory.put("the source", source, data.to_vec(), false);
        (source, destination)
    }

    /// A data unit of `len` bytes under any tweak.
    pub fn unit(&mut self, len: usize, direction: Direction, place: Place, skew: u64) -> Outcome<()> {
        let data = self.data(len);
        let tweak: Block = self.inputs.bits(algebra::Kind::Tweak, 16).try_into().expect("16 bytes");
        let (source, destination) = self.buffers(&data, place, skew);
        self.machine.memory().put("the tweak", TWEAK, tweak.to_vec(), false);
        let arguments = [XTS, TWEAK, source, destination, len as u64].map(Word::Known);
        self.call(&function("unit", direction), &arguments, len, 0)?;
        let want = standard::unit(&self.key1, &self.key2, &tweak, &data, direction);
        self.compare(&["the destination".into()], &want, len)?;
        self.look_behind(&data, &want, direction, &[tweak], len)
    }

    /// `count` sectors of `size` bytes.
    pub fn sectors(
        &mut self,
        (size, count): (usize, usize),
        first: First,
        layout: Option<Layout>,
        direction: Direction,
        place: Place,
        skew: u64,
    ) -> Outcome<()> {
        let len = size * count;
        let data = self.data(len);
        let (source, destination) = self.buffers(&data, place, skew);
        let number = first.bits(self.inputs, layout.unwrap_or(Layout::Plain64));
        let buffers = [size as u64, source, destination, len as u64].map(Word::Known);
        let (name, first) = match layout {
            None => ("sectors", Word::from_bits(&number[..64])),
            Some(layout) => ("sectors_tweaks", self.tweaks(&number, layout)),
        };
        let [a, b, c, d] = buffers;
        self.call(&function(name, direction), &[Word::Known(XTS), first, a, b, c, d], len, 0)?;
        let (want, tweaks) =
            self.expected(&data, size, &number, layout.unwrap_or(Layout::Plain64), direction)?;
        self.compare(&["the destination".into()], &want, size)?;
        self.look_behind(&data, &want, direction, &tweaks, size)
    }

    /// Puts a `struct atrest_tweaks` in place.
    fn tweaks(&mut self, number: &Block, layout: Layout) -> Word {
        let mut bits = number.to_vec();
        bits.extend(known(&(layout as u64).to_le_bytes()));
        self.machine.memory().put("the tweaks", NUMBERING, bits, false);
        Word::Known(NUMBERING)
    }

    /// What sectors are to become, and their tweaks.
    fn expected(
        &self,
        data: &[Bit],
        size: usize,
        first: &Block,
        layout: Layout,
        direction: Direction,
    ) -> Outcome<(Vec<Bit>, Vec<Block>)> {
        let (mut want, mut tweaks) = (Vec::with_capacity(data.len()), Vec::new());
        for (i, sector) in (0u128..).zip(data.chunks(8 * size)) {
            let (added, mut number) =
                (known_block((i * u128::from(layout.step(size))).to_le_bytes()), [Bit::ZERO; 128]);
            let _ = algebra::add(first, &added, Bit::ZERO, &mut number)?;
            let tweak = layout.tweak(&number);
            want.extend(standard::unit(&self.key1, &self.key2, &tweak, sector, direction));
            tweaks.push(tweak);
        }
        Ok((want, tweaks))
    }

    /// Sectors in pieces of memory: those of the source, and of the destination, have these lengths, over and over.
    #[allow(clippy::too_many_arguments)]
    pub fn pieces(
        &mut self,
        (size, count): (usize, usize),
        first: First,
        layout: Layout,
        cuts: (&[usize], &[usize]),
        direction: Direction,
        place: Place,
    ) -> Outcome<()> {
        let len = size * count;
        let data = self.data(len);
        self.machine.place_stack(!self.at_known_addresses, count as u64);
        self.machine.memory().keep(&[STACK, "the key object"]);
        let destinations =
            self.list("destination", DESTINATION, DESTINATION_LIST, cuts.1, &data, place == Place::Same);
        let destination = [DESTINATION_LIST, destinations.len() as u64].map(Word::Known);
        let source = match place {
            Place::Same => destination.clone(),
            Place::Apart => {
                let sources = self.list("source", SOURCE, SOURCE_LIST, cuts.0, &data, true);
                [SOURCE_LIST, sources.len() as u64].map(Word::Known)
            }
        };
        let number = first.bits(self.inputs, layout);
        // The call without a layout, where it has one; but not in place, so that the other one has each layout, too.
        let (name, tweaks) = match (layout, place) {
            (Layout::Plain64, Place::Apart) => ("iov", Word::from_bits(&number[..64])),
            _ => ("iov_tweaks", self.tweaks(&number, layout)),
        };
        let mut arguments = vec![Word::Known(XTS), tweaks, Word::Known(size as u64)];
        arguments.extend(source.into_iter().chain(destination));
        self.call(&function(name, direction), &arguments, len, 0)?;
        let (want, tweaks) = self.expected(&data, size, &number, layout, direction)?;
        self.compare(&destinations, &want, size)?;
        self.look_behind(&data, &want, direction, &tweaks, size)
    }

    /// Puts pieces in place, and the list of them; gives their names.
    fn list(
        &mut self,
        name: &str,
        base: u64,
        list: u64,
        cuts: &[usize],
        data: &[Bit],
        is_source: bool,
    ) -> Vec<String> {
        let (mut names, mut entries, mut at, mut done) = (Vec::new(), Vec::new(), base, 0);
        for &cut in cuts.iter().cycle() {
            let len = cut.min(data.len() / 8 - done);
            let from = if is_source { data } else { &self.before };
            let bits = from[8 * done..8 * (done + len)].to_vec();
            let piece = format!("piece {} of the {name}", names.len());
            self.machine.memory().put(&piece, at, bits, name == "destination");
            for word in [Word::Known(at), Word::Known(len as u64)] {
                entries.extend(self.placed(&word).bits());
            }
            names.push(piece);
            // Something that is not to be touched behind each, and any alignment.
            at += ((len as u64 + 4096) & !63) + names.len() as u64 * 5 % 64 - (at % 64);
            done += len;
            if done == data.len() / 8 {
                break;
            }
        }
        self.machine.memory().put(&format!("the list of the {name}"), list, entries, false);
        names
    }

    /// Compares what regions hold, one after the other, with what is wanted.
    fn compare(&mut self, regions: &[String], want: &[Bit], size: usize) -> Outcome<()> {
        let mut at = 0;
        for name in regions {
            let region = self.machine.memory().region(name);
            let region = region.ok_or_else(|| Fault::new(Kind::Wrong, format!("{name} is gone")))?;
            let want = &want[8 * at..8 * (at + region.len())];
            if let Some(bit) = (0..want.len()).find(|&i| region.bits[i] != want[i]) {
                let different = region.bits.chunks(8).zip(want.chunks(8)).filter(|(a, b)| a != b).count();
                let byte = at + bit / 8;
                let writer = region.writers[bit / 8].checked_sub(1);
                let text = format!(
                    "byte {byte} (byte {} of block {} of sector or unit {}, in {name}) is not what the standard says, \
                     and {} others{}",
                    byte % size % 16,
                    byte % size / 16,
                    byte / size,
                    different - 1,
                    if writer.is_some() { "" } else { "; nothing wrote it" },
                );
                return Err(Fault { at: writer.map(u64::from), ..Fault::new(Kind::Wrong, text) });
            }
            at += region.len();
        }
        Ok(())
    }

    /// Looks for secrets in registers and on the stack.
    fn look_behind(
        &mut self,
        data: &[Bit],
        want: &[Bit],
        direction: Direction,
        tweaks: &[Block],
        size: usize,
    ) -> Outcome<()> {
        let Some(residue) = &mut self.residue else { return Ok(()) };
        if self.on_other_data {
            residue.keep(&mut *self.machine);
            return Ok(());
        }
        let (plain, cipher) = match direction {
            Direction::Encrypt => (data, want),
            Direction::Decrypt => (want, data),
        };
        let secrets = residue::Secrets::new(plain, cipher, [&self.key1, &self.key2], tweaks, size);
        residue.look(&secrets, &mut *self.machine)
    }

    /// Calls that break a rule: each returns its status, and leaves the destination as it is.
    pub fn refusals(&mut self, direction: Direction) -> Outcome<()> {
        // Whether a buffer wraps around the address space depends on where it lies.
        let before = std::mem::replace(&mut self.at_known_addresses, true);
        let result = self.all_refusals(direction);
        self.at_known_addresses = before;
        result
    }

    fn all_refusals(&mut self, direction: Direction) -> Outcome<()> {
        use status::*;
        let data = self.data(1024);
        let (s, d) = self.buffers(&data, Place::Apart, 0);
        self.machine.memory().put("the tweak", TWEAK, vec![Bit::ZERO; 128], false);
        let most = u64::MAX;
        for (tweak, from, to, len, status) in [
            (0, s, d, 32, NULL),
            (TWEAK, 0, d, 32, NULL),
            (TWEAK, s, 0, 32, NULL),
            (TWEAK, s, d, 15, UNIT_LENGTH),
            (TWEAK, s, d, 0, UNIT_LENGTH),
            (TWEAK, s, d, (1 << 24) + 1, UNIT_LENGTH),
            (TWEAK, s, d, 1 << 63, BUFFER_LENGTH),
            (TWEAK, most - 15, d, 32, BUFFER_LENGTH),
            (TWEAK, d, d + 1, 32, OVERLAP),
            (TWEAK, d + 31, d, 32, OVERLAP),
        ] {
            self.refused("unit", direction, &[XTS, tweak, from, to, len], status)?;
        }
        self.refused("unit", direction, &[0, TWEAK, s, d, 32], NULL)?;
        for (size, from, to, len, status) in [
            (512, 0, d, 512, NULL),
            (512, s, 0, 512, NULL),
            (15, s, d, 15, SECTOR_SIZE),
            ((1 << 24) + 1, s, d, (1 << 24) + 1, SECTOR_SIZE),
            (512, s, d, 513, DATA_LENGTH),
            (512, d, d + 511, 512, OVERLAP),
            (512, 0, 0, 0, 0),
        ] {
            self.refused("sectors", direction, &[XTS, 7, size, from, to, len], status)?;
        }
        for (first, upper, layout, reserved, size, status) in [
            (0, 0, 10, 0, 512, TWEAKS),
            (0, 1, 0, 0, 512, TWEAKS),
            (0, 1, 1, 0, 512, TWEAKS),
            (0, 1, 2, 0, 512, TWEAKS),
            (0, 0, 0, 1, 512, TWEAKS),
            (most, 0, 1, 0, 512, NUMBER),
            (most, most, 3, 0, 512, NUMBER),
            (most, most, 4, 0, 512, NUMBER),
            (0, 0, 2, 0, 520, SECTOR_SIZE),
        ] {
            let words = [first, upper, layout | reserved << 32];
            let bytes: Vec<u8> = words.into_iter().flat_map(u64::to_le_bytes).collect();
            self.machine.memory().put("the tweaks", NUMBERING, known(&bytes), false);
            let len = if size == 512 { 1024 } else { 520 };
            self.refused("sectors_tweaks", direction, &[XTS, NUMBERING, size, s, d, len], status)?;
            self.pieces_refused(direction, size, &[(s, len)], &[(d, len)], status)?;
        }
        self.refused("sectors_tweaks", direction, &[XTS, 0, 512, s, d, 512], NULL)?;
        self.machine.memory().put("the tweaks", NUMBERING, known(&[0; 24]), false);
        let halves = [(d, 512), (d + 512, 512)];
        for (from, to, status) in [
            (&[(s, 512)][..], &[(d, 1024)][..], MISMATCH),
            (&[(s, 1000)], &[(d, 1000)], DATA_LENGTH),
            (&[(s, 1024)], &[(d, 512), (d + 511, 512)], OVERLAP),
            (&[(s, 1024)], &[(d + 511, 513), (d, 511), (d + 510, 0)], 0),
            (&[(s, 1024)], &[(d + 511, 513), (d, 512), (0, 0)], OVERLAP),
            (&[(d + 512, 512), (d, 512)], &[(d, 512), (d + 512, 512)], OVERLAP),
            (&[(d + 1, 1023), (s, 1)], &halves, OVERLAP),
            (&[(d + 512, 512), (0, 0), (s, 512)], &halves, OVERLAP),
            (&[(s, 1024)], &[(0, 512), (d, 512)], NULL),
            (&[(s, 1024)], &[(d, 1 << 63), (d, 512)], BUFFER_LENGTH),
            (&[(most, 1024)], &[(d, 1024)], BUFFER_LENGTH),
            (&[], &[], 0),
        ] {
            self.pieces_refused(direction, 512, from, to, status)?;
        }
        Ok(())
    }

    fn pieces_refused(
        &mut self,
        direction: Direction,
        size: u64,
        from: &[(u64, u64)],
        to: &[(u64, u64)],
        status: u64,
    ) -> Outcome<()> {
        for (list, pieces) in [(SOURCE_LIST, from), (DESTINATION_LIST, to)] {
            let words = pieces.iter().flat_map(|&(at, len)| [at, len]).flat_map(u64::to_le_bytes);
            self.machine.memory().put(
                &format!("a list {list}"),
                list,
                known(&words.collect::<Vec<u8>>()),
                false,
            );
        }
        let lists = [SOURCE_LIST, from.len() as u64, DESTINATION_LIST, to.len() as u64];
        let mut arguments = vec![XTS, NUMBERING, size];
        arguments.extend(lists);
        self.refused("iov_tweaks", direction, &arguments, status)
    }

    fn refused(&mut self, call: &str, direction: Direction, arguments: &[u64], status: u64) -> Outcome<()> {
        let before = self.machine.memory().region("the destination").map(|region| region.bits.clone());
        let words: Vec<Word> = arguments.iter().map(|&x| Word::Known(x)).collect();
        let about =
            |fault: Fault| Fault { text: format!("{} (arguments {arguments:x?})", fault.text), ..fault };
        self.call(&function(call, direction), &words, 1 << 16, status).map_err(about)?;
        let after = self.machine.memory().region("the destination").map(|region| region.bits.clone());
        if status != 0 && before != after {
            return Err(about(Fault::new(Kind::Wrong, "writes to the destination all the same")));
        }
        Ok(())
    }
}

fn function(what: &str, direction: Direction) -> String {
    match direction {
        Direction::Encrypt => format!("atrest_xts_encrypt_{what}"),
        Direction::Decrypt => format!("atrest_xts_decrypt_{what}"),
    }
}
