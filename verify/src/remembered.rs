//! What the specification made of blocks before: most are wanted again, for the next length or count.
//!
//! A result is found by the bits that it was computed from: all of them are compared. Hashes only lead to what to compare with.

use std::{
    collections::HashMap,
    hash::{BuildHasherDefault, Hash, Hasher},
    rc::Rc,
};

use crate::{aes::Block, algebra};

/// A hash for what nobody attacks: bits of sums, which are random or small numbers.
#[derive(Default)]
pub struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64((*byte).into()));
    }

    fn write_u32(&mut self, x: u32) {
        self.write_u64(x.into());
    }

    fn write_u64(&mut self, x: u64) {
        self.0 = (self.0.rotate_left(23) ^ x).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_u128(&mut self, x: u128) {
        self.write_u64(x as u64 ^ (x >> 64) as u64);
    }

    fn write_usize(&mut self, x: usize) {
        self.write_u64(x as u64);
    }

    fn write_isize(&mut self, x: isize) {
        self.write_u64(x as u64);
    }
}

/// Hashes so.
pub type Quickly = BuildHasherDefault<Quick>;

/// A hash of some of the bits.
fn hash(block: &Block) -> u64 {
    let mut hash = Quick::default();
    block.iter().step_by(17).for_each(|bit| bit.hash(&mut hash));
    hash.finish()
}

/// Blocks that were seen, by their hashes.
#[derive(Default)]
pub struct Firsts(HashMap<u64, Rc<Block>, Quickly>);

impl Firsts {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The block with the same bits that was seen first, if it was seen.
    pub fn like(&mut self, block: &Rc<Block>) -> Rc<Block> {
        let first = self.0.entry(hash(block)).or_insert_with(|| block.clone());
        if !Rc::ptr_eq(first, block) && !algebra::same(&first[..], &block[..]) {
            // Another one with the same hash, which is forgotten.
            *first = block.clone();
        }
        first.clone()
    }
}

/// A function of two blocks, as far as it was computed: both, and the result.
#[derive(Default)]
pub struct Remembered {
    results: HashMap<u64, Box<[Block; 3]>, Quickly>,
    most: usize,
}

/// How many results are kept at least, of six kilobytes each.
const LEAST: usize = 500;

impl Remembered {
    /// Keeps so many results.
    pub fn expect(&mut self, results: usize) {
        self.most = LEAST.max(results);
    }

    /// `compute`'s result for both. It is the same function each time.
    pub fn once(&mut self, a: &Block, b: &Block, compute: impl FnOnce(&Block, &Block) -> Block) -> Block {
        let hash = hash(a).rotate_left(1) ^ hash(b);
        if let Some(known) = self.results.get(&hash)
            && algebra::same(&known[0], a)
            && algebra::same(&known[1], b)
        {
            return known[2];
        }
        let result = compute(a, b);
        if self.results.len() > self.most {
            self.results.clear();
        }
        self.results.insert(hash, Box::new([*a, *b, result]));
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aes::xor,
        algebra::{Bit, Kind, base},
    };

    fn block(index: u64) -> Block {
        let mut bits = [Bit::ZERO; 128];
        base(Kind::Data, index, &mut bits);
        bits
    }

    #[test]
    fn computes_what_is_new_alone() {
        let (mut remembered, mut count) = (Remembered::default(), 0);
        let mut sum = |a: Block, b: Block| {
            let sum = remembered.once(&a, &b, |a, b| {
                count += 1;
                xor(a, b)
            });
            assert_eq!(sum, xor(&a, &b));
            count
        };
        assert_eq!(sum(block(0), block(1)), 1);
        assert_eq!(sum(block(0), block(1)), 1);
        assert_eq!(sum(block(1), block(0)), 2);
        // Whether the hash sees the different bit or not.
        for i in 0..128 {
            let (mut a, mut b) = (block(2), block(3));
            a[i] = !a[i];
            assert_eq!(sum(a, b), 3 + 2 * i);
            assert_eq!(sum(a, b), 3 + 2 * i);
            a[i] = !a[i];
            b[i] = !b[i];
            assert_eq!(sum(a, b), 4 + 2 * i);
        }
    }

    #[test]
    fn firsts_are_the_same_bits() {
        let mut firsts = Firsts::default();
        let [a, same, mut other] = [(); 3].map(|()| Rc::new(block(0)));
        assert!(Rc::ptr_eq(&firsts.like(&a), &a));
        assert!(Rc::ptr_eq(&firsts.like(&same), &a));
        for i in 0..128 {
            let bits = Rc::make_mut(&mut other);
            bits[i] = !bits[i];
            assert_eq!(firsts.like(&other), other, "bit {i}");
        }
    }
}
