//! Keys, tweaks and data: unknown bits for theorems, random numbers for counterexamples.

use crate::{
    aes::known,
    algebra::{self, Bit},
};

/// Bytes of a block.
const BLOCK: usize = 16;

/// What keys, tweaks and data are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inputs {
    /// Unknown, for theorems.
    Unknown,
    /// Numbers, for a counterexample.
    Numbers(u64),
}

impl Inputs {
    /// The bits of an input's bytes from the `from`th on, as many as there is room for.
    pub fn read(self, kind: algebra::Kind, from: usize, out: &mut [Bit]) {
        match self {
            Inputs::Unknown => {
                // A block's bits are drawn together.
                let (mut at, mut block) = (from, [Bit::ZERO; 8 * BLOCK]);
                let mut rest = out;
                while !rest.is_empty() {
                    let (index, skipped) = ((at / BLOCK) as u64, 8 * (at % BLOCK));
                    let len = rest.len().min(8 * BLOCK - skipped);
                    let (part, behind) = rest.split_at_mut(len);
                    if skipped == 0 {
                        algebra::base(kind, index, part);
                    } else {
                        algebra::base(kind, index, &mut block[..skipped + len]);
                        part.copy_from_slice(&block[skipped..skipped + len]);
                    }
                    (rest, at) = (behind, at + len / 8);
                }
            }
            Inputs::Numbers(seed) => {
                let mut random = Random(seed ^ (kind as u64) << 56);
                random.skip(from as u64);
                for byte in out.chunks_mut(8) {
                    byte.copy_from_slice(&known(&[random.next() as u8]));
                }
            }
        }
    }

    /// The bits of an input's first bytes.
    pub fn bits(self, kind: algebra::Kind, bytes: usize) -> Vec<Bit> {
        let mut bits = vec![Bit::ZERO; 8 * bytes];
        self.read(kind, 0, &mut bits);
        bits
    }
}

/// Numbers that look random (SplitMix64).
pub struct Random(pub u64);

impl Random {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

    /// The next one.
    pub fn next(&mut self) -> u64 {
        self.skip(1);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Leaves out so many.
    fn skip(&mut self, count: u64) {
        self.0 = self.0.wrapping_add(Self::STEP.wrapping_mul(count));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A part is the same bits as in the whole.
    #[test]
    fn parts_of_inputs() {
        for inputs in [Inputs::Unknown, Inputs::Numbers(5)] {
            let whole = inputs.bits(algebra::Kind::Data, 100);
            for (from, len) in
                [(0, 100), (0, 5), (16, 16), (3, 13), (3, 14), (7, 60), (31, 2), (99, 1), (40, 0)]
            {
                let mut part = vec![Bit::ZERO; 8 * len];
                inputs.read(algebra::Kind::Data, from, &mut part);
                assert_eq!(part, whole[8 * from..8 * (from + len)], "{inputs:?}, {len} bytes at {from}");
            }
        }
    }
}
