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
//! | rest | the data's pattern |

use atrest::xts::{Backend, Error, Key, Tweaks};

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

/// Data of a case, in bytes, at most.
pub const MOST: usize = 64 << 10;

#[derive(Debug)]
pub enum Layout {
    Unit([u8; 16]),
    Sectors(Tweaks),
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
        let layout = match flags >> LAYOUT_SHIFT {
            0 | 1 => Layout::Unit(number),
            2 => Layout::Sectors(Tweaks::plain64(first as u64)),
            3 => Layout::Sectors(Tweaks::plain64be(first as u64)),
            4 | 5 => Layout::Sectors(Tweaks::plain64_in_512(first as u64)),
            _ => Layout::Sectors(Tweaks::number128(first)),
        };
        let len = match layout {
            Layout::Unit(_) => sector_size,
            Layout::Sectors(_) => sector_size * sectors + if has(RAGGED) { ragged } else { 0 },
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

    /// The key on a backend. Equal halves are refused until they are asked for.
    pub fn key(&self, backend: Backend) -> Key {
        match Key::options().backend(backend).build(&self.key) {
            Ok(key) => key,
            Err(error) => {
                assert_eq!(error, Error::EqualHalves);
                Key::options().backend(backend).allow_equal_halves(true).build(&self.key).expect("by choice")
            }
        }
    }

    /// A unit's tweak is the number of a single sector.
    pub fn tweaks(&self) -> Tweaks {
        match self.layout {
            Layout::Unit(tweak) => Tweaks::number128(u128::from_le_bytes(tweak)),
            Layout::Sectors(first) => first,
        }
    }

    pub fn in_place(&self, key: &Key, decrypt: bool, data: &mut [u8]) -> Result<(), Error> {
        match (&self.layout, decrypt) {
            (Layout::Unit(tweak), false) => key.encrypt_unit(tweak, data),
            (Layout::Unit(tweak), true) => key.decrypt_unit(tweak, data),
            (Layout::Sectors(first), false) => key.encrypt_sectors(*first, self.sector_size, data),
            (Layout::Sectors(first), true) => key.decrypt_sectors(*first, self.sector_size, data),
        }
    }

    pub fn apart(&self, key: &Key, decrypt: bool, src: &[u8], dst: &mut [u8]) -> Result<(), Error> {
        match (&self.layout, decrypt) {
            (Layout::Unit(tweak), false) => key.encrypt_unit_to(tweak, src, dst),
            (Layout::Unit(tweak), true) => key.decrypt_unit_to(tweak, src, dst),
            (Layout::Sectors(first), false) => key.encrypt_sectors_to(*first, self.sector_size, src, dst),
            (Layout::Sectors(first), true) => key.decrypt_sectors_to(*first, self.sector_size, src, dst),
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
