//! The specification: FIPS 197 and IEEE Std 1619-2007, as they are written.
//!
//! This file is trusted: what the proofs say is that the machine code computes what stands here. Numbers in comments are
//! sections of the standards.

use crate::{
    aes::{
        Block, Byte, inv_mix_columns, inv_shift_rows, mix_columns, shift_rows, sub_bytes, substitute, xor,
    },
    algebra::{
        Bit,
        Function::{InverseSub, Sub},
    },
    sbox::double,
};

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// Plaintext to ciphertext.
    Encrypt,
    /// Ciphertext to plaintext.
    Decrypt,
}

/// FIPS 197, 5.2: the round keys of a key of 16 or 32 bytes.
pub fn key_expansion(key: &[Byte]) -> Vec<Block> {
    let nk = key.len() / 4;
    let nr = nk + 6;
    let mut w: Vec<[Byte; 4]> = Vec::new();
    let mut rcon = 0x01;
    for i in 0..4 * (nr + 1) {
        if i < nk {
            w.push([key[4 * i], key[4 * i + 1], key[4 * i + 2], key[4 * i + 3]]);
            continue;
        }
        let mut temp = w[i - 1];
        if i % nk == 0 {
            temp.rotate_left(1);
            temp = temp.map(|byte| substitute(Sub, &byte));
            for bit in 0..8 {
                temp[0][bit] = temp[0][bit] ^ Bit::from(rcon >> bit & 1 != 0);
            }
            rcon = double(rcon);
        } else if nk > 6 && i % nk == 4 {
            temp = temp.map(|byte| substitute(Sub, &byte));
        }
        let before = w[i - nk];
        w.push(std::array::from_fn(|byte| std::array::from_fn(|bit| before[byte][bit] ^ temp[byte][bit])));
    }
    w.chunks(4).map(|words| words.as_flattened().as_flattened().try_into().expect("four words")).collect()
}

/// FIPS 197, 5.1.
pub fn cipher(w: &[Block], input: &Block) -> Block {
    let nr = w.len() - 1;
    let mut state = xor(input, &w[0]);
    for round in 1..nr {
        state = xor(&mix_columns(&shift_rows(&sub_bytes(Sub, &state))), &w[round]);
    }
    xor(&shift_rows(&sub_bytes(Sub, &state)), &w[nr])
}

/// FIPS 197, 5.3.
pub fn inv_cipher(w: &[Block], input: &Block) -> Block {
    let nr = w.len() - 1;
    let mut state = xor(input, &w[nr]);
    for round in (1..nr).rev() {
        state = inv_mix_columns(&xor(&sub_bytes(InverseSub, &inv_shift_rows(&state)), &w[round]));
    }
    xor(&sub_bytes(InverseSub, &inv_shift_rows(&state)), &w[0])
}

/// IEEE 1619, 5.2: times alpha in GF(2^128), modulo x^128 + x^7 + x^2 + x + 1.
pub fn times_alpha(t: &Block) -> Block {
    let mut product = [Bit::ZERO; 128];
    product[1..].copy_from_slice(&t[..127]);
    for i in [0, 1, 2, 7] {
        product[i] = product[i] ^ t[127];
    }
    product
}

/// IEEE 1619, 5.3.1 and 5.4.1: one block under the encrypted tweak of its place.
pub fn block(key1: &[Block], t: &Block, input: &Block, direction: Direction) -> Block {
    let pp = xor(input, t);
    let cc = match direction {
        Direction::Encrypt => cipher(key1, &pp),
        Direction::Decrypt => inv_cipher(key1, &pp),
    };
    xor(&cc, t)
}

/// IEEE 1619, 5.3.2 and 5.4.2: a data unit of `len` bytes, at least 16. `t` is its encrypted tweak, which is
/// `cipher(key2, tweak)`; `block(t, p)` is [`block`] of the first key and a direction. `p(j)` is its block j; of a partial one
/// the first bytes count. `output` is given what it becomes, from the first byte on.
pub fn unit(
    mut t: Block,
    mut block: impl FnMut(&Block, &Block) -> Block,
    len: usize,
    p: impl Fn(usize) -> Block,
    mut output: impl FnMut(&[Bit]),
    direction: Direction,
) {
    // m whole blocks, and b bytes.
    let (m, b) = (len / 16, len % 16);
    for j in 0..if b == 0 { m } else { m - 1 } {
        output(&block(&t, &p(j)));
        t = times_alpha(&t);
    }
    if b != 0 {
        // The last whole block and the partial one; decryption takes their tweaks in the other order.
        let behind = times_alpha(&t);
        let (first, second) = match direction {
            Direction::Encrypt => (t, behind),
            Direction::Decrypt => (behind, t),
        };
        let cc = block(&first, &p(m - 1));
        let mut pp = cc;
        pp[..8 * b].copy_from_slice(&p(m)[..8 * b]);
        output(&block(&second, &pp));
        output(&cc[..8 * b]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        aes::{known, known_block},
        algebra::{Kind, base},
    };

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len() / 2).map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap()).collect()
    }

    fn expand(key: &[u8]) -> Vec<Block> {
        key_expansion(known(key).as_chunks().0)
    }

    /// FIPS 197, appendices C.1 and C.3.
    #[test]
    fn examples_of_fips_197() {
        let plain = known_block(std::array::from_fn(|i| 0x11 * i as u8));
        for (len, text) in
            [(16, "69c4e0d86a7b0430d8cdb78070b4c55a"), (32, "8ea2b7ca516745bfeafc49904b496089")]
        {
            let keys = expand(&(0..len).collect::<Vec<u8>>());
            let encrypted = cipher(&keys, &plain);
            assert_eq!(encrypted[..], known(&hex(text)));
            assert_eq!(inv_cipher(&keys, &encrypted), plain);
        }
    }

    /// IEEE 1619-2007, appendix B: vectors 1, 2 and 15, the last one with stealing.
    #[test]
    fn vectors_of_ieee_1619() {
        let counting = |len: usize| (0..len).map(|i| i as u8).collect::<Vec<u8>>();
        let cases = [
            (
                "00".repeat(16),
                "00".repeat(16),
                0,
                vec![0; 32],
                "917cf69ebd68b2ec9b9fe9a3eadda692cd43d2f59598ed858c02c2652fbf922e",
            ),
            (
                "11".repeat(16),
                "22".repeat(16),
                0x33_3333_3333,
                vec![0x44; 32],
                "c454185e6a16936e39334038acef838bfb186fff7480adc4289382ecd6d394f0",
            ),
            (
                "fffefdfcfbfaf9f8f7f6f5f4f3f2f1f0".into(),
                "bfbebdbcbbbab9b8b7b6b5b4b3b2b1b0".into(),
                0x12_3456_789a,
                counting(17),
                "6c1625db4671522d3d7599601de7ca09ed",
            ),
        ];
        for (key1, key2, number, plain, want) in cases {
            let (key1, key2) = (expand(&hex(&key1)), expand(&hex(&key2)));
            let tweak = known_block(u128::to_le_bytes(number));
            let unit = |input: &[Bit], direction| {
                let mut output = Vec::new();
                let p = |j: usize| {
                    let mut block = [Bit::ZERO; 128];
                    let part = &input[128 * j..input.len().min(128 * j + 128)];
                    block[..part.len()].copy_from_slice(part);
                    block
                };
                let take = |bits: &[Bit]| output.extend_from_slice(bits);
                let block = |t: &Block, p: &Block| block(&key1, t, p, direction);
                unit(cipher(&key2, &tweak), block, input.len() / 8, p, take, direction);
                output
            };
            let encrypted = unit(&known(&plain), Direction::Encrypt);
            assert_eq!(encrypted, known(&hex(want)));
            assert_eq!(unit(&encrypted, Direction::Decrypt), known(&plain));
        }
    }

    /// The first round keys are the key.
    #[test]
    fn keys_of_unknown_bits() {
        let mut key = [Bit::ZERO; 256];
        base(Kind::Key, 0, &mut key);
        let keys = key_expansion(key.as_chunks().0);
        assert_eq!(keys.len(), 15);
        assert_eq!(keys[0][..], key[..128]);
        assert_eq!(keys[1][..], key[128..]);
    }
}
