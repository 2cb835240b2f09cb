//! A program for x86-64 without vector registers and without an operating system, which all the same runs on Linux: it ends
//! by a system call, with 0 if the kernel gave the known answers.
#![no_std]
#![no_main]

use core::arch::{asm, naked_asm};

use atrest::xts::{Backend, Key, Schedule, selftest};

#[unsafe(naked)]
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    naked_asm!("xor ebp, ebp", "and rsp, -16", "call {main}", main = sym main)
}

extern "C" fn main() -> ! {
    exit(i32::from(!works()))
}

/// The first blocks of IEEE Std 1619-2007's vector 2; and the self-test.
fn works() -> bool {
    let cipher = [
        0xc4, 0x54, 0x18, 0x5e, 0x6a, 0x16, 0x93, 0x6e, 0x39, 0x33, 0x40, 0x38, 0xac, 0xef, 0x83, 0x8b, 0xfb,
        0x18, 0x6f, 0xff, 0x74, 0x80, 0xad, 0xc4, 0x28, 0x93, 0x82, 0xec, 0xd6, 0xd3, 0x94, 0xf0,
    ];
    let Ok(key) = Key::from_halves(&[0x11; 16], &[0x22; 16]) else { return false };
    let mut data = [0x44; 32];
    (key.backend(), key.schedule()) == (Backend::Soft, Schedule::Tiles)
        && Backend::supported().eq([Backend::Soft])
        && key.encrypt_sectors(0x33_3333_3333, 32, &mut data).is_ok()
        && data == cipher
        && key.decrypt_sectors(0x33_3333_3333, 32, &mut data).is_ok()
        && data == [0x44; 32]
        && selftest().is_ok()
}

fn exit(status: i32) -> ! {
    // SAFETY: Linux's `exit_group`.
    unsafe { asm!("syscall", in("rax") 231, in("edi") status, options(noreturn)) }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    exit(2)
}
