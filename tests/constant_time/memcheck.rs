//! Valgrind's memcheck, asked by client requests: an instruction sequence that does nothing on a processor, and that
//! Valgrind takes for a call (valgrind.h, memcheck.h).

pub const NAME: &str = "memcheck";
pub const KNOWS_KEY_EXPANSION: bool = true;

const RUNNING_ON_VALGRIND: usize = 0x1001;
const COUNT_ERRORS: usize = 0x1201;
const MAKE_MEM_UNDEFINED: usize = MEMCHECK + 1;
const MAKE_MEM_DEFINED: usize = MEMCHECK + 2;
const GET_VBITS: usize = MEMCHECK + 8;
const MEMCHECK: usize = (b'M' as usize) << 24 | (b'C' as usize) << 16;

pub fn watches() -> bool {
    request(RUNNING_ON_VALGRIND, 0, 0, 0) != 0
}

pub fn undefine(bytes: &mut [u8]) {
    request(MAKE_MEM_UNDEFINED, bytes.as_mut_ptr().addr(), bytes.len(), 0);
}

pub fn define(bytes: &mut [u8]) {
    request(MAKE_MEM_DEFINED, bytes.as_mut_ptr().addr(), bytes.len(), 0);
}

/// Whether each byte has undefined bits.
pub fn is_undefined(bytes: &[u8]) -> bool {
    let mut bits = vec![0_u8; bytes.len()];
    request(GET_VBITS, bytes.as_ptr().addr(), bits.as_mut_ptr().addr(), bytes.len()) == 1
        && bits.iter().all(|&bits| bits != 0)
}

/// Branches and addresses that depended on undefined bytes so far.
pub fn reports() -> usize {
    request(COUNT_ERRORS, 0, 0, 0)
}

/// Calls what the tool cannot follow.
pub fn unreported(call: impl FnOnce()) {
    call();
}

/// Asks Valgrind; 0 without it.
fn request(code: usize, a: usize, b: usize, c: usize) -> usize {
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut))]
    let mut answer = 0;
    let arguments = [code, a, b, c, 0, 0];
    #[cfg(target_arch = "x86_64")]
    // SAFETY: rdi is rotated by 128 bits in all, and rbx exchanged with itself. Under Valgrind memory is marked, or
    // written where a request asks for it: `is_undefined` gives a buffer of its own for that.
    unsafe {
        std::arch::asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") arguments.as_ptr(), inout("rdx") answer, inout("rdi") 0_usize => _,
            options(nostack)
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = arguments;
    answer
}
