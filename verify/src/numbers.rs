//! Which tweak each sector of a call has, as atrest.h says it, and how a program passes that to the call.
//!
//! This file is trusted, as the specification is.

use crate::{
    aes::{Block, known, known_block},
    algebra::{self, Bit},
    fault::Outcome,
    inputs::Inputs,
};

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

/// ATREST_SEQUENCE_BIG_ENDIAN: the tweaks' highest byte comes first.
pub const BIG_ENDIAN: u32 = 1;
/// ATREST_SEQUENCE_WRAPS: the counter wraps.
pub const WRAPS: u32 = 2;
/// ATREST_SEQUENCE_IN_512: the step is for 512 bytes.
pub const IN_512: u32 = 4;

/// Any tweaks that start somewhere and go on by equal steps: `atrest_tweak_sequence`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// The first sector's number.
    pub first: u128,
    /// What each sector adds to it, in two's complement.
    pub step: u128,
    /// How many of the lowest bits count.
    pub width: u32,
    /// `ATREST_SEQUENCE_` values.
    pub flags: u32,
}

impl Sequence {
    fn counts(self) -> u128 {
        u128::MAX >> (128 - self.width)
    }

    fn step(self, size: usize) -> u128 {
        self.step.wrapping_mul(if self.flags & IN_512 == 0 { 1 } else { size as u128 / 512 })
    }

    /// Whether the call takes it for `count` sectors of `size` bytes.
    pub fn is_good(self, size: usize, count: usize) -> bool {
        if self.flags & IN_512 != 0 && !size.is_multiple_of(512) {
            return false;
        }
        let (step, last) = (self.step(size) as i128, count as i128 - 1);
        let counter = self.first & self.counts();
        let end = step.checked_mul(last).and_then(|whole| counter.checked_add_signed(whole));
        self.flags & WRAPS != 0 || end.is_some_and(|end| end <= self.counts())
    }

    /// Sector i's tweak, as bytes.
    fn tweak(self, i: usize, size: usize) -> [u8; 16] {
        let number = self.first.wrapping_add(self.step(size).wrapping_mul(i as u128));
        let number = self.first & !self.counts() | number & self.counts();
        if self.flags & BIG_ENDIAN != 0 { number.to_be_bytes() } else { number.to_le_bytes() }
    }
}

/// The tweaks of a call.
#[derive(Clone, Debug)]
pub enum Numbers {
    /// The numbers from a first one on, of 64 bits.
    Plain(First),
    /// A layout, from a first number on.
    Layout(Layout, First),
    /// A sequence.
    Sequence(Sequence),
    /// One for each sector, any.
    List,
}

impl Numbers {
    /// In a layout, for whose first number there is a call of its own.
    pub fn with_layout(&self) -> Numbers {
        match self {
            Numbers::Plain(first) => Numbers::Layout(Layout::Plain64, *first),
            other => other.clone(),
        }
    }

    /// What the call's name ends in.
    pub fn suffix(&self) -> &'static str {
        match self {
            Numbers::Plain(_) => "",
            Numbers::Layout(..) => "_tweaks",
            Numbers::Sequence(_) => "_sequence",
            Numbers::List => "_list",
        }
    }

    /// As the call finds them in memory, for so many sectors; a plain number: its 64 bits.
    pub fn in_memory(&self, inputs: Inputs, count: usize) -> Vec<Bit> {
        match self {
            Numbers::Plain(first) => first.bits(inputs, Layout::Plain64)[..64].to_vec(),
            // struct atrest_tweaks
            Numbers::Layout(layout, first) => {
                let mut bits = first.bits(inputs, *layout).to_vec();
                bits.extend(known(&(*layout as u64).to_le_bytes()));
                bits
            }
            // struct atrest_tweak_sequence
            Numbers::Sequence(Sequence { first, step, width, flags }) => {
                let mut bytes = Vec::new();
                bytes.extend(first.to_le_bytes().into_iter().chain(step.to_le_bytes()));
                bytes.extend(width.to_le_bytes().into_iter().chain(flags.to_le_bytes()));
                known(&bytes)
            }
            Numbers::List => inputs.bits(algebra::Kind::Tweak, 16 * count),
        }
    }

    /// Sector i's tweak.
    ///
    /// # Errors
    /// If it is no sum of base bits.
    pub fn tweak(&self, inputs: Inputs, i: usize, size: usize) -> Outcome<Block> {
        let (layout, first) = match self {
            Numbers::Plain(first) => (Layout::Plain64, first),
            Numbers::Layout(layout, first) => (*layout, first),
            Numbers::Sequence(sequence) => return Ok(known_block(sequence.tweak(i, size))),
            Numbers::List => {
                let mut tweak = [Bit::ZERO; 128];
                inputs.read(algebra::Kind::Tweak, 16 * i, &mut tweak);
                return Ok(tweak);
            }
        };
        let added = known_block((i as u128 * u128::from(layout.step(size))).to_le_bytes());
        let mut number = [Bit::ZERO; 128];
        let _ = algebra::add(&first.bits(inputs, layout), &added, Bit::ZERO, &mut number)?;
        Ok(layout.tweak(&number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_count() {
        let tweak = |first, step: i128, width, flags, size, i| {
            u128::from_le_bytes(Sequence { first, step: step as u128, width, flags }.tweak(i, size))
        };
        assert_eq!(tweak(5, 3, 128, 0, 512, 2), 11);
        assert_eq!(tweak(5, -3, 128, 0, 512, 1), 2);
        assert_eq!(tweak(5, 1, 64, IN_512, 4096, 3), 29);
        // What is above the counter stays.
        assert_eq!(tweak((7 << 32) | 0xffff_ffff, 1, 32, WRAPS, 512, 1), 7 << 32);
        assert_eq!(tweak(1, 0, 64, BIG_ENDIAN, 512, 0), 1 << 120);
    }

    #[test]
    fn sequences_are_good_while_they_fit() {
        let is_good = |first, step: i128, width, flags, size, count| {
            Sequence { first, step: step as u128, width, flags }.is_good(size, count)
        };
        assert!(is_good(2, -1, 32, 0, 512, 3) && !is_good(2, -1, 32, 0, 512, 4));
        assert!(is_good(u128::MAX - 1, 1, 128, 0, 512, 2) && !is_good(u128::MAX - 1, 1, 128, 0, 512, 3));
        assert!(is_good(u128::MAX - 1, 1, 128, WRAPS, 512, 3));
        assert!(!is_good(0, 1, 128, IN_512, 520, 1));
    }
}
