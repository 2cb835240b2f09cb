//! An input of the target `luks2_header`.
//!
//! Random bytes never get past a LUKS2 header's SHA-256, so that an input is either raw (its first byte is even) or
//! describes a header whose two checksums are made right:
//!
//! | bytes | field |
//! |---|---|
//! | 1 | shape: bit 0 set; bits 1 and 2: which copies are damaged before they are sealed; bits 3 and 4: after; bits 5 and 6: each copy's size, 16 KiB to 128 KiB |
//! | 1, 1 | sequence numbers of the copies |
//! | 2, 1 | where the damage is, and what is xored there |
//! | rest | the JSON of both |

use sha2::{Digest, Sha256};

use crate::Fields;

pub const SEALED: u8 = 1;

const BINARY: usize = 4096;
const CHECKSUM: std::ops::Range<usize> = 448..512;
pub const UUID: &str = "6c8f8a1c-5f0e-4d8e-9a53-0d1f6a2b7c44";

/// The bytes that are parsed.
pub fn header(input: &[u8]) -> Vec<u8> {
    let mut fields = Fields(input);
    let shape = fields.byte();
    if shape & SEALED == 0 {
        return fields.0.to_vec();
    }
    let size = 0x4000 << (shape >> 5 & 3);
    let sequences = [fields.byte(), fields.byte()];
    let (damaged_at, damage) = (usize::from(fields.u16()) % size, fields.byte());
    let json = &fields.0[..fields.0.len().min(size - BINARY)];
    let mut header = Vec::with_capacity(2 * size);
    for (i, magic) in [b"LUKS\xba\xbe", b"SKUL\xba\xbe"].into_iter().enumerate() {
        let mut copy = vec![0; size];
        let mut put = |at: usize, value: &[u8]| copy[at..][..value.len()].copy_from_slice(value);
        put(0, magic);
        put(6, &2_u16.to_be_bytes());
        put(8, &(size as u64).to_be_bytes());
        put(16, &u64::from(sequences[i]).to_be_bytes());
        put(24, b"label");
        put(72, b"sha256");
        put(104, &[0x5a; 64]);
        put(168, UUID.as_bytes());
        put(208, b"subsystem");
        put(256, &((i * size) as u64).to_be_bytes());
        put(BINARY, json);
        if shape >> (1 + i) & 1 != 0 {
            copy[damaged_at] ^= damage;
        }
        copy[CHECKSUM].fill(0);
        let sum = Sha256::digest(&copy);
        copy[CHECKSUM][..32].copy_from_slice(&sum);
        if shape >> (3 + i) & 1 != 0 {
            copy[damaged_at] ^= damage;
        }
        header.extend(copy);
    }
    header
}
