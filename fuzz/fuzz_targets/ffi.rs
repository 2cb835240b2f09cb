//! The C functions themselves, with arguments that no careful caller gives.
#![no_main]

use std::ptr;

use atrest::Code;
use atrest_capi::*;
use atrest_fuzz::{Fields, sectors::Placed};
use libfuzzer_sys::fuzz_target;

/// Lengths and sector sizes at which something changes, and any other.
fn length(fields: &mut Fields<'_>) -> usize {
    const EDGES: [usize; 12] = [
        0,
        1,
        15,
        16,
        512,
        (16 << 20) + 1,
        isize::MAX as usize,
        isize::MAX as usize + 1,
        usize::MAX,
        usize::MAX - 15,
        usize::MAX / 16 + 1,
        4096,
    ];
    let (choice, any) = (fields.byte(), usize::from(fields.u16()));
    if choice & 1 == 0 { any % 5000 } else { EDGES[usize::from(choice >> 1) % EDGES.len()] }
}

fn key(fields: &mut Fields<'_>) -> *mut atrest_xts {
    let bytes = fields.bytes::<65>();
    let (len, name) = (usize::from(fields.byte() % 66), fields.bytes::<8>());
    let mut out = ptr::dangling_mut();
    // SAFETY: the buffer has 65 bytes, and the name a NUL; the rest is what is tested.
    let status = unsafe {
        let name = [&name[..], &[0]].concat();
        match fields.byte() % 6 {
            0 => atrest_xts_new_with_backend(bytes.as_ptr(), len, name.as_ptr().cast(), &mut out),
            1 => atrest_xts_new(bytes.as_ptr(), length(fields) | 65, &mut out),
            2 => atrest_xts_new(ptr::null(), len, &mut out),
            3 => atrest_xts_new(bytes.as_ptr(), len, &mut out),
            // Of the 65 bytes, halves of up to 32 lie at the start and at the end.
            4 => {
                let (half, flags) = (usize::from(fields.byte() % 33), u32::from(fields.byte() % 3));
                let key2 = bytes.as_ptr().add(65 - half);
                let name = if fields.byte() & 1 == 0 { ptr::null() } else { name.as_ptr().cast() };
                atrest_xts_new_from_halves(bytes.as_ptr(), key2, half, name, flags, &mut out)
            }
            _ => atrest_xts_new_allowing_equal_halves(bytes.as_ptr(), len / 32 * 32, &mut out),
        }
    };
    assert_eq!(status == Code::Ok, !out.is_null());
    out
}

/// Whether the list fits into the buffers.
fn memory_is_larger(memory: usize, list: usize) -> bool {
    list != 0 && list <= memory
}

/// What `struct iovec` is in memory; it has no constructor in Rust either.
#[repr(C)]
struct Piece(*mut u8, usize);

/// A buffer of the caller's, with its length as it is told: true, or one that is refused before a byte is touched.
fn told(fields: &mut Fields<'_>, len: usize) -> usize {
    match fields.byte() % 8 {
        0 => isize::MAX as usize + 1 + length(fields) % 4096,
        1 => usize::MAX - length(fields) % 4096,
        _ => len,
    }
}

fuzz_target!(|input: &[u8]| {
    let mut fields = Fields(input);
    let xts = key(&mut fields);
    let (sector_size, len) = (length(&mut fields), usize::from(fields.u16()) % 9000);
    let len = if fields.byte() & 3 != 0 && sector_size != 0 { len / sector_size * sector_size } else { len };
    // `atrest_tweaks` has no constructor in Rust: it is C's.
    let tweaks = {
        let mut bytes = fields.bytes::<24>();
        bytes[16] %= 11;
        if fields.byte() & 7 != 0 {
            bytes[17..].fill(0);
        }
        if !matches!(bytes[16], 3 | 4 | 9) && fields.byte() & 7 != 0 {
            bytes[8..16].fill(0);
        }
        bytes
    };
    let tweaks = tweaks.as_ptr().cast::<atrest_tweaks>();
    let content: Vec<u8> = (0..len).map(|i| i as u8 ^ input.first().copied().unwrap_or(0)).collect();
    // One buffer: the destination begins `apart` bytes behind the source, which may be too few, none, or enough.
    let apart = match fields.byte() % 4 {
        0 => 0,
        1 => usize::from(fields.u16()) % (len + 1),
        _ => len,
    };
    let mut memory =
        Placed::new(usize::from(fields.byte() % 64), &[&content[..], &vec![0xa5; apart]].concat());
    let before = memory.content().to_vec();
    let told = told(&mut fields, len);
    let base = memory.content_mut().as_mut_ptr();
    let (null_src, null_dst) = (fields.byte() & 15 == 0, fields.byte() & 15 == 0);
    let src = if null_src { ptr::null_mut() } else { base };
    let dst = if null_dst { ptr::null_mut() } else { base.wrapping_add(apart) };
    let call = fields.byte() % 16;
    let null_tweaks = fields.byte() & 15 == 0;
    let tweaks = if null_tweaks { ptr::null() } else { tweaks };
    let (from, to) = (Piece(src, told), Piece(dst, told));
    // Nor has `atrest_tweak_sequence`. Its width and flags are known ones mostly.
    let mut sequence = [0; 40];
    let mut list = vec![];
    if call >= 8 {
        sequence = fields.bytes::<40>();
        if sequence[39] & 7 != 0 {
            let width = [32, 64, 128, 128][usize::from(sequence[32] % 4)];
            let flags = sequence[36] % 8;
            sequence[32..].copy_from_slice(&[width, 0, 0, 0, flags, 0, 0, 0]);
        }
        let count = len.checked_div(sector_size).unwrap_or(3);
        let count = match fields.byte() % 8 {
            0 => count + 1,
            1 => count.saturating_sub(1),
            _ => count,
        };
        list = (0..16 * count).map(|i| i as u8 ^ sequence[i % 32]).collect();
    }
    let list_count = list.len() / 16;
    // It may lie in the data, where it must not lie in the destination.
    let inside = call >= 12 && fields.byte() & 7 == 0 && memory_is_larger(len + apart, list.len());
    let list = if inside { base.cast_const() } else { list.as_ptr() };
    let list = if null_tweaks { ptr::null() } else { list };
    let sequence = if null_tweaks { ptr::null() } else { sequence.as_ptr() }.cast::<atrest_tweak_sequence>();
    // SAFETY: true addresses and lengths, or such as must be refused.
    let status = unsafe {
        let (from, to) = ((&raw const from).cast::<iovec>(), (&raw const to).cast::<iovec>());
        match call {
            0 => atrest_xts_encrypt_sectors(xts, 7, sector_size, src, dst, told),
            1 => atrest_xts_decrypt_sectors(xts, u64::MAX, sector_size, src, dst, told),
            2 => atrest_xts_encrypt_unit(xts, tweaks.cast(), src, dst, told),
            3 => atrest_xts_decrypt_unit(xts, tweaks.cast(), src, dst, told),
            4 => atrest_xts_encrypt_sectors_tweaks(xts, tweaks, sector_size, src, dst, told),
            5 => atrest_xts_decrypt_sectors_tweaks(xts, tweaks, sector_size, src, dst, told),
            6 => atrest_xts_encrypt_iov_tweaks(xts, tweaks, sector_size, from, 1, to, 1),
            7 => atrest_xts_decrypt_iov(xts, 1, sector_size, from, 1, to, 1),
            8 => atrest_xts_encrypt_sectors_sequence(xts, sequence, sector_size, src, dst, told),
            9 => atrest_xts_decrypt_sectors_sequence(xts, sequence, sector_size, src, dst, told),
            10 => atrest_xts_encrypt_iov_sequence(xts, sequence, sector_size, from, 1, to, 1),
            11 => atrest_xts_decrypt_iov_sequence(xts, sequence, sector_size, from, 1, to, 1),
            12 => atrest_xts_encrypt_sectors_list(xts, list, list_count, sector_size, src, dst, told),
            13 => atrest_xts_decrypt_sectors_list(xts, list, list_count, sector_size, src, dst, told),
            14 => atrest_xts_encrypt_iov_list(xts, list, list_count, sector_size, from, 1, to, 1),
            _ => atrest_xts_decrypt_iov_list(xts, list, list_count, sector_size, from, 1, to, 1),
        }
    };
    assert!(memory.is_intact(), "call {call} wrote before its buffers");
    let good = status == Code::Ok;
    assert!(status != Code::Internal, "call {call} has a defect");
    if good {
        assert!(
            !xts.is_null() && told == len && !(len != 0 && (null_src || null_dst)),
            "call {call} took it"
        );
        let takes_tweaks =
            (2..=6).contains(&call) || (8..=11).contains(&call) || call >= 12 && list_count != 0;
        assert!(!null_tweaks || !takes_tweaks, "call {call} took NULL for tweaks");
        if call >= 12 {
            assert!(list_count * sector_size == len, "call {call} took {list_count} tweaks");
            let beside = !inside || null_tweaks || len == 0 || apart >= 16 * list_count;
            assert!(beside, "call {call} took tweaks that it writes over");
        }
        assert!(len == 0 || apart == 0 || apart >= len, "call {call} took buffers that overlap");
        assert!(apart == 0 || memory.content()[..len] == before[..len], "call {call} wrote into its source");
    } else {
        assert!(memory.content() == before, "call {call} wrote and then refused: {status:?}");
    }
    // SAFETY: NULL or a key, and nobody uses it any more.
    unsafe { atrest_xts_free(xts) };
});
