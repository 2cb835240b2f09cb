//! The C functions themselves, with arguments that no careful caller gives.
#![no_main]

use std::ptr;

use atrest::ffi::*;
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
        match fields.byte() % 5 {
            0 => atrest_xts_new_with_backend(bytes.as_ptr(), len, name.as_ptr().cast(), &mut out),
            1 => atrest_xts_new(bytes.as_ptr(), length(fields) | 65, &mut out),
            2 => atrest_xts_new(ptr::null(), len, &mut out),
            3 => atrest_xts_new(bytes.as_ptr(), len, &mut out),
            _ => atrest_xts_new_allowing_equal_halves(bytes.as_ptr(), len / 32 * 32, &mut out),
        }
    };
    assert_eq!(status == atrest_status::ATREST_OK, !out.is_null());
    out
}

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
        bytes[16] %= 6;
        if fields.byte() & 7 != 0 {
            bytes[17..].fill(0);
        }
        if bytes[16] < 3 && fields.byte() & 7 != 0 {
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
    let mut memory = Placed::new(usize::from(fields.byte() % 64), &[&content[..], &vec![0xa5; apart]].concat());
    let before = memory.content().to_vec();
    let told = told(&mut fields, len);
    let base = memory.content_mut().as_mut_ptr();
    let (null_src, null_dst) = (fields.byte() & 15 == 0, fields.byte() & 15 == 0);
    let src = if null_src { ptr::null_mut() } else { base };
    let dst = if null_dst { ptr::null_mut() } else { base.wrapping_add(apart) };
    let call = fields.byte() % 8;
    let null_tweaks = fields.byte() & 15 == 0;
    let tweaks = if null_tweaks { ptr::null() } else { tweaks };
    let (from, to) = ([(src, told)], [(dst, told)]);
    // SAFETY: `struct iovec` is an address and a length; true ones, or such as must be refused.
    let status = unsafe {
        let (from, to) = (from.as_ptr().cast::<iovec>(), to.as_ptr().cast::<iovec>());
        match call {
            0 => atrest_xts_encrypt_sectors(xts, 7, sector_size, src, dst, told),
            1 => atrest_xts_decrypt_sectors(xts, u64::MAX, sector_size, src, dst, told),
            2 => atrest_xts_encrypt_unit(xts, tweaks.cast(), src, dst, told),
            3 => atrest_xts_decrypt_unit(xts, tweaks.cast(), src, dst, told),
            4 => atrest_xts_encrypt_sectors_tweaks(xts, tweaks, sector_size, src, dst, told),
            5 => atrest_xts_decrypt_sectors_tweaks(xts, tweaks, sector_size, src, dst, told),
            6 => atrest_xts_encrypt_iov_tweaks(xts, tweaks, sector_size, from, 1, to, 1),
            _ => atrest_xts_decrypt_iov(xts, 1, sector_size, from, 1, to, 1),
        }
    };
    assert!(memory.is_intact(), "call {call} wrote before its buffers");
    let good = status == atrest_status::ATREST_OK;
    assert!(status != atrest_status::ATREST_ERROR_INTERNAL, "call {call} has a defect");
    if good {
        assert!(!xts.is_null() && told == len && !(len != 0 && (null_src || null_dst)), "call {call} took it");
        assert!(len == 0 || apart == 0 || apart >= len, "call {call} took buffers that overlap");
        assert!(apart == 0 || memory.content()[..len] == before[..len], "call {call} wrote into its source");
    } else {
        assert!(memory.content() == before, "call {call} wrote and then refused: {status:?}");
    }
    // SAFETY: NULL or a key, and nobody uses it any more.
    unsafe { atrest_xts_free(xts) };
});
