//! The library's calls, and the theorems about them: for a key, a direction, a geometry and a place, what a call leaves in
//! memory is what the standards say.

use crate::{
    aes::{Block, known},
    algebra::{self, Bit},
    contents::Contents,
    elf::Library,
    fault::{Fault, Kind, Outcome},
    inputs::Inputs,
    laps::Experience,
    machine::{self, Machine, Processor},
    memory::STACK,
    numbers::{Numbers, Sequence},
    pointers,
    remembered::Remembered,
    residue::{self, Residue},
    standard::{self, Direction},
    words::Word,
};

/// Where things lie. Regions are far from each other, so that nothing between them is hit.
/// The key object's region.
pub const OBJECT: &str = "the key object";
pub const XTS: u64 = 0x1000_0000_0000;
const KEY: u64 = 0x2000_0000_0011;
const NAME: u64 = 0x2100_0000_0000;
const OUT: u64 = 0x2200_0000_0000;
pub const SOURCE: u64 = 0x3000_0000_0000;
pub const DESTINATION: u64 = 0x4000_0000_0000;
pub const TWEAK: u64 = 0x5000_0000_0003;
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
    pub const FLAGS: u64 = 17;
    pub const TWEAK_COUNT: u64 = 19;
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
    /// Bytes after which the loops over whole tiles are as before: a lap, or several (`laps.rs`).
    pub period: usize,
}

/// Whether a call works in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// Source and destination are the same.
    Same,
    /// They lie apart.
    Apart,
}

/// What the standard made of blocks and tweaks before, with a subject's keys.
#[derive(Default)]
struct Specified {
    tweaks: Remembered,
    encrypted: Remembered,
    decrypted: Remembered,
}

/// What is proved about: a backend, a key size, and a key of that size.
pub struct Subject<'a> {
    /// The library.
    pub library: &'a Library,
    /// The machine, after the key's expansion.
    pub machine: Box<dyn Machine>,
    /// What keys, tweaks and data are.
    pub inputs: Inputs,
    /// The round keys, by the standard.
    pub key1: Vec<Block>,
    pub key2: Vec<Block>,
    /// What blocks and tweaks are to become, as far as that was computed.
    specified: Specified,
    /// The size of the key object, in bytes.
    size: usize,
    /// How proofs of all lengths went.
    pub experience: Experience,
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
        memory.put(OBJECT, XTS, object, true);
        memory.put("the key", KEY, key.clone(), false);
        memory.put("the backend's name", NAME, known(format!("{}\0", target.name).as_bytes()), false);
        memory.put("out", OUT, vec![Bit::ZERO; 64], true);
        let [bytes, half] = [key_len, key_len / 2];
        let subject = Subject {
            library,
            machine,
            inputs,
            key1: standard::key_expansion(key[..8 * half].as_chunks().0),
            key2: standard::key_expansion(key[8 * half..].as_chunks().0),
            specified: Specified::default(),
            size,
            experience: Experience::default(),
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
        memory.keep(&[STACK, OBJECT]);
        // Nothing writes to it any more.
        if let Some(mut object) = memory.take(OBJECT) {
            object.writable = false;
            memory.put(&object.name, object.base, object.contents, false);
        }
        Ok(self)
    }

    /// Calls a function that works on `len` bytes, and wants a status. Addresses among the arguments are known numbers, or
    /// pointers into their regions.
    fn call(&mut self, name: &str, arguments: &[Word], len: usize, want: u64) -> Outcome<()> {
        let function = self.library.export(name)?;
        let arguments: Vec<Word> = arguments.iter().map(|argument| self.placed(argument)).collect();
        let arguments = &arguments;
        self.expect(len);
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

    /// Calls on so many bytes are to come.
    pub fn expect(&mut self, bytes: usize) {
        self.machine.expect(bytes);
        let Specified { tweaks, encrypted, decrypted } = &mut self.specified;
        // What is longer is seldom called twice.
        let blocks = if bytes < 1 << 20 { bytes / 16 } else { 0 };
        for known in [tweaks, encrypted, decrypted] {
            known.expect(2 * blocks);
        }
    }

    /// An address, if it is one, where it may lie anywhere.
    pub fn placed(&mut self, argument: &Word) -> Word {
        match argument {
            // Everything lies above this, and no length or number does, but for those that are meant to be refused.
            Word::Known(at) if !self.at_known_addresses && *at >= XTS && *at < 1 << 47 => {
                self.machine.memory().pointer(*at)
            }
            _ => argument.clone(),
        }
    }

    /// Source data from byte `from` on.
    pub fn data(&self, from: usize, len: usize) -> Contents {
        let kind = if self.on_other_data { algebra::Kind::OtherData } else { algebra::Kind::Data };
        Contents::input(self.inputs, kind, from, len)
    }

    /// What lies in the destination before, from byte `from` on.
    pub fn before(&self, from: usize, len: usize, place: Place) -> Contents {
        match place {
            Place::Same => self.data(from, len),
            Place::Apart => Contents::input(Inputs::Unknown, algebra::Kind::Before, from, len),
        }
    }

    /// Puts source and destination in place; gives their addresses.
    fn buffers(&mut self, len: usize, place: Place, skew: u64) -> (u64, u64) {
        let (mut source, mut destination) = (SOURCE, DESTINATION);
        if skew & 8 != 0 {
            // The other one comes first in memory.
            (source, destination) = (destination, source);
        }
        let (source, destination) = (source + skew % 64, destination + skew * 3 % 64);
        self.start(skew / 2);
        let (data, before) = (self.data(0, len), self.before(0, len, place));
        let memory = self.machine.memory();
        memory.put("the destination", destination, before, true);
        if place == Place::Same {
            return (destination, destination);
        }
        memory.put("the source", source, data, false);
        (source, destination)
    }

    /// Nothing but the key object is left of the call before.
    pub fn start(&mut self, skew: u64) {
        pointers::forget();
        self.machine.place_stack(!self.at_known_addresses, skew);
        self.machine.memory().keep(&[STACK, OBJECT]);
    }

    /// A data unit of `len` bytes under any tweak.
    pub fn unit(&mut self, len: usize, direction: Direction, place: Place, skew: u64) -> Outcome<()> {
        let tweak: Block = self.inputs.bits(algebra::Kind::Tweak, 16).try_into().expect("16 bytes");
        let (source, destination) = self.buffers(len, place, skew);
        self.machine.memory().put("the tweak", TWEAK, tweak.to_vec(), false);
        let arguments = [XTS, TWEAK, source, destination, len as u64].map(Word::Known);
        self.call(&function("unit", direction), &arguments, len, 0)?;
        self.check(&["the destination".into()], (len, 1), |_, _| Ok(tweak), direction)
    }

    /// `count` sectors of `size` bytes.
    pub fn sectors(
        &mut self,
        (size, count): (usize, usize),
        numbers: &Numbers,
        direction: Direction,
        place: Place,
        skew: u64,
    ) -> Outcome<()> {
        let len = size * count;
        let (source, destination) = self.buffers(len, place, skew);
        let (call, tweaks) = self.tweaks("sectors", numbers, count);
        let mut arguments = vec![Word::Known(XTS)];
        arguments.extend(tweaks);
        arguments.extend([size as u64, source, destination, len as u64].map(Word::Known));
        self.call(&function(&call, direction), &arguments, len, 0)?;
        let tweak = |subject: &Self, i| numbers.tweak(subject.inputs, i, size);
        self.check(&["the destination".into()], (size, count), tweak, direction)
    }

    /// The call for numbers of a kind, and how they are passed to it; puts in place what that points to.
    fn tweaks(&mut self, call: &str, numbers: &Numbers, count: usize) -> (String, Vec<Word>) {
        let bits = numbers.in_memory(self.inputs, count);
        let words = match numbers {
            Numbers::Plain(_) => return (call.into(), vec![Word::from_bits(&bits)]),
            Numbers::Layout(..) | Numbers::Sequence(_) => vec![Word::Known(NUMBERING)],
            Numbers::List => vec![Word::Known(NUMBERING), Word::Known(count as u64)],
        };
        self.machine.memory().put("the tweaks", NUMBERING, bits, false);
        (format!("{call}{}", numbers.suffix()), words)
    }

    /// Sectors in pieces of memory: those of the source, and of the destination, have these lengths, over and over.
    pub fn pieces(
        &mut self,
        (size, count): (usize, usize),
        numbers: &Numbers,
        cuts: (&[usize], &[usize]),
        direction: Direction,
        place: Place,
    ) -> Outcome<()> {
        let len = size * count;
        self.start(count as u64);
        let destinations = self.list(DESTINATION, DESTINATION_LIST, cuts.1, len, Some(place));
        let destination = [DESTINATION_LIST, destinations.len() as u64].map(Word::Known);
        let source = match place {
            Place::Same => destination.clone(),
            Place::Apart => {
                let sources = self.list(SOURCE, SOURCE_LIST, cuts.0, len, None);
                [SOURCE_LIST, sources.len() as u64].map(Word::Known)
            }
        };
        // The call without a layout, where it has one; but not in place, so that the other one has each layout, too.
        let numbers = match place {
            Place::Same => numbers.with_layout(),
            Place::Apart => numbers.clone(),
        };
        let (call, tweaks) = self.tweaks("iov", &numbers, count);
        let mut arguments = vec![Word::Known(XTS)];
        arguments.extend(tweaks);
        arguments.push(Word::Known(size as u64));
        arguments.extend(source.into_iter().chain(destination));
        self.call(&function(&call, direction), &arguments, len, 0)?;
        let tweak = |subject: &Self, i| numbers.tweak(subject.inputs, i, size);
        self.check(&destinations, (size, count), tweak, direction)
    }

    /// Puts pieces of the source, or of a destination, in place, and the list of them; gives their names.
    fn list(
        &mut self,
        base: u64,
        list: u64,
        cuts: &[usize],
        all: usize,
        writable: Option<Place>,
    ) -> Vec<String> {
        let name = if writable.is_some() { "destination" } else { "source" };
        let (mut names, mut entries, mut at, mut done) = (Vec::new(), Vec::new(), base, 0);
        for &cut in cuts.iter().cycle() {
            let len = cut.min(all - done);
            let contents = match writable {
                None => self.data(done, len),
                Some(place) => self.before(done, len, place),
            };
            let piece = format!("piece {} of the {name}", names.len());
            self.machine.memory().put(&piece, at, contents, writable.is_some());
            for word in [Word::Known(at), Word::Known(len as u64)] {
                entries.extend(self.placed(&word).bits());
            }
            names.push(piece);
            // Something that is not to be touched behind each, and any alignment.
            at += ((len as u64 + 4096) & !63) + names.len() as u64 * 5 % 64 - (at % 64);
            done += len;
            if done == all {
                break;
            }
        }
        self.machine.memory().put(&format!("the list of the {name}"), list, entries, false);
        names
    }

    /// Compares what regions hold, one after the other, with what `count` data units of `size` bytes are to become; and
    /// looks at what the call left behind.
    pub fn check(
        &mut self,
        regions: &[String],
        (size, count): (usize, usize),
        tweak: impl Fn(&Self, usize) -> Outcome<Block>,
        direction: Direction,
    ) -> Outcome<()> {
        let mut residue = self.residue.take();
        if self.on_other_data {
            if let Some(residue) = &mut residue {
                residue.keep(&mut *self.machine);
            }
            self.residue = residue;
            return Ok(());
        }
        let data = self.data(0, size * count);
        let mut comparison = Comparison::new(self, regions)?;
        let (mut all, mut tweaks) = (Vec::new(), Vec::new());
        for i in 0..count {
            let (tweak, end) = (tweak(self, i)?, size * (i + 1));
            let block = |j: usize| {
                let (mut block, at) = ([Bit::ZERO; 128], size * i + 16 * j);
                data.read(at, &mut block[..8 * 16.min(end - at)]);
                block
            };
            let output = |bits: &[Bit]| {
                comparison.next(bits);
                if residue.is_some() {
                    all.extend_from_slice(bits);
                }
            };
            self.specify(&tweak, size, block, output, direction);
            if residue.is_some() {
                tweaks.push(tweak);
            }
        }
        comparison.result(size)?;
        if let Some(residue) = &mut residue {
            let data = data.bits(0, size * count);
            let (plain, cipher) = match direction {
                Direction::Encrypt => (&data, &all),
                Direction::Decrypt => (&all, &data),
            };
            let secrets = residue::Secrets::new(plain, cipher, [&self.key1, &self.key2], &tweaks, size);
            let found = residue.look(&secrets, &mut *self.machine);
            self.residue = Some(std::mem::take(residue));
            return found;
        }
        Ok(())
    }

    /// What a data unit of `len` bytes is to become, by the standard: see [`standard::unit`].
    pub fn specify(
        &mut self,
        tweak: &Block,
        len: usize,
        p: impl Fn(usize) -> Block,
        output: impl FnMut(&[Bit]),
        direction: Direction,
    ) {
        let Subject { key1, key2, specified, .. } = self;
        let t = specified.tweaks.once(tweak, tweak, |tweak, _| standard::cipher(key2, tweak));
        let known = match direction {
            Direction::Encrypt => &mut specified.encrypted,
            Direction::Decrypt => &mut specified.decrypted,
        };
        let block = |t: &Block, p: &Block| known.once(t, p, |t, p| standard::block(key1, t, p, direction));
        standard::unit(t, block, len, p, output, direction);
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
        let (s, d) = self.buffers(1024, Place::Apart, 0);
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
        self.sequences_refused(direction, s, d)?;
        self.lists_refused(direction, s, d)?;
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

    /// Sequences that break a rule.
    fn sequences_refused(&mut self, direction: Direction, s: u64, d: u64) -> Outcome<()> {
        use status::*;
        let (most, less) = (u128::MAX, (-1i128) as u128);
        for (first, step, width, flags, size, status) in [
            (0, 1, 31, 0, 512, TWEAKS),
            (0, 1, 0, 0, 512, TWEAKS),
            (0, 1, 64, 8, 512, FLAGS),
            (0, less, 32, 0, 512, NUMBER),
            (0, less, 64, 0, 512, NUMBER),
            (0, less, 128, 0, 512, NUMBER),
            (u128::from(u32::MAX), 1, 32, 0, 512, NUMBER),
            (u128::from(u64::MAX) - 2, 3, 64, 1, 512, NUMBER),
            (most, 1, 128, 0, 512, NUMBER),
            (most - 1, 2, 128, 4, 512, NUMBER),
            (0, 1, 128, 4, 520, SECTOR_SIZE),
        ] {
            let sequence = Sequence { first, step, width, flags };
            let bits = Numbers::Sequence(sequence).in_memory(self.inputs, 2);
            self.machine.memory().put("the tweaks", NUMBERING, bits, false);
            let len = if size == 512 { 1024 } else { 520 };
            self.refused("sectors_sequence", direction, &[XTS, NUMBERING, size, s, d, len], status)?;
        }
        self.refused("sectors_sequence", direction, &[XTS, 0, 512, s, d, 512], NULL)
    }

    /// Lists of tweaks that break a rule.
    fn lists_refused(&mut self, direction: Direction, s: u64, d: u64) -> Outcome<()> {
        use status::*;
        self.machine.memory().put("the tweaks", NUMBERING, vec![Bit::ZERO; 128 * 3], false);
        for (list, count, status) in [
            (NUMBERING, 1, TWEAK_COUNT),
            (NUMBERING, 3, TWEAK_COUNT),
            (NUMBERING, 0, TWEAK_COUNT),
            (0, 2, NULL),
            (d + 1023, 2, OVERLAP),
            (d - 31, 2, OVERLAP),
        ] {
            self.refused("sectors_list", direction, &[XTS, list, count, 512, s, d, 1024], status)?;
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
        let before = self
            .machine
            .memory()
            .region("the destination")
            .map(|region| region.contents.bits(0, region.len()));
        let words: Vec<Word> = arguments.iter().map(|&x| Word::Known(x)).collect();
        let about =
            |fault: Fault| Fault { text: format!("{} (arguments {arguments:x?})", fault.text), ..fault };
        self.call(&function(call, direction), &words, 1 << 16, status).map_err(about)?;
        let after = self
            .machine
            .memory()
            .region("the destination")
            .map(|region| region.contents.bits(0, region.len()));
        if status != 0 && before != after {
            return Err(about(Fault::new(Kind::Wrong, "writes to the destination all the same")));
        }
        Ok(())
    }
}

/// The name of a call.
pub fn function(what: &str, direction: Direction) -> String {
    match direction {
        Direction::Encrypt => format!("atrest_xts_encrypt_{what}"),
        Direction::Decrypt => format!("atrest_xts_decrypt_{what}"),
    }
}

/// What regions hold, to be compared with what is wanted, piece by piece.
pub struct Comparison {
    /// Their names, contents and writers.
    regions: Vec<(String, Contents, Vec<u32>)>,
    /// The region at work, the place in it, and the place among all.
    region: usize,
    offset: usize,
    at: usize,
    /// The first difference, and how many bytes are different.
    first: Option<(usize, String, Option<u32>)>,
    different: usize,
}

impl Comparison {
    /// Takes the regions out of memory.
    pub fn new(subject: &mut Subject<'_>, names: &[String]) -> Outcome<Comparison> {
        let memory = subject.machine.memory();
        let taken = names.iter().map(|name| {
            let region = memory.take(name);
            let region = region.ok_or_else(|| Fault::new(Kind::Wrong, format!("{name} is gone")))?;
            Ok((region.name, region.contents, region.writers))
        });
        let regions = taken.collect::<Outcome<Vec<_>>>()?;
        Ok(Comparison { regions, region: 0, offset: 0, at: 0, first: None, different: 0 })
    }

    /// The next bytes that are wanted.
    pub fn next(&mut self, want: &[Bit]) {
        let mut want = want;
        while !want.is_empty() {
            let Some((name, contents, writers)) = self.regions.get(self.region) else {
                // The regions are as long as what is wanted.
                self.first.get_or_insert((self.at, "nowhere".into(), None));
                return;
            };
            let len = (want.len() / 8).min(contents.len() - self.offset);
            let mut bits = [Bit::ZERO; 128];
            let bits = &mut bits[..8 * len];
            contents.read(self.offset, bits);
            if !algebra::same(bits, &want[..8 * len]) {
                for (i, _) in bits.chunks(8).zip(want.chunks(8)).enumerate().filter(|(_, (a, b))| a != b) {
                    let writer = writers[self.offset + i].checked_sub(1);
                    self.first.get_or_insert((self.at + i, name.clone(), writer));
                    self.different += 1;
                }
            }
            (self.at, self.offset, want) = (self.at + len, self.offset + len, &want[8 * len..]);
            if self.offset == contents.len() {
                (self.region, self.offset) = (self.region + 1, 0);
            }
        }
    }

    /// What came of it. `size`: that of a data unit.
    pub fn result(self, size: usize) -> Outcome<()> {
        match self.regions.get(self.region) {
            Some((name, contents, _)) if contents.len() != 0 => {
                Err(Fault::new(Kind::Wrong, format!("{name} is longer than what is wanted")))
            }
            _ => self.result_so_far(size),
        }
    }

    /// The same, but there may be more than was wanted so far.
    pub fn result_so_far(self, size: usize) -> Outcome<()> {
        let Some((byte, name, writer)) = self.first else { return Ok(()) };
        let text = format!(
            "byte {byte} (byte {} of block {} of sector or unit {}, in {name}) is not what the standard says, and {} others{}",
            byte % size % 16,
            byte % size / 16,
            byte / size,
            self.different.saturating_sub(1),
            if writer.is_some() { "" } else { "; nothing wrote it" },
        );
        Err(Fault { at: writer.map(u64::from), ..Fault::new(Kind::Wrong, text) })
    }
}
