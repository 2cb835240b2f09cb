//! The S-box of FIPS 197, from its definition.

use std::sync::LazyLock;

/// A table of SubBytes, and one of its inverse.
pub struct Tables {
    /// FIPS 197, 5.1.1.
    pub sub: [u8; 256],
    /// FIPS 197, 5.3.2.
    pub inverse: [u8; 256],
}

/// Both tables.
pub static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut tables = Tables { sub: [0; 256], inverse: [0; 256] };
    for x in 0..=255u8 {
        // The multiplicative inverse, with 0 for 0, and the affine map behind it.
        let b = (0..=255u8).find(|&y| multiply(x, y) == 1).unwrap_or(0);
        let s = b ^ b.rotate_left(1) ^ b.rotate_left(2) ^ b.rotate_left(3) ^ b.rotate_left(4) ^ 0x63;
        tables.sub[usize::from(x)] = s;
        tables.inverse[usize::from(s)] = x;
    }
    tables
});

/// Times x in GF(2^8): FIPS 197, 4.2.1.
pub const fn double(a: u8) -> u8 {
    (a << 1) ^ if a & 0x80 != 0 { 0x1b } else { 0 }
}

/// The product in GF(2^8).
fn multiply(mut a: u8, mut b: u8) -> u8 {
    let mut product = 0;
    while b != 0 {
        if b & 1 != 0 {
            product ^= a;
        }
        a = double(a);
        b >>= 1;
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figure 7 of FIPS 197: corners, and the example in its text.
    #[test]
    fn table_of_the_standard() {
        let sub = &TABLES.sub;
        assert_eq!((sub[0x00], sub[0x0f], sub[0x53], sub[0xf0], sub[0xff]), (0x63, 0x76, 0xed, 0x8c, 0x16));
        assert!((0..256).all(|x| usize::from(TABLES.inverse[usize::from(sub[x])]) == x));
    }

    /// FIPS 197, 4.2: {57} times {83} is {c1}.
    #[test]
    fn product_of_the_standard() {
        assert_eq!(multiply(0x57, 0x83), 0xc1);
    }
}
