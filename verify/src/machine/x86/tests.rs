//! Small functions, right and wrong: the machine proves the former, and finds what is wrong with the latter.

use super::{X86, cpuid};
use crate::{
    algebra::{Bit, Kind, base},
    elf::{BASE, Library, Segment},
    fault::{self, Outcome},
    machine::Machine,
    memory::STACK,
    standard::times_alpha,
    words::Word,
};

// Each doubles the tweak at rdi, or does so wrongly.
std::arch::global_asm!(
    ".macro verify_test_function name",
    ".balign 16",
    ".globl \\name",
    "\\name:",
    ".endm",
    ".macro verify_test_double constant, shuffle=0x13",
    "movdqu xmm0, [rdi]",
    "pshufd xmm1, xmm0, \\shuffle",
    "psrad xmm1, 31",
    "mov eax, \\constant",
    "movq xmm2, rax",
    "mov eax, 1",
    "movq xmm3, rax",
    "punpcklqdq xmm2, xmm3",
    "pand xmm1, xmm2",
    "paddq xmm0, xmm0",
    "pxor xmm0, xmm1",
    "movdqu [rdi], xmm0",
    "xor eax, eax",
    ".endm",
    "verify_test_function verify_test_begin",
    "verify_test_function verify_test_right",
    "verify_test_double 0x87",
    "ret",
    "verify_test_function verify_test_constant",
    "verify_test_double 0x86",
    "ret",
    "verify_test_function verify_test_shuffle",
    "verify_test_double 0x87, 0x31",
    "ret",
    "verify_test_function verify_test_late",
    "movdqu xmm0, [rdi + 1]",
    "xor eax, eax",
    "ret",
    "verify_test_function verify_test_early",
    "mov byte ptr [rdi - 1], 0",
    "xor eax, eax",
    "ret",
    "verify_test_function verify_test_branch",
    "xor eax, eax",
    "test byte ptr [rdi + 15], 0x80",
    "jz 2f",
    "nop",
    "2: ret",
    "verify_test_function verify_test_table",
    "movzx eax, byte ptr [rdi]",
    "and eax, 15",
    "mov al, [rdi + rax]",
    "xor eax, eax",
    "ret",
    "verify_test_function verify_test_mask",
    "movdqu xmm0, [rdi]",
    "pshufb xmm1, xmm0",
    "xor eax, eax",
    "ret",
    "verify_test_function verify_test_below",
    "mov qword ptr [rsp - 136], 0",
    "xor eax, eax",
    "ret",
    "verify_test_function verify_test_saved",
    "xor ebx, ebx",
    "xor eax, eax",
    "ret",
    "verify_test_function verify_test_stack",
    "sub rsp, 8",
    "mov rax, [rsp + 8]",
    "jmp rax",
    "verify_test_function verify_test_aligned",
    "movdqa xmm0, [rdi]",
    "xor eax, eax",
    "ret",
    "verify_test_function verify_test_endless",
    "2: jmp 2b",
    "verify_test_function verify_test_product",
    "movdqu xmm0, [rdi]",
    "movdqa xmm1, xmm0",
    "psllq xmm1, 1",
    "pand xmm0, xmm1",
    "xor eax, eax",
    "ret",
    "verify_test_function verify_test_unmodelled",
    "rdtsc",
    "ret",
    "verify_test_function verify_test_end",
);

macro_rules! functions {
    ($($name:ident)*) => {
        unsafe extern "C" { $(fn $name();)* }
    };
}

functions! {
    verify_test_begin verify_test_end verify_test_right verify_test_constant verify_test_shuffle verify_test_late
    verify_test_early verify_test_branch verify_test_table verify_test_mask verify_test_below verify_test_saved
    verify_test_stack verify_test_aligned verify_test_endless verify_test_product verify_test_unmodelled
}

/// Calls a function on an unknown tweak; gives the tweak, and what it has become.
fn run(function: unsafe extern "C" fn()) -> Outcome<(Vec<Bit>, Vec<Bit>)> {
    let [begin, end, function] =
        [verify_test_begin as *const u8, verify_test_end as *const u8, function as *const u8];
    // SAFETY: the code above lies between these, in one piece; nobody writes it.
    let code = unsafe { std::slice::from_raw_parts(begin, end.addr() - begin.addr()) };
    let mut library = Library::empty();
    library.segments.push(Segment { base: BASE, bytes: code.to_vec(), writable: false, executable: true });
    let mut machine = X86::new(&library, &cpuid::WITH_AESNI);
    let mut tweak = vec![Bit::ZERO; 128];
    base(Kind::Tweak, 0, &mut tweak);
    machine.memory().put("the tweak", 0x1001, tweak.clone(), true);
    machine.call(BASE + (function.addr() - begin.addr()) as u64, &[Word::Known(0x1001)], 1000)?;
    machine.memory().keep(&[STACK, "the tweak"]);
    Ok((tweak, machine.memory().take("the tweak").unwrap().contents.bits(0, 16)))
}

#[test]
fn doubling_is_proved() {
    let (tweak, doubled) = run(verify_test_right).unwrap();
    assert_eq!(doubled, times_alpha(tweak[..].try_into().unwrap()));
}

#[test]
fn wrong_constants_and_lanes_are_found() {
    for function in [verify_test_constant, verify_test_shuffle] as [unsafe extern "C" fn(); 2] {
        let (tweak, doubled) = run(function).unwrap();
        assert_ne!(doubled, times_alpha(tweak[..].try_into().unwrap()));
    }
}

#[test]
fn faults_are_found() {
    use fault::Kind::*;
    let cases: [(unsafe extern "C" fn(), fault::Kind); 12] = [
        (verify_test_late, Bounds),
        (verify_test_early, Bounds),
        (verify_test_below, Bounds),
        (verify_test_branch, Secret),
        (verify_test_table, Secret),
        (verify_test_mask, Secret),
        (verify_test_saved, Convention),
        (verify_test_stack, Convention),
        (verify_test_aligned, Convention),
        (verify_test_endless, Endless),
        (verify_test_product, NotLinear),
        (verify_test_unmodelled, NoModel),
    ];
    for (i, (function, kind)) in cases.into_iter().enumerate() {
        let fault = run(function).expect_err("a fault");
        assert_eq!(fault.kind, kind, "case {i}: {fault}");
    }
}
