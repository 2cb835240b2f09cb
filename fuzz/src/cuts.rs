//! An input of the target `pieces`: where to cut, and what.
//!
//! | bytes | field |
//! |---|---|
//! | 8, 8 | the cuts of source and destination, see [`lengths`] |
//! | rest | the case, see [`sectors`](crate::sectors) |

use crate::{
    Fields,
    sectors::{Case, Placed},
};

/// Far enough beyond the 8 KiB through which a sector that straddles pieces goes.
pub const MOST_SECTOR_SIZE: u16 = 20_000;

/// What follows this many pieces is one piece.
const MOST_PIECES: usize = 2000;

pub type Cuts = [u8; 8];

pub struct CutCase {
    pub src: Cuts,
    pub dst: Cuts,
    pub case: Case,
}

impl CutCase {
    pub fn read(input: &[u8]) -> CutCase {
        let mut fields = Fields(input);
        let (src, dst) = (fields.bytes(), fields.bytes());
        CutCase { src, dst, case: Case::read(fields.0, MOST_SECTOR_SIZE) }
    }
}

/// A cut after 0 to 63 bytes.
pub const fn bytes(count: u8) -> u8 {
    count << 2
}

/// A cut after so many sectors, 0 to 63.
pub const fn sectors(count: u8) -> u8 {
    count << 2 | 1
}

/// A cut so many bytes, -32 to 31, behind the end of a sector.
pub const fn beside_sector(by: i8) -> u8 {
    ((by + 32) as u8) << 2 | 2
}

/// A cut after so many times 256 bytes, 0 to 63.
pub const fn times_256(count: u8) -> u8 {
    count << 2 | 3
}

/// The lengths of the pieces of `len` bytes: those that `cuts` say, again and again.
pub fn lengths(cuts: Cuts, sector_size: usize, len: usize) -> Vec<usize> {
    let length = |cut: u8| {
        let number = usize::from(cut >> 2);
        match cut & 3 {
            0 => number,
            1 => number * sector_size,
            2 => (sector_size + number).saturating_sub(32),
            _ => number * 256,
        }
    };
    let mut left = len;
    let mut lengths: Vec<usize> = cuts
        .iter()
        .cycle()
        .take(MOST_PIECES)
        .map(|&cut| {
            let now = length(cut).min(left);
            left -= now;
            now
        })
        .collect();
    lengths.push(left);
    // One empty piece or more at the end is enough.
    let used = lengths.iter().rposition(|&length| length != 0).map_or(0, |last| last + 1);
    lengths.truncate(used + cuts.len());
    lengths
}

/// Each piece in memory of its own, at offsets that follow each other.
pub fn pieces(lengths: &[usize], first_at: usize, mut data: &[u8]) -> Vec<Placed> {
    let mut next = |(i, &length): (usize, &usize)| {
        Placed::new((first_at + i) % 64, data.split_off(..length).expect("the lengths fit"))
    };
    lengths.iter().enumerate().map(&mut next).collect()
}
