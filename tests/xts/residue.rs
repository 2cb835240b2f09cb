//! What calls leave on the stack: no key, and nothing that tells one.

use std::{hint::black_box, ptr::with_exposed_provenance};

use crate::data::{Subject, bytes, key, keys};

type Block = [u8; 16];

/// How far below its caller a call may leave something, in bytes; more than any backend's frames.
const DEPTH: usize = 32 << 10;

fn xor(a: Block, b: &[u8]) -> Block {
    std::array::from_fn(|i| a[i] ^ b[i])
}

/// IEEE Std 1619-2007, 5.2.
fn times_x(tweak: Block) -> Block {
    let tweak = u128::from_le_bytes(tweak);
    ((tweak << 1) ^ if tweak >> 127 == 1 { 0x87 } else { 0 }).to_le_bytes()
}

/// The stack below the caller's frame. Nothing is called here, and so nothing is written there.
#[inline(never)]
fn below(left: &mut [u8]) {
    let here = 0_u8;
    let top = (&raw const here).expose_provenance() & !15;
    for (i, byte) in left.iter_mut().rev().enumerate() {
        // SAFETY: DEPTH bytes of a stack of megabytes, which were in use before or can be; volatile, since no object of
        // the language lies there.
        *byte = unsafe { with_exposed_provenance::<u8>(top - 1 - i).read_volatile() };
    }
}

/// What a place on the stack tells of a key whose first 16 bytes, a round key, are `start`.
fn tells(left: &[u8], key: &[u8]) -> Option<&'static str> {
    let blocks = |at: usize| -> Option<Block> { left.get(at..at + 16)?.try_into().ok() };
    for at in (0..left.len()).step_by(8) {
        let Some(block) = blocks(at) else { break };
        if key.chunks_exact(16).any(|part| part == block) {
            return Some("a part of the key");
        }
        // Two tweaks that follow each other, each with the same round key added, are two equations for both.
        if let Some(next) = blocks(at + 16)
            && xor(next, key) == times_x(xor(block, key))
            && block != key[..16]
        {
            return Some("tweaks that tell the whitening key");
        }
    }
    None
}

/// Leaves on the stack what `tells` must find.
#[inline(never)]
fn leave(blocks: [Block; 2]) {
    let mut kept = [[0; 16]; 64];
    // SAFETY: an array of this function's.
    unsafe { (&raw mut kept).cast::<[Block; 2]>().write_volatile(blocks) };
    black_box(&mut kept);
}

/// Optimised builds alone hold to it: others keep on the stack whatever they work on.
pub fn no_key_stays(subject: Subject) {
    let mut left = vec![0; DEPTH];
    for key_bytes in keys() {
        let start: Block = key_bytes[..16].try_into().expect("16 bytes");
        let tweak: Block = bytes(3, 16).try_into().expect("16 bytes");
        for (blocks, found) in [
            ([start, tweak], "a part of the key"),
            ([xor(tweak, &start), xor(times_x(tweak), &start)], "tweaks that tell the whitening key"),
        ] {
            leave(blocks);
            below(&mut left);
            assert_eq!(tells(&left, &key_bytes), Some(found));
        }
        leave([[0; 16]; 2]);

        let key = key(subject, &key_bytes);
        // What makes keys leaves behind is not what this is about.
        leave_nothing();
        for (size, sectors) in [(16, 9), (128, 1), (128, 5), (512, 1), (512, 130), (640, 3), (4096, 1)]
            .into_iter()
            .chain([(4096, 16), (4104, 1), (4104, 2), (600, 7), (1000, 64), (65536, 1)])
        {
            let mut data = bytes(size as u64, size * sectors);
            key.encrypt_sectors(7, size, &mut data).expect("good sectors");
            below(&mut left);
            assert_eq!(tells(&left, &key_bytes), None, "{key:?}, encrypting {sectors} of {size} bytes");
            key.decrypt_sectors(7, size, &mut data).expect("good sectors");
            below(&mut left);
            assert_eq!(tells(&left, &key_bytes), None, "{key:?}, decrypting {sectors} of {size} bytes");
        }
    }
}

/// Wipes the stack.
#[inline(never)]
fn leave_nothing() {
    black_box(&mut [0_u8; DEPTH]);
}
