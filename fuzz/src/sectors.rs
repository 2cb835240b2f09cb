//! An input of the target `backends`, and a part of one of `pieces`.
//!
//! | bytes | field |
//! |---|---|
//! | 1 | flags: see below |
//! | 2 | sector size: 0 to a target's largest, in bytes; up to 8192 in units of 512 for [`BY_512`] |
//! | 1 | sectors; as many as stay below [`MOST`] bytes |
//! | 1 | bytes beyond the last sector, for [`RAGGED`] |
//! | 1, 1 | offsets of source and destination, 0 to 63 |
//! | 16 | first number or raw tweak |
//! | 32 or 64 | key |
//! | 16, 1 | for lists and sequences: the step, and [`Sequence`] |
//! | rest | the data's pattern |

use atrest::xts::{Backend, CounterWidth, Error, Key, Schedule, TweakSource, Tweaks};

/// A backend in one of its schedules.
pub type Run = (Backend, Schedule);

/// The slowest one, which the others are compared with.
pub const SOFT: Run = (Backend::Soft, Schedule::Tiles);

/// All that this processor runs.
pub fn runs() -> impl Iterator<Item = Run> {
    Backend::supported()
        .flat_map(|backend| backend.schedules().iter().map(move |&schedule| (backend, schedule)))
}

use crate::Fields;

/// AES-256, else AES-128.
pub const AES_256: u8 = 1;
pub const DECRYPT: u8 = 2;
pub const IN_PLACE: u8 = 4;
/// The sector size counts 512-byte units.
pub const BY_512: u8 = 8;
/// The length is no whole number of sectors.
pub const RAGGED: u8 = 16;
/// The tweak layout, in the upper three bits.
pub const LAYOUT_SHIFT: u8 = 5;

/// The layouts: a unit, a list, a general sequence, a named one; and those of the other numbers.
pub const UNIT: u8 = 0;
pub const LIST: u8 = 1;
pub const PLAIN64: u8 = 2;
pub const PLAIN64BE: u8 = 3;
pub const PLAIN64_IN_512: u8 = 4;
pub const SEQUENCE: u8 = 5;
pub const NUMBER128: u8 = 6;
pub const NAMED: u8 = 7;

/// What a sequence does, in one byte; a list takes its lowest two bits for another count than that of the sectors, and a
/// named layout for which one.
pub struct Sequence(pub u8);

impl Sequence {
    pub const BIG: u8 = 4;
    pub const WRAPS: u8 = 8;
    pub const COUNTS_512: u8 = 16;
    /// The step is a small number, up or down.
    pub const SMALL_STEP: u8 = 32;

    fn tweaks(&self, first: u128, step: i128) -> Tweaks {
        let has = |flag| self.0 & flag != 0;
        let width = match self.0 & 3 {
            0 => CounterWidth::Bits32,
            1 => CounterWidth::Bits64,
            _ => CounterWidth::Bits128,
        };
        let step = if has(Sequence::SMALL_STEP) { i128::from(step as i8) } else { step };
        let mut tweaks = Tweaks::sequence(first, step).width(width);
        if has(Sequence::BIG) {
            tweaks = tweaks.big_endian();
        }
        if has(Sequence::WRAPS) {
            tweaks = tweaks.wrapping();
        }
        if has(Sequence::COUNTS_512) {
            tweaks = tweaks.in_512();
        }
        tweaks
    }

    fn named(&self, first: u128) -> Tweaks {
        match self.0 % 6 {
            0 => Tweaks::plain(first as u64),
            1 => Tweaks::upper64(first as u64),
            2 => Tweaks::upper64_in_512(first as u64),
            3 => Tweaks::with_complement(first as u64),
            4 => Tweaks::counter32(first),
            _ => Tweaks::number128be(first),
        }
    }

    /// Tweaks that differ, in no order, for about so many sectors.
    fn list(&self, first: u128, step: i128, sectors: usize) -> Vec<[u8; 16]> {
        let count = match self.0 & 3 {
            1 => sectors + 1,
            2 => sectors.saturating_sub(1),
            _ => sectors,
        };
        let tweak =
            |i: u128| first.wrapping_add((step as u128 | 1).wrapping_mul(i * i + i)).rotate_left(i as u32);
        (0..count as u128).map(|i| tweak(i).to_le_bytes()).collect()
    }
}

/// Data of a case, in bytes, at most.
pub const MOST: usize = 64 << 10;

#[derive(Debug)]
pub enum Layout {
    Unit([u8; 16]),
    Sectors(Tweaks),
    List(Vec<[u8; 16]>),
}

#[derive(Debug)]
pub struct Case {
    pub key: Vec<u8>,
    pub layout: Layout,
    pub sector_size: usize,
    pub data: Vec<u8>,
    pub src_at: usize,
    pub dst_at: usize,
    pub decrypt: bool,
    pub in_place: bool,
}

impl Case {
    pub fn read(input: &[u8], most_sector_size: u16) -> Case {
        let mut fields = Fields(input);
        let flags = fields.byte();
        let has = |flag| flags & flag != 0;
        let mut sector_size = usize::from(fields.u16() % (most_sector_size + 1));
        if has(BY_512) {
            sector_size = sector_size % 17 * 512;
        }
        let sectors = usize::from(fields.byte()).min(MOST / sector_size.max(1));
        let ragged = usize::from(fields.byte());
        let (src_at, dst_at) = (usize::from(fields.byte() % 64), usize::from(fields.byte() % 64));
        let number = fields.bytes::<16>();
        let key = if has(AES_256) { fields.bytes::<64>().to_vec() } else { fields.bytes::<32>().to_vec() };
        let first = u128::from_le_bytes(number);
        let mut more = || (i128::from_le_bytes(fields.bytes()), Sequence(fields.byte()));
        let layout = match flags >> LAYOUT_SHIFT {
            UNIT => Layout::Unit(number),
            LIST => {
                let (step, sequence) = more();
                Layout::List(sequence.list(first, step, sectors))
            }
            PLAIN64 => Layout::Sectors(Tweaks::plain64(first as u64)),
            PLAIN64BE => Layout::Sectors(Tweaks::plain64be(first as u64)),
            PLAIN64_IN_512 => Layout::Sectors(Tweaks::plain64_in_512(first as u64)),
            SEQUENCE => {
                let (step, sequence) = more();
                Layout::Sectors(sequence.tweaks(first, step))
            }
            NUMBER128 => Layout::Sectors(Tweaks::number128(first)),
            NAMED.. => Layout::Sectors(more().1.named(first)),
        };
        let len = match layout {
            Layout::Unit(_) => sector_size,
            Layout::Sectors(_) | Layout::List(_) => {
                sector_size * sectors + if has(RAGGED) { ragged } else { 0 }
            }
        };
        // The pattern repeats with a counter in it, so that no two blocks need be equal.
        let pattern = if fields.0.is_empty() { &[0x5a][..] } else { fields.0 };
        let data = (0..len).map(|i| pattern[i % pattern.len()] ^ (i / pattern.len()) as u8).collect();
        Case {
            key,
            layout,
            sector_size,
            data,
            src_at,
            dst_at,
            decrypt: has(DECRYPT),
            in_place: has(IN_PLACE),
        }
    }

    /// The key on a backend, in one of its schedules. Equal halves are refused until they are asked for.
    pub fn key(&self, (backend, schedule): Run) -> Key {
        match Key::options().backend_in(backend, schedule).build(&self.key) {
            Ok(key) => key,
            Err(error) => {
                assert_eq!(error, Error::EqualHalves);
                Key::options()
                    .backend_in(backend, schedule)
                    .allow_equal_halves(true)
                    .build(&self.key)
                    .expect("by choice")
            }
        }
    }

    /// A unit's tweak is the number of a single sector.
    pub fn tweaks(&self) -> TweakSource<'_> {
        match &self.layout {
            Layout::Unit(tweak) => Tweaks::number128(u128::from_le_bytes(*tweak)).into(),
            Layout::Sectors(first) => (*first).into(),
            Layout::List(list) => TweakSource::List(list),
        }
    }

    pub fn in_place(&self, key: &Key, decrypt: bool, data: &mut [u8]) -> Result<(), Error> {
        match (&self.layout, decrypt) {
            (Layout::Unit(tweak), false) => key.encrypt_unit(tweak, data),
            (Layout::Unit(tweak), true) => key.decrypt_unit(tweak, data),
            (_, false) => key.encrypt_sectors(self.tweaks(), self.sector_size, data),
            (_, true) => key.decrypt_sectors(self.tweaks(), self.sector_size, data),
        }
    }

    pub fn apart(&self, key: &Key, decrypt: bool, src: &[u8], dst: &mut [u8]) -> Result<(), Error> {
        match (&self.layout, decrypt) {
            (Layout::Unit(tweak), false) => key.encrypt_unit_to(tweak, src, dst),
            (Layout::Unit(tweak), true) => key.decrypt_unit_to(tweak, src, dst),
            (_, false) => key.encrypt_sectors_to(self.tweaks(), self.sector_size, src, dst),
            (_, true) => key.decrypt_sectors_to(self.tweaks(), self.sector_size, src, dst),
        }
    }
}

const CANARY: u8 = 0xc3;

/// Memory allocated to the byte, for AddressSanitizer to see what is read or written behind it; canaries stand before.
pub struct Placed {
    memory: Box<[u8]>,
    at: usize,
}

impl Placed {
    pub fn new(at: usize, content: &[u8]) -> Placed {
        let mut memory = vec![CANARY; at + content.len()].into_boxed_slice();
        memory[at..].copy_from_slice(content);
        Placed { memory, at }
    }

    pub fn content(&self) -> &[u8] {
        &self.memory[self.at..]
    }

    pub fn content_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.at..]
    }

    /// Whether nothing was written before the content.
    pub fn is_intact(&self) -> bool {
        self.memory[..self.at].iter().all(|&byte| byte == CANARY)
    }
}
