//! Small functions, from an assembler: what they compute is known, or they break a rule.

use super::{
    decode::{Instruction, Operand, STACK_POINTER, decode},
    *,
};
use crate::{algebra, words::Word};

const CODE: u64 = BASE + 0x1000;
const DATA: u64 = 0x1000_0000_0000;

/// A machine with this code, and 64 unknown bytes in memory.
fn machine(code: &[u32]) -> Aarch64 {
    let mut library = Library::empty();
    library.architecture = crate::elf::Architecture::Aarch64;
    library.segments.push(crate::elf::Segment {
        base: CODE,
        bytes: code.iter().flat_map(|code| code.to_le_bytes()).collect(),
        writable: false,
        executable: true,
    });
    let mut machine = Aarch64::new(&library, &processor::WITH_AES);
    let mut bits = vec![Bit::ZERO; 512];
    algebra::base(algebra::Kind::Data, 0, &mut bits);
    machine.memory.put("data", DATA, bits, true);
    machine
}

fn fault(code: &[u32]) -> Kind {
    let mut machine = machine(code);
    machine.call(CODE, &[Word::Known(DATA)], 1000).expect_err("a fault").kind
}

const RET: u32 = 0xd65f_03c0;

#[test]
fn returns_what_it_computes() {
    // mov w0, #5; add w0, w0, #3; ret
    assert_eq!(machine(&[0x5280_00a0, 0x1100_0c00, RET]).call(CODE, &[], 10).unwrap(), 8);
    // eor x1, x1, x1; cmp x1, #0; cset w0, eq; ret
    assert_eq!(machine(&[0xca01_0021, 0xf100_003f, 0x1a9f_17e0, RET]).call(CODE, &[], 10).unwrap(), 1);
    // mov x1, #3; 1: subs x1, x1, #1; b.ne 1b; mov w0, w1; ret
    assert_eq!(
        machine(&[0xd280_0061, 0xf100_0421, 0x54ff_ffe1, 0x2a01_03e0, RET]).call(CODE, &[], 10).unwrap(),
        0
    );
}

#[test]
fn secrets_do_not_branch_or_address() {
    let load = 0xf940_0001; // ldr x1, [x0]
    // cbz x1, .+8
    assert_eq!(fault(&[load, 0xb400_0041, RET, RET]), Kind::Secret);
    // tbz x1, #0, .+8
    assert_eq!(fault(&[load, 0x3600_0041, RET, RET]), Kind::Secret);
    // cmp x1, #0; b.eq .+8
    assert_eq!(fault(&[load, 0xf100_003f, 0x5400_0040, RET, RET]), Kind::Secret);
    // ldr x2, [x1]
    assert_eq!(fault(&[load, 0xf940_0022, RET]), Kind::Secret);
    // ldrb w2, [x0, x1]
    assert_eq!(fault(&[load, 0x3861_6802, RET]), Kind::Secret);
    // lsl x2, x0, x1
    assert_eq!(fault(&[load, 0x9ac1_2002, RET]), Kind::Secret);
    // br x1
    assert_eq!(fault(&[load, 0xd61f_0020]), Kind::Secret);
    // prfm pldl1keep, [x1]
    assert_eq!(fault(&[load, 0xf980_0020, RET]), Kind::Secret);
    // ldr q0, [x0]; tbl v0.16b, {v1.16b}, v0.16b
    assert_eq!(fault(&[0x3dc0_0000, 0x4e00_0020, RET]), Kind::Secret);
    // mov w0, w1, which is returned
    assert_eq!(fault(&[load, 0x2a01_03e0, RET]), Kind::Secret);
}

#[test]
fn bounds_and_conventions_are_kept() {
    // ldr q0, [x0, #48] is the last one; ldur q0, [x0, #49] is not
    assert!(machine(&[0x3dc0_0c00, 0x5280_0000, RET]).call(CODE, &[Word::Known(DATA)], 10).is_ok());
    assert_eq!(fault(&[0x3cc3_1000, RET]), Kind::Bounds);
    // ldurb w1, [x0, #-1]
    assert_eq!(fault(&[0x385f_f001, RET]), Kind::Bounds);
    // str x1, [sp, #-16]: there is no red zone
    assert_eq!(fault(&[0xf81f_03e1, RET]), Kind::Bounds);
    // str x1, [sp, #-16]!: but a stack
    assert_eq!(fault(&[0xf81f_0fe1, RET]), Kind::Convention);
    // sub sp, sp, #8; ldr x1, [sp]: not aligned
    assert_eq!(fault(&[0xd100_23ff, 0xf940_03e1, RET]), Kind::Convention);
    // mov x19, x0
    assert_eq!(fault(&[0xaa00_03f3, RET]), Kind::Convention);
    // eor v8.16b, v8.16b, v8.16b
    assert_eq!(fault(&[0x6e28_1d08, RET]), Kind::Convention);
    // ret x0, to data
    assert_eq!(fault(&[0xd65f_0000]), Kind::Convention);
    // b .
    assert_eq!(fault(&[0x1400_0000]), Kind::Endless);
    // mrs x0, tpidr_el0; brk #1; svc #0; ldxr x1, [x0]; fadd d0, d0, d0; ldr q0, literal
    for code in [0xd53b_d040, 0xd420_0020, 0xd400_0001, 0xc85f_7c01, 0x1e60_2800, 0x9c00_0000] {
        assert_eq!(fault(&[code, RET]), Kind::NoModel, "{code:08x}");
    }
}

/// The lower half of v8 is the caller's, the upper one is not.
#[test]
fn upper_halves_need_not_be_restored() {
    // mov v8.d[1], v0.d[0]; mov w0, #0; ret
    assert!(machine(&[0x6e18_0408, 0x5280_0000, RET]).call(CODE, &[], 10).is_ok());
}

#[test]
fn encodings_of_an_assembler() {
    let number = |code| match decode(code) {
        Some(Instruction::Logic { b: Operand::Number(number), .. }) => number,
        Some(Instruction::Constant { value, .. }) => value as u64,
        Some(Instruction::Number { value, .. }) => value,
        other => panic!("{other:?}"),
    };
    // and x0, x1, #0x7f8; and x0, x1, #0xf0f0f0f0f0f0f0f0; and w0, w1, #0x80000001
    assert_eq!(number(0x927d_1c20), 0x7f8);
    assert_eq!(number(0x9204_cc20), 0xf0f0_f0f0_f0f0_f0f0);
    assert_eq!(number(0x1201_0420), 0x8000_0001);
    // movi v0.2d, #0xff00ff00ff00ff00; movi v0.4s, #0x87, lsl #8; mvni v0.4s, #1
    assert_eq!(number(0x6f05_e540), 0xff00_ff00_ff00_ff00);
    assert_eq!(number(0x4f04_24e0), 0x0000_8700_0000_8700);
    assert_eq!(number(0x6f00_0420), 0xffff_fffe_ffff_fffe);
    // movn w0, #1; movz x0, #2, lsl #48
    assert_eq!(number(0x1280_0020), 0xffff_fffe);
    assert_eq!(number(0xd2e0_0040), 2 << 48);
    // ldp x29, x30, [sp], #32
    assert_eq!(
        decode(0xa8c2_7bfd),
        Some(Instruction::Transfer {
            load: true,
            vector: false,
            bytes: 8,
            signed: None,
            first: 29,
            second: Some(30),
            at: Address { base: STACK_POINTER, offset: Operand::Number(32), update: Update::After },
        })
    );
    // b.ne .-4; tbnz x3, #40, .+16
    assert_eq!(decode(0x54ff_ffe1), Some(Instruction::BranchIf { condition: 1, offset: -4 }));
    assert_eq!(
        decode(0xb740_0083),
        Some(Instruction::BranchBit { register: 3, bit: 40, set: true, offset: 16 })
    );
    assert_eq!(decode(0), None);
    assert_eq!(decode(0xffff_ffff), None);
}
