//! Addresses of which only the last bits are known: a region may lie anywhere.
//!
//! A [`Pointer`] is the start of a region, which is not known, and a known offset; or the distance of two such. To have it
//! computed with, each region has a place that is made up. What follows from it must follow for every other place that
//! - has the same last six bits (so that regions keep their alignment to 64 bytes);
//! - keeps the regions in the same order, with a byte between them at least, all in the lower half of the address space and
//!   above the lowest 64 KiB.
//!
//! Whatever else a program would learn from an address is unknown, and ends the proof where it is used.

use std::{cell::RefCell, collections::HashMap};

use crate::algebra::{self, Bit};

/// Bits of an address that are known: its place among 64 bytes.
pub const KNOWN_BITS: usize = 6;
/// Nothing lies below this address.
const LOWEST: u64 = 1 << 16;

/// An address, or the distance of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pointer {
    /// Its value, if regions lie where it is made up.
    pub at: u64,
    /// The start of its region; 0 if there is none.
    plus: u64,
    /// The start of the region that is subtracted; 0 if there is none.
    minus: u64,
}

/// What a comparison tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Whether the difference is 0.
    pub zero: bool,
    /// Whether the first is less, as a number without sign.
    pub carry: bool,
    /// Whether the difference is negative.
    pub sign: bool,
}

thread_local!(static BITS: RefCell<HashMap<Bit, (Pointer, [Bit; 64])>> = RefCell::new(HashMap::new()));

/// Forgets the bits of all pointers of this thread, as [`algebra::forget`] does those of everything else.
pub fn forget() {
    BITS.with_borrow_mut(HashMap::clear);
}

impl Pointer {
    /// An address in the region that starts at `region`.
    pub fn new(at: u64, region: u64) -> Pointer {
        Pointer { at, plus: region, minus: 0 }
    }

    /// Its address, unless it is a distance.
    pub fn address(self) -> Option<u64> {
        (self.plus != 0 && self.minus == 0).then_some(self.at)
    }

    /// With some of its last bits cleared.
    pub fn and_last(self, mask: u64) -> Pointer {
        Pointer { at: self.at & mask, ..self }
    }

    /// Its bits: the last ones are known.
    pub fn bits(self) -> [Bit; 64] {
        let mut bits = [Bit::ZERO; 64];
        // Three numbers as an index: that they are hashed well is enough, since a wrong pointer is no proof either.
        let index = self.at ^ self.plus.rotate_left(21) ^ self.minus.rotate_left(42);
        algebra::base(algebra::Kind::Address, index, &mut bits);
        for (i, bit) in bits.iter_mut().enumerate().take(KNOWN_BITS) {
            *bit = Bit::from(self.at >> i & 1 != 0);
        }
        BITS.with_borrow_mut(|known| known.insert(bits[KNOWN_BITS], (self, bits)));
        bits
    }

    /// The pointer that has these bits.
    pub fn from_bits(bits: &[Bit]) -> Option<Pointer> {
        let first = bits.get(KNOWN_BITS)?;
        BITS.with_borrow(|known| {
            known.get(first).filter(|(_, all)| all[..] == *bits).map(|(pointer, _)| *pointer)
        })
    }

    /// A number without a region.
    fn number(at: u64) -> Pointer {
        Pointer { at, plus: 0, minus: 0 }
    }

    fn negative(self) -> Pointer {
        Pointer { at: self.at.wrapping_neg(), plus: self.minus, minus: self.plus }
    }

    /// The sum, if that is again a number, an address or a distance; a number has no regions.
    fn sum(self, other: Pointer) -> Option<Pointer> {
        let (mut plus, mut minus) = ([self.plus, other.plus], [self.minus, other.minus]);
        for a in &mut plus {
            if let Some(b) = minus.iter_mut().find(|b| *a != 0 && **b == *a) {
                (*a, *b) = (0, 0);
            }
        }
        let one = |[a, b]: [u64; 2]| (a == 0 || b == 0).then_some(a | b);
        Some(Pointer { at: self.at.wrapping_add(other.at), plus: one(plus)?, minus: one(minus)? })
    }

    /// Whether it is an address in its region, or its end. `len`: the region's length.
    fn is_inside(self, len: impl Fn(u64) -> Option<u64>) -> bool {
        self.address().is_some() && len(self.plus).is_some_and(|len| self.at.wrapping_sub(self.plus) <= len)
    }
}

/// A number, or a pointer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u64),
    /// A pointer.
    Pointer(Pointer),
}

impl Value {
    fn pointer(self) -> Pointer {
        match self {
            Value::Number(number) => Pointer::number(number),
            Value::Pointer(pointer) => pointer,
        }
    }

    fn of(pointer: Pointer) -> Value {
        match pointer {
            Pointer { at, plus: 0, minus: 0 } => Value::Number(at),
            _ => Value::Pointer(pointer),
        }
    }
}

/// Adds or subtracts. Gives the result, if it is a number or a pointer, and what the processor's flags tell, if that is the
/// same wherever the regions lie. `len`: the length of the region that starts there.
pub fn sum(
    a: Value,
    b: Value,
    subtract: bool,
    len: impl Fn(u64) -> Option<u64>,
) -> (Option<Value>, Option<Known>) {
    let (a, b) = (a.pointer(), b.pointer());
    let second = if subtract { b.negative() } else { b };
    let result = a.sum(second);
    let (value, wide) = if subtract {
        (a.at.wrapping_sub(b.at), a.at < b.at)
    } else {
        (a.at.wrapping_add(b.at), a.at.checked_add(b.at).is_none())
    };
    let told = Known { zero: value == 0, carry: wide, sign: value >> 63 != 0 };
    let number = |pointer: Pointer| pointer.plus == 0 && pointer.minus == 0;
    let same_everywhere = match (subtract, result) {
        // Two addresses in regions: in the same one, or of regions whose order is kept.
        (true, _) if a.is_inside(&len) && b.is_inside(&len) => true,
        // An address and a number that is less than every address, and the other way round.
        (true, _) if a.is_inside(&len) && number(b) && b.at < LOWEST => true,
        (true, _) if b.is_inside(&len) && number(a) && a.at < LOWEST => true,
        // A distance and a length: it is at least that far.
        (true, _) if a.plus != 0 && a.minus != 0 && number(b) && b.at < 1 << 62 => {
            return (result.map(Value::of), at_least(a, b.at, &len));
        }
        // An address that stays in its region.
        (false, Some(result)) => result.is_inside(&len) && (number(a) || number(b)),
        _ => false,
    };
    (result.map(Value::of), same_everywhere.then_some(told))
}

/// What comparing a distance of two regions with a length tells: that it is not less, if it is so everywhere.
fn at_least(distance: Pointer, length: u64, len: impl Fn(u64) -> Option<u64>) -> Option<Known> {
    let not_less = Known { zero: false, carry: false, sign: false };
    if distance.at >> 63 != 0 {
        // The first lies below: as a number without sign the distance is more than any length.
        return Some(Known { sign: true, ..not_less });
    }
    // The first lies above: from the start of the lower region to that of the upper one is more than the lower one's length.
    let offsets = distance.at.wrapping_sub(distance.plus.wrapping_sub(distance.minus));
    let least = len(distance.minus)?.wrapping_add(1).wrapping_add(offsets);
    (least as i64 > 0 && length < least).then_some(not_less)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: u64 = 0x1000_0000;
    const B: u64 = 0x2000_0000;

    fn len(region: u64) -> Option<u64> {
        [(A, 100), (B, 200)].into_iter().find(|(start, _)| *start == region).map(|(_, len)| len)
    }

    fn at(region: u64, offset: u64) -> Value {
        Value::Pointer(Pointer::new(region + offset, region))
    }

    #[test]
    fn offsets_are_numbers() {
        assert_eq!(sum(at(A, 3), Value::Number(4), false, len).0, Some(at(A, 7)));
        let (difference, told) = sum(at(A, 3), at(A, 7), true, len);
        assert_eq!(difference, Some(Value::Number(4u64.wrapping_neg())));
        assert_eq!(told, Some(Known { zero: false, carry: true, sign: true }));
        // Past its end, nothing is told.
        assert_eq!(sum(at(A, 3), Value::Number(98), false, len).1, None);
    }

    #[test]
    fn distances_lead_from_one_region_to_the_other() {
        let (Some(distance), told) = sum(at(B, 10), at(A, 20), true, len) else { panic!() };
        assert_eq!(told, Some(Known { zero: false, carry: false, sign: false }));
        assert_eq!(sum(distance, at(A, 21), false, len).0, Some(at(B, 11)));
        // Whether it is less than a length is known, as far as the regions are apart in any case.
        assert!(sum(distance, Value::Number(90), true, len).1.is_some());
        assert!(sum(distance, Value::Number(100), true, len).1.is_none());
        assert_eq!(sum(distance, distance, false, len).0, None);
    }

    #[test]
    fn bits_are_the_pointer_again() {
        let pointer = Pointer::new(A + 5, A);
        let bits = pointer.bits();
        assert_eq!(Pointer::from_bits(&bits), Some(pointer));
        assert_eq!(bits[0].known(), Some(true));
        assert_eq!(bits[KNOWN_BITS].known(), None);
        let mut other = bits;
        other[63] = !other[63];
        assert_eq!(Pointer::from_bits(&other), None);
        assert_eq!(Pointer::from_bits(&bits[..32]), None);
    }
}
