//! The S-box of AES and its inverse as circuits of xor and and gates: no table, no branch, on as many bytes at once as a
//! value has bits.
//!
//! Both are the inversion in GF(2^8) between two linear maps (FIPS 197, 5.1.1 and 5.3.2). The inversion is that of Boyar
//! and Peralta, "A new combinational logic minimization technique with applications to cryptology" (2010), in a tower of
//! fields: 62 gates. The linear maps were searched for it by computer, as the shortest programs that a greedy search
//! found: 51 gates for the S-box, 52 for the inverse. The tests below try every byte.

use core::ops::{BitAnd, BitXor};

/// What gates work on: one bit a byte.
pub(crate) trait Bits: Copy + BitXor<Output = Self> + BitAnd<Output = Self> {}

impl<T: Copy + BitXor<Output = T> + BitAnd<Output = T>> Bits for T {}

/// Linear maps of a byte, in the order that [`invert`] takes.
type Forms<T> = [T; 22];
/// The products that [`invert`] gives, of which bits of the inverse are sums.
type Products<T> = [T; 18];

/// The S-box without its constant: what comes out is to be xored with 0x63. Bit `i` of each byte is in `x[i]`.
#[cfg_attr(optimized, inline(always))]
pub(crate) fn substitute<T: Bits>(x: [T; 8]) -> [T; 8] {
    let [x0, x1, x2, x3, x4, x5, x6, x7] = x;
    let t0 = x3 ^ x1;
    let y9 = x7 ^ x4;
    let t1 = x6 ^ x5;
    let t2 = t0 ^ x2;
    let y1 = t1 ^ x0;
    let y16 = t2 ^ x5;
    let y15 = y9 ^ t0;
    let y13 = x7 ^ x1;
    let y14 = x4 ^ x2;
    let y11 = t2 ^ x6;
    let y21 = y13 ^ y16;
    let y10 = y15 ^ t1;
    let y8 = x7 ^ x2;
    let y5 = y1 ^ x1;
    let y19 = y8 ^ y10;
    let y2 = y1 ^ x7;
    let y6 = y15 ^ x0;
    let y20 = y11 ^ y9;
    let y7 = y11 ^ x0;
    let y4 = y1 ^ x4;
    let y12 = y14 ^ y13;
    let y17 = y10 ^ y11;
    let y3 = y12 ^ y4;
    let y18 = y16 ^ x7;
    let z = invert([
        x0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21,
    ]);
    let [z0, z1, z2, z3, z4, z5, z6, z7, z8, z9, z10, z11, z12, z13, z14, z15, z16, z17] = z;
    let t0 = z4 ^ z3;
    let t1 = z1 ^ z0;
    let t2 = t0 ^ t1;
    let t3 = z10 ^ z16;
    let t4 = z9 ^ z15;
    let t5 = t4 ^ t3;
    let t6 = t2 ^ t5;
    let t7 = z7 ^ t0;
    let t8 = z6 ^ t7;
    let t9 = t5 ^ t8;
    let t10 = z2 ^ z0;
    let t11 = z8 ^ t10;
    let t12 = t7 ^ t11;
    let t13 = z12 ^ z15;
    let t14 = z14 ^ t13;
    let t15 = t14 ^ t12;
    let t16 = z5 ^ z3;
    let t17 = t10 ^ t16;
    let t18 = z13 ^ z16;
    let t19 = t13 ^ t17;
    let t20 = t18 ^ t19;
    let t21 = t12 ^ t20;
    let t22 = z11 ^ t3;
    let t23 = t22 ^ t15;
    let t24 = t17 ^ t6;
    let t25 = z17 ^ t8;
    let t26 = t15 ^ t25;
    let t27 = t2 ^ t9;
    [t20, t21, t23, t24, t6, t26, t27, t9]
}

/// The inverse of [`substitute`]: what goes in is a byte xored with 0x63.
#[cfg_attr(optimized, inline(always))]
pub(crate) fn substitute_back<T: Bits>(x: [T; 8]) -> [T; 8] {
    let [x0, x1, x2, x3, x4, x5, x6, x7] = x;
    let y5 = x6 ^ x4;
    let t0 = x1 ^ x0;
    let y9 = x4 ^ x3;
    let y4 = t0 ^ y5;
    let y8 = x7 ^ x6;
    let y7 = y4 ^ x5;
    let t1 = x7 ^ x2;
    let y11 = t1 ^ y4;
    let y19 = x3 ^ x0;
    let y1 = y9 ^ x0;
    let y10 = y19 ^ y8;
    let y18 = y9 ^ x5;
    let y2 = y4 ^ y9;
    let y14 = y8 ^ y9;
    let y12 = y8 ^ t0;
    let y3 = x7 ^ x4;
    let y6 = y3 ^ x6;
    let y0 = t1 ^ x5;
    let y15 = y0 ^ y6;
    let y13 = y9 ^ t0;
    let t2 = x5 ^ x0;
    let y21 = t2 ^ y5;
    let y16 = y21 ^ y13;
    let t3 = x2 ^ x1;
    let y20 = t3 ^ y10;
    let y17 = t3 ^ y9;
    let z = invert([
        y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21,
    ]);
    let [z0, z1, z2, z3, z4, z5, z6, z7, z8, z9, z10, z11, z12, z13, z14, z15, z16, z17] = z;
    let t0 = z13 ^ z16;
    let t1 = z6 ^ z15;
    let t2 = z12 ^ t1;
    let t3 = t0 ^ t2;
    let t4 = z5 ^ z3;
    let t5 = z8 ^ t4;
    let t6 = t5 ^ t3;
    let t7 = z4 ^ z3;
    let t8 = t7 ^ t3;
    let t9 = z1 ^ z0;
    let t10 = t9 ^ t5;
    let t11 = t10 ^ t8;
    let t12 = z2 ^ z0;
    let t13 = t4 ^ t12;
    let t14 = z10 ^ z11;
    let t15 = t14 ^ z16;
    let t16 = t13 ^ t15;
    let t17 = z14 ^ t16;
    let t18 = t17 ^ t11;
    let t19 = z11 ^ z17;
    let t20 = z9 ^ t19;
    let t21 = z7 ^ t8;
    let t22 = z15 ^ t20;
    let t23 = z17 ^ t16;
    let t24 = t23 ^ t21;
    let t25 = t13 ^ t6;
    let t26 = t0 ^ t18;
    let t27 = z12 ^ t20;
    let t28 = t27 ^ t18;
    [t22, t21, t11, t24, t25, t26, t28, t6]
}

#[cfg_attr(optimized, inline(always))]
fn invert<T: Bits>(y: Forms<T>) -> Products<T> {
    let [y0, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17, y18, y19, y20, y21] =
        y;
    // The norm in GF(2^4), of two halves of two bits each.
    let a = y12 & y15;
    let b = y13 & y16;
    let c = y9 & y11;
    let c1 = (y14 & y17) ^ c;
    let c0 = (y8 & y10) ^ c;
    let n3 = (y3 & y6) ^ a ^ c1 ^ y20;
    let n2 = (y4 & y0) ^ a ^ c0 ^ y19;
    let n1 = (y5 & y1) ^ b ^ c1 ^ y21;
    let n0 = (y2 & y7) ^ b ^ c0 ^ y18;
    // Its inverse, of which each bit waits for three or four gates.
    let s = n3 ^ n2;
    let d = n1 ^ n0;
    let p = n3 & n1;
    let i3 = (s & (n3 & n0)) ^ (s ^ p);
    let i2 = (s & (n0 ^ p)) ^ n2;
    let i1 = (d & (n2 & n1)) ^ (d ^ p);
    let i0 = (d & (n2 ^ p)) ^ n0;
    // Times the halves of the byte.
    let (i31, i20, i23, i01) = (i3 ^ i1, i2 ^ i0, i2 ^ i3, i0 ^ i1);
    let all = i20 ^ i31;
    [
        i01 & y15,
        i1 & y6,
        i0 & y0,
        i23 & y16,
        i3 & y1,
        i2 & y7,
        i20 & y11,
        all & y17,
        i31 & y10,
        i01 & y12,
        i1 & y3,
        i0 & y4,
        i23 & y13,
        i3 & y5,
        i2 & y2,
        i20 & y9,
        all & y14,
        i31 & y8,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// FIPS 197, 5.1.1, by its definition.
    fn s_box(byte: u8) -> u8 {
        let inverse = (0..=255).find(|&other| times(byte, other) == 1).unwrap_or(0);
        (0..5).fold(0x63, |sum, i| sum ^ inverse.rotate_left(i))
    }

    fn times(a: u8, b: u8) -> u8 {
        let (mut product, mut a) = (0, a);
        for i in 0..8 {
            product ^= a * (b >> i & 1);
            a = (a << 1) ^ (0x1b * (a >> 7));
        }
        product
    }

    #[test]
    fn every_byte() {
        assert_eq!([s_box(0), s_box(0x53), s_box(0xff)], [0x63, 0xed, 0x16]); // FIPS 197, figure 7
        let bits = |byte: u8| core::array::from_fn(|i| byte >> i & 1);
        let byte = |bits: [u8; 8]| (0..8).fold(0, |sum, i| sum | bits[i] << i);
        for x in 0..=255 {
            assert_eq!(byte(substitute(bits(x))) ^ 0x63, s_box(x), "{x:#x}");
            assert_eq!(byte(substitute_back(bits(s_box(x) ^ 0x63))), x, "{x:#x}");
        }
    }
}
