//! Values of registers: 64 bits, or the 128 bits of a vector register's lane; known as a whole, or bit by bit.

use std::rc::Rc;

use crate::{
    algebra::{self, Bit, NotLinear},
    pointers::{Pointer, Value},
    rounds,
};

/// 64 bits.
#[derive(Clone, Debug)]
pub enum Word {
    /// A number.
    Known(u64),
    /// Bits, some of which are not known.
    Bits(Rc<[Bit; 64]>),
    /// An address in a region that may lie anywhere, or the distance of two.
    Pointer(Pointer),
}

impl Word {
    /// Its bits.
    pub fn bits(&self) -> [Bit; 64] {
        match self {
            Word::Known(x) => std::array::from_fn(|i| Bit::from(x >> i & 1 != 0)),
            Word::Bits(bits) => **bits,
            Word::Pointer(pointer) => pointer.bits(),
        }
    }

    /// Up to 64 bits; zeros above them.
    pub fn from_bits(bits: &[Bit]) -> Word {
        let mut value = 0;
        for (i, bit) in bits.iter().enumerate() {
            match bit.known() {
                Some(bit) => value |= u64::from(bit) << i,
                None => {
                    if let Some(pointer) = Pointer::from_bits(bits) {
                        return Word::Pointer(pointer);
                    }
                    let mut all = [Bit::ZERO; 64];
                    all[..bits.len()].copy_from_slice(bits);
                    return Word::Bits(Rc::new(all));
                }
            }
        }
        Word::Known(value)
    }

    /// Its value, if that is always the same.
    pub fn known(&self) -> Option<u64> {
        match self {
            Word::Known(x) => Some(*x),
            Word::Bits(_) | Word::Pointer(_) => None,
        }
    }

    /// Its value as an address: known, or a region and an offset.
    pub fn address(&self) -> Option<u64> {
        match self {
            Word::Known(x) => Some(*x),
            Word::Pointer(pointer) => pointer.address(),
            Word::Bits(_) => None,
        }
    }

    /// Its value, if it is a number or a pointer.
    pub fn value(&self) -> Option<Value> {
        match self {
            Word::Known(x) => Some(Value::Number(*x)),
            Word::Pointer(pointer) => Some(Value::Pointer(*pointer)),
            Word::Bits(_) => None,
        }
    }

    /// The lowest `bytes` bytes; zeros above them.
    pub fn low(&self, bytes: usize) -> Word {
        match self {
            Word::Known(x) => Word::Known(x & mask(bytes)),
            Word::Pointer(_) if bytes == 8 => self.clone(),
            Word::Bits(_) | Word::Pointer(_) => Word::from_bits(&self.bits()[..8 * bytes]),
        }
    }

    /// The lowest `bytes` bytes, and their sign above them.
    pub fn sign_extended(&self, bytes: usize) -> Word {
        match self {
            Word::Known(x) => {
                let unused = 64 - 8 * bytes;
                Word::Known(((x << unused) as i64 >> unused) as u64)
            }
            Word::Pointer(_) if bytes == 8 => self.clone(),
            Word::Bits(_) | Word::Pointer(_) => {
                let bits = self.bits();
                Word::from_bits(&std::array::from_fn::<Bit, 64, _>(|i| bits[i.min(8 * bytes - 1)]))
            }
        }
    }

    /// Output bit `i` is input bit `from(i)`, or 0.
    pub fn moved(&self, from: impl Fn(usize) -> Option<usize>) -> Word {
        let bits = self.bits();
        Word::from_bits(&std::array::from_fn::<Bit, 64, _>(|i| from(i).map_or(Bit::ZERO, |j| bits[j])))
    }

    /// Whether both are the same bits.
    pub fn is_same(&self, other: &Word) -> bool {
        match (self, other) {
            (Word::Known(a), Word::Known(b)) => a == b,
            (Word::Bits(a), Word::Bits(b)) => Rc::ptr_eq(a, b) || a == b,
            (Word::Pointer(a), Word::Pointer(b)) => a == b,
            _ => false,
        }
    }
}

impl From<Value> for Word {
    fn from(value: Value) -> Word {
        match value {
            Value::Number(number) => Word::Known(number),
            Value::Pointer(pointer) => Word::Pointer(pointer),
        }
    }
}

/// The lowest `bytes` bytes of a word.
pub fn mask(bytes: usize) -> u64 {
    u64::MAX >> (64 - 8 * bytes)
}

/// 128 bits: a lane of a vector register.
#[derive(Clone, Debug)]
pub enum Lane {
    /// A number.
    Known(u128),
    /// Bits, some of which are not known.
    Bits(Rc<[Bit; 128]>),
    /// What an AES instruction makes of others that are not known.
    Round(Rc<rounds::Result>),
}

impl Lane {
    /// All bits 0.
    pub const ZERO: Lane = Lane::Known(0);

    /// Its bits.
    pub fn bits(&self) -> [Bit; 128] {
        match self {
            Lane::Known(x) => std::array::from_fn(|i| Bit::from(x >> i & 1 != 0)),
            Lane::Bits(bits) => **bits,
            Lane::Round(result) => **result.bits(),
        }
    }

    /// Its bits, if some of them are not known.
    pub fn unknown(&self) -> Option<&Rc<[Bit; 128]>> {
        match self {
            Lane::Known(_) => None,
            Lane::Bits(bits) => Some(bits),
            Lane::Round(result) => Some(result.bits()),
        }
    }

    /// Its bits, without a copy if they are not known.
    pub fn shared(&self) -> Rc<[Bit]> {
        match self.unknown() {
            Some(bits) => bits.clone(),
            None => Rc::new(self.bits()),
        }
    }

    /// A lane of bits.
    pub fn from_bits(bits: &[Bit; 128]) -> Lane {
        let mut value = 0;
        for (i, bit) in bits.iter().enumerate() {
            match bit.known() {
                Some(bit) => value |= u128::from(bit) << i,
                None => return Lane::Bits(Rc::new(*bits)),
            }
        }
        Lane::Known(value)
    }

    /// Its value, if that is always the same.
    pub fn known(&self) -> Option<u128> {
        match self {
            Lane::Known(x) => Some(*x),
            Lane::Bits(_) | Lane::Round(_) => None,
        }
    }

    /// The exclusive or.
    pub fn xor(&self, other: &Lane) -> Lane {
        match (self, other) {
            (Lane::Known(a), Lane::Known(b)) => return Lane::Known(a ^ b),
            (Lane::Known(0), x) | (x, Lane::Known(0)) => return x.clone(),
            _ => {}
        }
        match (self.unknown(), other.unknown()) {
            (Some(a), Some(b)) if Rc::ptr_eq(a, b) => Lane::ZERO,
            (Some(a), Some(b)) => Lane::from_bits(&std::array::from_fn(|i| a[i] ^ b[i])),
            _ => {
                let (a, b) = (self.bits(), other.bits());
                Lane::from_bits(&std::array::from_fn(|i| a[i] ^ b[i]))
            }
        }
    }

    /// The complement.
    pub fn not(&self) -> Lane {
        self.xor(&Lane::Known(!0))
    }

    /// Bit by bit.
    pub fn zip(
        &self,
        other: &Lane,
        f: impl Fn(Bit, Bit) -> Result<Bit, NotLinear>,
    ) -> Result<Lane, NotLinear> {
        let (a, b, mut out) = (self.bits(), other.bits(), [Bit::ZERO; 128]);
        for i in 0..128 {
            out[i] = f(a[i], b[i])?;
        }
        Ok(Lane::from_bits(&out))
    }

    /// The product of each two bits.
    pub fn and(&self, other: &Lane) -> Result<Lane, NotLinear> {
        match (self, other) {
            (Lane::Known(a), Lane::Known(b)) => Ok(Lane::Known(a & b)),
            _ => self.zip(other, Bit::and),
        }
    }

    /// The lower half (0) or the upper one (1).
    pub fn half(&self, which: usize) -> Word {
        match self {
            Lane::Known(x) => Word::Known((x >> (64 * which)) as u64),
            Lane::Bits(bits) => Word::from_bits(&bits[64 * which..64 * which + 64]),
            Lane::Round(result) => Word::from_bits(&result.bits()[64 * which..64 * which + 64]),
        }
    }

    /// Of two halves.
    pub fn from_halves(low: &Word, high: &Word) -> Lane {
        if let (Word::Known(low), Word::Known(high)) = (low, high) {
            return Lane::Known(u128::from(*low) | u128::from(*high) << 64);
        }
        let mut bits = [Bit::ZERO; 128];
        bits[..64].copy_from_slice(&low.bits());
        bits[64..].copy_from_slice(&high.bits());
        Lane::from_bits(&bits)
    }

    /// A word's lowest `bytes` bytes, over and over.
    pub fn repeated(word: &Word, bytes: usize) -> Lane {
        let bits = word.bits();
        Lane::from_bits(&std::array::from_fn(|i| bits[i % (8 * bytes)]))
    }

    /// Output byte `i` is input byte `from(i)`, or 0.
    pub fn bytes(&self, from: impl Fn(usize) -> Option<usize>) -> Lane {
        match (self.known(), self.unknown()) {
            (Some(x), _) => {
                let bytes = x.to_le_bytes();
                Lane::Known(u128::from_le_bytes(std::array::from_fn(|i| from(i).map_or(0, |j| bytes[j]))))
            }
            (None, None) => Lane::ZERO,
            (None, Some(bits)) => {
                let mut out = [Bit::ZERO; 128];
                for i in 0..16 {
                    if let Some(j) = from(i) {
                        out[8 * i..8 * i + 8].copy_from_slice(&bits[8 * j..8 * j + 8]);
                    }
                }
                Lane::from_bits(&out)
            }
        }
    }

    /// Applies `f` to elements of `size` bits of both: two inputs, and the output.
    pub fn elements(
        &self,
        other: &Lane,
        size: usize,
        mut f: impl FnMut(&[Bit], &[Bit], &mut [Bit]) -> Result<(), NotLinear>,
    ) -> Result<Lane, NotLinear> {
        let (a, b, mut out) = (self.bits(), other.bits(), [Bit::ZERO; 128]);
        for i in (0..128).step_by(size) {
            f(&a[i..i + size], &b[i..i + size], &mut out[i..i + size])?;
        }
        Ok(Lane::from_bits(&out))
    }
}

/// Bits that nothing else knows. Each thread counts its own; none compares with another's.
#[derive(Debug, Default)]
pub struct Unknowns(u64);

impl Unknowns {
    /// From the first one on.
    pub fn new() -> Unknowns {
        Unknowns(0)
    }

    /// Fills with new bits.
    pub fn fill(&mut self, out: &mut [Bit]) {
        self.0 += 1;
        algebra::base(algebra::Kind::Unknown, self.0, out);
    }

    /// A new word.
    pub fn word(&mut self) -> Word {
        let mut bits = [Bit::ZERO; 64];
        self.fill(&mut bits);
        Word::from_bits(&bits)
    }

    /// A new lane.
    pub fn lane(&mut self) -> Lane {
        let mut bits = [Bit::ZERO; 128];
        self.fill(&mut bits);
        Lane::from_bits(&bits)
    }
}
