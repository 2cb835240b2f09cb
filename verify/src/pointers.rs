//! Addresses of which only the last bits are known: a region may lie anywhere.
//!
//! A [`Pointer`] is the start of a region, which is not known, and a known offset; or the distance of two such. To have it
//! computed with, each region has a place that is made up. What follows from it must follow for every other place that
//! - has the same last six bits (so that regions keep their alignment to 64 bytes);
//! - keeps the regions in the same order, with a byte between them at least, all in the lower half of the address space and
//!   above the lowest 64 KiB.
//!
//! Whatever else a program would learn from an address is unknown, and ends the proof where it is used.
//!
//! The same for lengths of which only the last bits are known: p n + r with known p and r, and any n of a [`Range`]. What is
//! computed from such a length, as far as it is a multiple of n and a number, is a `Pointer`, too, with or without a region;
//! its place or value is made up for the least n. What a comparison tells must be so for each n of the range.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use crate::algebra::{self, Bit};

/// Bits of an address that are known: its place among 64 bytes.
pub const KNOWN_BITS: usize = 6;
/// Nothing lies below this address.
const LOWEST: u64 = 1 << 16;

/// All the n that a length may be made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The least one, for which values are made up.
    pub least: u64,
    /// The largest one.
    pub most: u64,
}

/// An address, the distance of two, or a number; and a multiple of n.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pointer {
    /// Its value, if regions lie where it is made up, and n is the least of its range.
    pub at: u64,
    /// The start of its region; 0 if there is none.
    plus: u64,
    /// The start of the region that is subtracted; 0 if there is none.
    minus: u64,
    /// What it grows by when n does.
    scale: i64,
}

/// How long a region is: for the least n, and by how much it grows with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Length {
    /// Its bytes for the least n.
    pub least: u64,
    /// More bytes for each n.
    pub scale: u64,
}

/// What a comparison tells, as far as that is always the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether the difference is 0.
    pub zero: Option<bool>,
    /// Whether the first is less, as a number without sign.
    pub carry: Option<bool>,
    /// Whether the difference is negative.
    pub sign: Option<bool>,
}

thread_local! {
    static BITS: RefCell<HashMap<Bit, (Pointer, [Bit; 64])>> = RefCell::new(HashMap::new());
    /// The base bits of each pointer, and of which least n.
    static INDICES: RefCell<HashMap<(Pointer, u64), u64>> = RefCell::new(HashMap::new());
    static RANGE: Cell<Range> = const { Cell::new(Range { least: 0, most: 0 }) };
}

/// Forgets the bits of all pointers of this thread, as [`algebra::forget`] does those of everything else.
pub fn forget() {
    BITS.with_borrow_mut(HashMap::clear);
    INDICES.with_borrow_mut(HashMap::clear);
}

/// Sets the range of n for this thread. What was computed with another one is void: bits are no pointers any more.
pub fn set_range(range: Range) {
    BITS.with_borrow_mut(HashMap::clear);
    RANGE.set(range);
}

/// How many more than the least n may be.
fn width() -> i128 {
    let range = RANGE.get();
    i128::from(range.most) - i128::from(range.least)
}

/// What a value that grows by `scale` is for the least and for the largest n.
fn ends(at: i128, scale: i128) -> [i128; 2] {
    [at, at + scale * width()]
}

/// The first bit that is not known; any, if all are.
fn first_unknown(bits: &[Bit; 64]) -> Bit {
    *bits.iter().find(|bit| bit.known().is_none()).unwrap_or(&bits[0])
}

impl Pointer {
    /// An address in the region that starts at `region`.
    pub fn new(at: u64, region: u64) -> Pointer {
        Pointer { at, plus: region, minus: 0, scale: 0 }
    }

    /// A number that is `least` for the least n, and grows by `scale`.
    pub fn count(least: u64, scale: u64) -> Pointer {
        Pointer { at: least, plus: 0, minus: 0, scale: scale as i64 }
    }

    /// Its address, unless it is a distance or a number, or depends on n.
    pub fn address(self) -> Option<u64> {
        (self.plus != 0 && self.minus == 0 && self.scale == 0).then_some(self.at)
    }

    /// The same place, where these regions (the first of each two) are called by other starts (the second).
    pub fn renamed(self, names: &[(u64, u64)]) -> Pointer {
        let name = |old: u64| names.iter().find(|(from, _)| *from == old).map_or(old, |(_, to)| *to);
        Pointer { plus: name(self.plus), minus: name(self.minus), ..self }
    }

    /// Whether it is a number, which has no region.
    pub fn is_number(self) -> bool {
        self.plus == 0 && self.minus == 0
    }

    /// How many of its last bits are known.
    pub fn known_bits(self) -> usize {
        let of_scale = if self.scale == 0 { 64 } else { self.scale.trailing_zeros() as usize };
        if self.is_number() { of_scale } else { of_scale.min(KNOWN_BITS) }
    }

    /// And a mask: if that clears some of its known bits, or leaves nothing but these.
    pub fn and(self, mask: u64) -> Option<Value> {
        let last = 1u64.checked_shl(self.known_bits() as u32).map_or(u64::MAX, |bit| bit - 1);
        if mask | last == u64::MAX {
            Some(Value::of(Pointer { at: self.at & mask, ..self }))
        } else if mask & !last == 0 {
            Some(Value::Number(self.at & mask))
        } else {
            None
        }
    }

    /// A number shifted to the left, or to the right, by so many bits, if nothing is lost but known bits.
    pub fn shifted(self, count: u32, left: bool) -> Option<Value> {
        let [least, most] = ends(i128::from(self.at as i64), self.scale.into());
        if !self.is_number() || count >= 64 || least < 0 || most < 0 {
            return None;
        }
        if left {
            let fits = |end: i128| end >> (63 - count) == 0;
            let scale = self.scale.checked_mul(1i64.checked_shl(count)?)?;
            return (fits(least) && fits(most))
                .then(|| Value::of(Pointer { at: self.at << count, scale, ..self }));
        }
        let exact = self.known_bits() >= count as usize;
        exact.then(|| Value::of(Pointer { at: self.at >> count, scale: self.scale >> count, ..self }))
    }

    /// A number times a known one, if that is below 2^62.
    pub fn times(self, factor: u64) -> Option<Value> {
        let [least, most] = ends(i128::from(self.at as i64), self.scale.into());
        let fits = |end: i128| end >= 0 && end.checked_mul(factor.into()).is_some_and(|end| end < 1 << 62);
        let scale = self.scale.checked_mul(i64::try_from(factor).ok()?)?;
        (self.is_number() && fits(least) && fits(most))
            .then(|| Value::of(Pointer { at: self.at.wrapping_mul(factor), scale, ..self }))
    }

    /// What a comparison of a number with 0 tells; nothing of a pointer.
    pub fn sign(self) -> Known {
        if !self.is_number() {
            return Known::default();
        }
        let [least, most] = ends(i128::from(self.at as i64), self.scale.into());
        let zero = match (least.signum(), most.signum()) {
            (0, 0) => Some(true),
            (1, 1) | (-1, -1) => Some(false),
            _ => None,
        };
        Known { zero, carry: Some(false), sign: ((least < 0) == (most < 0)).then_some(least < 0) }
    }

    /// The upper 64 bits of its product with a known number, if they grow evenly, too.
    pub fn upper_product(self, factor: u64) -> Option<Value> {
        let range = ends(i128::from(self.at as i64), self.scale.into());
        if !self.is_number() || range.iter().any(|end| !(0..1 << 62).contains(end)) || self.scale < 0 {
            return None;
        }
        let upper = |x: i128| ((x as u128 * u128::from(factor)) >> 64) as i128;
        let scale = upper(self.scale.into());
        // What is lost does not come to a whole from the one end to the other, and so nowhere.
        let [least, most] = range.map(upper);
        (least + scale * width() == most)
            .then(|| Value::of(Pointer { at: least as u64, scale: scale as i64, ..self }))
    }

    /// Its bits: the last ones are known, and of a number that is not negative the zeros above it.
    pub fn bits(self) -> [Bit; 64] {
        let mut bits = [Bit::ZERO; 64];
        // What grows with n is another number for the same least value where that is another n.
        let least = if self.scale == 0 { 0 } else { RANGE.get().least };
        let index = INDICES.with_borrow_mut(|known| {
            let next = known.len() as u64;
            *known.entry((self, least)).or_insert(next)
        });
        algebra::base(algebra::Kind::Address, index, &mut bits);
        let known = self.known_bits().min(63);
        for (i, bit) in bits.iter_mut().enumerate().take(known) {
            *bit = Bit::from(self.at >> i & 1 != 0);
        }
        let [least, most] = ends(i128::from(self.at as i64), self.scale.into());
        if self.is_number() && least >= 0 && most >= 0 {
            let len = 128 - least.max(most).leading_zeros() as usize;
            bits[len.max(known + 1)..].fill(Bit::ZERO);
        }
        BITS.with_borrow_mut(|known| known.insert(first_unknown(&bits), (self, bits)));
        bits
    }

    /// The pointer that has these bits, and zeros above them.
    pub fn from_bits(bits: &[Bit]) -> Option<Pointer> {
        let mut whole = [Bit::ZERO; 64];
        whole.get_mut(..bits.len())?.copy_from_slice(bits);
        BITS.with_borrow(|known| {
            known.get(&first_unknown(&whole)).filter(|(_, all)| *all == whole).map(|(pointer, _)| *pointer)
        })
    }

    /// A number without a region.
    fn number(at: u64) -> Pointer {
        Pointer { at, plus: 0, minus: 0, scale: 0 }
    }

    fn negative(self) -> Pointer {
        let scale = self.scale.wrapping_neg();
        Pointer { at: self.at.wrapping_neg(), plus: self.minus, minus: self.plus, scale }
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
        let scale = self.scale.checked_add(other.scale)?;
        Some(Pointer { at: self.at.wrapping_add(other.at), plus: one(plus)?, minus: one(minus)?, scale })
    }

    /// Whether it is an address in its region, or its end, for each n.
    fn is_inside(self, len: impl Fn(u64) -> Option<Length>) -> bool {
        let Some(len) = len(self.plus).filter(|_| self.plus != 0 && self.minus == 0) else { return false };
        let offset = i128::from(self.at.wrapping_sub(self.plus) as i64);
        let (scale, more) = (i128::from(self.scale), i128::from(len.scale));
        let before_end = ends(i128::from(len.least) - offset, more - scale);
        ends(offset, scale).into_iter().chain(before_end).all(|end| end >= 0)
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

    /// How much more it is than another one, if it grows the same way from the same region.
    pub fn more_than(self, other: Value) -> Option<i64> {
        let (a, b) = (self.pointer(), other.pointer());
        let same = Pointer { at: a.at, ..b } == a;
        same.then_some(a.at.wrapping_sub(b.at) as i64)
    }

    /// The same for a range whose least n is less by so much.
    pub fn for_less(self, less: u64) -> Value {
        let pointer = self.pointer();
        let at = pointer.at.wrapping_sub((pointer.scale as u64).wrapping_mul(less));
        Value::of(Pointer { at, ..pointer })
    }

    /// What it would be behind `least` laps and n more, if it grows by so much with each.
    pub fn behind(self, least: u64, scale: i64) -> Value {
        let pointer = self.pointer();
        let at = pointer.at.wrapping_add((scale as u64).wrapping_mul(least));
        Value::of(Pointer { at, scale, ..pointer })
    }

    /// The same for the least n, and growing by so much.
    pub fn growing(self, scale: i64) -> Value {
        Value::of(Pointer { scale, ..self.pointer() })
    }

    fn of(pointer: Pointer) -> Value {
        match pointer {
            Pointer { at, plus: 0, minus: 0, scale: 0 } => Value::Number(at),
            _ => Value::Pointer(pointer),
        }
    }
}

/// Adds or subtracts. Gives the result, if it is a number or a pointer, and what the processor's flags tell, if that is the
/// same wherever the regions lie, and for each n. `len`: the length of the region that starts there.
pub fn sum(
    a: Value,
    b: Value,
    subtract: bool,
    len: impl Fn(u64) -> Option<Length>,
) -> (Option<Value>, Option<Known>) {
    let (a, b) = (a.pointer(), b.pointer());
    let second = if subtract { b.negative() } else { b };
    let result = a.sum(second);
    let (value, wide) = if subtract {
        (a.at.wrapping_sub(b.at), a.at < b.at)
    } else {
        (a.at.wrapping_add(b.at), a.at.checked_add(b.at).is_none())
    };
    let told = Known { zero: Some(value == 0), carry: Some(wide), sign: Some(value >> 63 != 0) };
    let small = |number: Pointer| {
        number.is_number()
            && ends(i128::from(number.at as i64), number.scale.into())
                .iter()
                .all(|end| (0..LOWEST.into()).contains(end))
    };
    let told = match (subtract, result) {
        // Two addresses in regions: in the same one, or of regions whose order is kept.
        (true, Some(result)) if result.is_number() && a.is_inside(&len) && b.is_inside(&len) => {
            let known = result.sign();
            Some(Known { carry: known.sign, ..known })
        }
        (true, _) if a.is_inside(&len) && b.is_inside(&len) => Some(told),
        // An address and a number that is less than every address, and the other way round.
        (true, _) if a.is_inside(&len) && small(b) => Some(told),
        (true, _) if b.is_inside(&len) && small(a) => Some(told),
        // A distance and a length: it is at least that far.
        (true, _) if a.plus != 0 && a.minus != 0 && b.is_number() => at_least(a, b, &len),
        // An address that stays in its region.
        (false, Some(result)) if result.is_inside(&len) && (a.is_number() || b.is_number()) => Some(told),
        (_, Some(result)) if a.is_number() && b.is_number() => of_numbers(a, b, result, subtract),
        _ => None,
    };
    (result.map(Value::of), told)
}

/// What the sum or the difference of two numbers tells. As signed ones, both are negative for each n, or for none.
fn of_numbers(a: Pointer, b: Pointer, result: Pointer, subtract: bool) -> Option<Known> {
    let both = [a, b].map(|x| ends(i128::from(x.at as i64), x.scale.into()));
    if both.iter().flatten().any(|end| i64::try_from(*end).is_err()) {
        return None;
    }
    let negative = both.map(|[least, most]| ((least < 0) == (most < 0)).then_some(least < 0));
    let [a_negative, b_negative] = [negative[0]?, negative[1]?];
    let small = both.iter().flatten().all(|end| (-(1 << 61)..1 << 61).contains(end));
    if !small {
        // As numbers without sign, negative ones are the larger.
        let differ = subtract && a_negative != b_negative;
        return differ.then_some(Known { zero: Some(false), carry: Some(b_negative), sign: None });
    }
    let known = result.sign();
    let carry = match (subtract, a_negative, b_negative) {
        (true, false, true) => Some(true),
        (true, true, false) => Some(false),
        (true, ..) => known.sign,
        (false, false, false) => Some(false),
        (false, true, true) => Some(true),
        (false, ..) => known.sign.map(|negative| !negative),
    };
    Some(Known { carry, ..known })
}

/// What comparing a distance of two regions with a length tells: that it is not less, if it is so everywhere.
fn at_least(distance: Pointer, length: Pointer, len: impl Fn(u64) -> Option<Length>) -> Option<Known> {
    let not_less = Known { zero: Some(false), carry: Some(false), sign: Some(false) };
    if ends(i128::from(length.at as i64), length.scale.into()).iter().any(|end| !(0..1 << 62).contains(end)) {
        return None;
    }
    // What is added to the distance of the two starts.
    let made_up = distance.plus.wrapping_sub(distance.minus);
    let added = i128::from(distance.at.wrapping_sub(made_up) as i64);
    if made_up >> 63 != 0 {
        // The first lies below, by its length and a byte at least: as a number without sign the distance is more than any
        // length.
        let below = len(distance.plus)?;
        let [least, most] =
            ends(i128::from(below.least) - added, i128::from(below.scale) - i128::from(distance.scale));
        return (least >= 0 && most >= 0).then_some(Known { sign: Some(true), ..not_less });
    }
    // The first lies above: from the start of the lower region to that of the upper one is more than the lower one's length.
    let below = len(distance.minus)?;
    let least = i128::from(below.least) + 1 + added;
    let scale = i128::from(below.scale) + i128::from(distance.scale);
    let distances = ends(least, scale);
    let more = ends(least - i128::from(length.at), scale - i128::from(length.scale));
    (distances.iter().all(|end| *end > 0) && more.iter().all(|end| *end > 0)).then_some(not_less)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: u64 = 0x1000_0000;
    const B: u64 = 0x2000_0000;

    fn len(region: u64) -> Option<Length> {
        let known = [(A, 100), (B, 200)].into_iter().find(|(start, _)| *start == region);
        known.map(|(_, least)| Length { least, scale: 0 })
    }

    fn at(region: u64, offset: u64) -> Value {
        Value::Pointer(Pointer::new(region + offset, region))
    }

    #[test]
    fn offsets_are_numbers() {
        assert_eq!(sum(at(A, 3), Value::Number(4), false, len).0, Some(at(A, 7)));
        let (difference, told) = sum(at(A, 3), at(A, 7), true, len);
        assert_eq!(difference, Some(Value::Number(4u64.wrapping_neg())));
        assert_eq!(told, Some(Known { zero: Some(false), carry: Some(true), sign: Some(true) }));
        // Past its end, nothing is told.
        assert_eq!(sum(at(A, 3), Value::Number(98), false, len).1, None);
    }

    #[test]
    fn distances_lead_from_one_region_to_the_other() {
        let (Some(distance), told) = sum(at(B, 10), at(A, 20), true, len) else { panic!() };
        assert_eq!(told, Some(Known { zero: Some(false), carry: Some(false), sign: Some(false) }));
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

    /// Values that grow with n are computed with, and compared, as those for each n are.
    #[test]
    fn numbers_that_grow() {
        let range = Range { least: 3, most: 50 };
        set_range(range);
        let forms = [
            (0i64, 5i64),
            (0, 1),
            (512, 7),
            (64, 0),
            (512, 520),
            (-512, 40_000),
            (-64, -5),
            (1, -3),
            (2, -100),
        ];
        let word = |(scale, at): (i64, i64)| {
            let least = at.wrapping_add(scale * 3);
            Value::of(Pointer { at: least as u64, plus: 0, minus: 0, scale })
        };
        let number = |value: Value, n: u64| match value {
            Value::Number(number) => number,
            Value::Pointer(pointer) => {
                pointer.at.wrapping_add((pointer.scale as u64).wrapping_mul(n - range.least))
            }
        };
        let mut told = 0;
        for a in forms.map(word) {
            for b in forms.map(word) {
                for subtract in [false, true] {
                    let (value, known) = sum(a, b, subtract, len);
                    for n in range.least..=range.most {
                        let (x, y) = (number(a, n), number(b, n));
                        let (z, carry) = if subtract { x.overflowing_sub(y) } else { x.overflowing_add(y) };
                        assert_eq!(number(value.unwrap(), n), z);
                        let known = known.unwrap_or_default();
                        for (known, is) in
                            [(known.zero, z == 0), (known.carry, carry), (known.sign, z >> 63 != 0)]
                        {
                            assert!(known.is_none_or(|known| known == is), "{a:?} {b:?} {subtract} {n}");
                        }
                    }
                    told += known.map_or(0, |known| usize::from(known.carry.is_some()));
                }
            }
            let Value::Pointer(pointer) = a else { continue };
            for n in range.least..=range.most {
                let x = number(a, n);
                for count in [1, 3, 6, 9] {
                    let shifted = |left| pointer.shifted(count, left).map(|value| number(value, n));
                    assert!(shifted(true).is_none_or(|value| value == x << count));
                    assert!(shifted(false).is_none_or(|value| value == x >> count));
                }
                for mask in [15, 63, 511, !15, !511, 1 << 63] {
                    assert!(pointer.and(mask).is_none_or(|value| number(value, n) == x & mask));
                }
                assert!(pointer.times(24).is_none_or(|value| number(value, n) == x * 24));
                let Known { zero, sign, .. } = pointer.sign();
                assert!(
                    zero.is_none_or(|zero| zero == (x == 0))
                        && sign.is_none_or(|sign| sign == (x >> 63 != 0))
                );
                let third = 0xaaaa_aaaa_aaaa_aaab;
                let upper = pointer.upper_product(third).map(|value| number(value, n));
                assert!(
                    upper.is_none_or(|value| u128::from(value) == (u128::from(x) * u128::from(third)) >> 64)
                );
                for (i, bit) in pointer.bits().iter().enumerate() {
                    assert!(bit.known().is_none_or(|bit| bit == (x >> i & 1 != 0)));
                }
            }
        }
        assert!(told > 80, "{told} comparisons told something");
        let third = Pointer::count(6 * 3 + 5, 6).upper_product(0xaaaa_aaaa_aaaa_aaab);
        assert_eq!(
            third.and_then(|value| value.pointer().shifted(1, false)),
            Some(Value::Pointer(Pointer::count(7, 2)))
        );
        let length = Pointer::count(512 * 3 + 7, 512);
        assert_eq!(length.shifted(4, false), Some(Value::Pointer(Pointer::count(96, 32))));
        assert_eq!(length.and(15), Some(Value::Number(7)));
        set_range(Range { least: 0, most: 0 });
    }
}
