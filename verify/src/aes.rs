//! The transformations of AES on 128 bits, known or not. Byte `i` of a block is bits `8 i` to `8 i + 7`, least significant
//! first; FIPS 197, 3.4 places it in row `i % 4` and column `i / 4` of the state.
//!
//! SubBytes and its inverse are uninterpreted functions of a byte unless that is known; everything else is exact. Both the
//! specification and the models of the processors' AES instructions are made of these.

use crate::{
    algebra::{Bit, Function, block_function, byte_function},
    sbox::TABLES,
};

/// 16 bytes.
pub type Block = [Bit; 128];
/// Eight bits.
pub type Byte = [Bit; 8];

/// The bits of known bytes.
pub fn known(bytes: &[u8]) -> Vec<Bit> {
    bytes.iter().flat_map(|byte| (0..8).map(move |i| Bit::from(byte >> i & 1 != 0))).collect()
}

/// A known block.
pub fn known_block(bytes: [u8; 16]) -> Block {
    known(&bytes).try_into().expect("16 bytes")
}

fn byte(block: &Block, i: usize) -> Byte {
    block[8 * i..8 * i + 8].try_into().expect("eight bits")
}

fn from_bytes(mut byte: impl FnMut(usize) -> Byte) -> Block {
    let mut block = [Bit::ZERO; 128];
    for i in 0..16 {
        block[8 * i..8 * i + 8].copy_from_slice(&byte(i));
    }
    block
}

fn xor_bytes(a: Byte, b: Byte) -> Byte {
    std::array::from_fn(|i| a[i] ^ b[i])
}

/// AddRoundKey (FIPS 197, 5.1.4).
pub fn xor(a: &Block, b: &Block) -> Block {
    std::array::from_fn(|i| a[i] ^ b[i])
}

/// The S-box (FIPS 197, 5.1.1) or its inverse (5.3.2) on a byte.
pub fn substitute(which: Function, input: &Byte) -> Byte {
    let mut value = 0usize;
    for (i, bit) in input.iter().enumerate() {
        match bit.known() {
            Some(bit) => value |= usize::from(bit) << i,
            None => return byte_function(which, input),
        }
    }
    let output = match which {
        Function::Sub => TABLES.sub[value],
        Function::InverseSub => TABLES.inverse[value],
    };
    std::array::from_fn(|i| Bit::from(output >> i & 1 != 0))
}

/// SubBytes (FIPS 197, 5.1.1) or InvSubBytes (5.3.2).
pub fn sub_bytes(which: Function, state: &Block) -> Block {
    let is_known = |byte: &[Bit]| byte.iter().all(|bit| bit.known().is_some());
    if state.chunks(8).any(is_known) {
        return from_bytes(|i| substitute(which, &byte(state, i)));
    }
    block_function(which, state)
}

/// ShiftRows (FIPS 197, 5.1.2): row r moves to the left by r columns.
pub fn shift_rows(state: &Block) -> Block {
    from_bytes(|i| byte(state, (i + 4 * (i % 4)) % 16))
}

/// InvShiftRows (FIPS 197, 5.3.1): row r moves to the right by r columns.
pub fn inv_shift_rows(state: &Block) -> Block {
    from_bytes(|i| byte(state, (i + 16 - 4 * (i % 4)) % 16))
}

/// Times {02} (FIPS 197, 4.2.1).
fn double(x: Byte) -> Byte {
    let mut twice: Byte = std::array::from_fn(|i| if i == 0 { Bit::ZERO } else { x[i - 1] });
    for i in [0, 1, 3, 4] {
        twice[i] = twice[i] ^ x[7];
    }
    twice
}

/// MixColumns (FIPS 197, 5.1.3): each column times {03}x^3 + {01}x^2 + {01}x + {02}.
pub fn mix_columns(state: &Block) -> Block {
    from_bytes(|i| {
        let row = |r: usize| byte(state, i / 4 * 4 + (i + r) % 4);
        let (one, rest) = (row(1), xor_bytes(row(2), row(3)));
        xor_bytes(double(xor_bytes(row(0), one)), xor_bytes(one, rest))
    })
}

/// InvMixColumns (FIPS 197, 5.3.3): each column times {0b}x^3 + {0d}x^2 + {09}x + {0e}, which is the polynomial of
/// MixColumns times {04}x^2 + {05}.
pub fn inv_mix_columns(state: &Block) -> Block {
    mix_columns(&from_bytes(|i| {
        let row = |r: usize| byte(state, i / 4 * 4 + (i + r) % 4);
        xor_bytes(row(0), double(double(xor_bytes(row(0), row(2)))))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::algebra::{Kind, base};

    fn hex(text: &str) -> Block {
        let byte = |i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap();
        known_block(std::array::from_fn(byte))
    }

    /// FIPS 197, appendix B, the first round.
    #[test]
    fn first_round_of_the_standard() {
        let start = hex("193de3bea0f4e22b9ac68d2ae9f84808");
        let substituted = sub_bytes(Function::Sub, &start);
        assert_eq!(substituted, hex("d42711aee0bf98f1b8b45de51e415230"));
        let shifted = shift_rows(&substituted);
        assert_eq!(shifted, hex("d4bf5d30e0b452aeb84111f11e2798e5"));
        assert_eq!(mix_columns(&shifted), hex("046681e5e0cb199a48f8d37a2806264c"));
    }

    #[test]
    fn inverses_of_unknown_states() {
        let mut state = [Bit::ZERO; 128];
        base(Kind::Data, 0, &mut state);
        assert_eq!(inv_shift_rows(&shift_rows(&state)), state);
        assert_eq!(inv_mix_columns(&mix_columns(&state)), state);
        let start = hex("193de3bea0f4e22b9ac68d2ae9f84808");
        assert_eq!(sub_bytes(Function::InverseSub, &sub_bytes(Function::Sub, &start)), start);
    }
}
