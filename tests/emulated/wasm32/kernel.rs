//! The kernel behind one plain function, so that a host in another language (`check.mjs`) can hold it to its own AES-XTS.
#![no_std]
#![crate_type = "cdylib"]

use core::ptr::{addr_of_mut, slice_from_raw_parts_mut};

use atrest::xts::{Key, Tweaks};

/// Where the host writes its arguments: the key, its end at byte 64; the tweak, at 64; the data, from 80 on.
const LEN: usize = 80 + 65536;
static mut MEMORY: [u8; LEN] = [0; LEN];

#[unsafe(no_mangle)]
extern "C" fn arguments_at() -> *mut u8 {
    addr_of_mut!(MEMORY).cast()
}

/// Encrypts or decrypts `len` bytes in place, in sectors of `sector_size`; 0, or 1 for arguments that were refused.
#[unsafe(no_mangle)]
extern "C" fn run(key_len: usize, sector_size: usize, len: usize, decrypt: bool) -> u32 {
    // SAFETY: WebAssembly has one thread here, and the host calls nothing that would call back.
    let memory = unsafe { &mut *slice_from_raw_parts_mut(arguments_at(), LEN) };
    let (key, rest) = memory.split_at_mut(64);
    let (tweak, data) = rest.split_at_mut(16);
    let key = Key::options().allow_equal_halves(true).build(&key[64 - key_len..]);
    let first = Tweaks::number128(u128::from_le_bytes(tweak.try_into().unwrap_or_default()));
    let result = key.and_then(|key| {
        if decrypt {
            key.decrypt_sectors(first, sector_size, &mut data[..len])
        } else {
            key.encrypt_sectors(first, sector_size, &mut data[..len])
        }
    });
    u32::from(result.is_err())
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    core::arch::wasm32::unreachable()
}
