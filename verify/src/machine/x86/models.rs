//! The table of instructions: what each of them means. What is not in it is not executed.

use iced_x86::{Instruction, Mnemonic as M, OpKind};

use super::operand::is;
use crate::algebra::Function::{self, InverseSub, Sub};

/// The meaning of an instruction.
#[derive(Clone, Copy, Debug)]
pub enum Model {
    /// Control flow, and what does nothing to values.
    Flow(Flow),
    /// On general and mask registers.
    Integer(Integer),
    /// On vector registers.
    Vector(Operation),
}

/// Control flow, and what does nothing to values.
#[derive(Clone, Copy, Debug)]
pub enum Flow {
    Jump,
    Call,
    Return,
    /// On a condition.
    Branch,
    Push,
    Pop,
    Prefetch,
    /// Streaming stores are done before anything that is stored behind it.
    Fence,
    Nothing,
    Cpuid,
    Xgetbv,
}

/// Which way bits move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// Up, zeros come in.
    Left,
    /// Down, zeros come in.
    Right,
    /// Down, the sign comes in.
    RightSigned,
    /// Up, and around.
    RotateLeft,
    /// Down, and around.
    RotateRight,
}

/// On general and mask registers.
#[derive(Clone, Copy, Debug)]
pub enum Integer {
    Move,
    MoveSigned,
    /// On a condition.
    MoveIf,
    /// A byte: 1 on a condition, else 0.
    SetIf,
    MoveSwapped,
    SwapBytes,
    /// `lea`.
    Address,
    Exchange,
    Add {
        carry: bool,
    },
    Sub {
        borrow: bool,
    },
    Compare,
    Increment,
    Decrement,
    Negate,
    Not,
    And,
    Test,
    Or,
    Xor,
    AndNot,
    Shift(Shift),
    /// Without flags, into another register.
    ShiftInto(Shift),
    /// Of two registers, up or down.
    ShiftDouble {
        left: bool,
    },
    Multiply,
    /// rdx:rax.
    MultiplyWide,
    /// Without flags.
    MultiplyWideInto,
    Divide,
    /// `bsf`, or `tzcnt` (`counts`), which gives the size for 0.
    TrailingZeros {
        counts: bool,
    },
    /// `bsr`, or `lzcnt` (`counts`).
    LeadingZeros {
        counts: bool,
    },
    CountOnes,
    TestBit,
    /// The accumulator's lower half into all of it.
    ExtendSigned,
    /// Between mask registers and others, so many bytes.
    MaskMove(usize),
    MaskXor {
        bytes: usize,
        not: bool,
    },
}

/// On vector registers. Numbers are sizes of elements in bytes, unless they say otherwise; where an instruction has none,
/// it is that which masks go by.
#[derive(Clone, Copy, Debug)]
pub enum Operation {
    Move(usize),
    /// Not through the caches.
    MoveStreaming,
    /// So many lowest bytes, zeros above.
    MoveLow(usize),
    /// A lane's half to or from memory.
    MoveHalf {
        high: bool,
    },
    /// A lane in memory, to all lanes.
    RepeatLane,
    /// An element, to all.
    Repeat(usize),
    InsertLanes {
        lanes: usize,
        element: usize,
    },
    ExtractLanes {
        lanes: usize,
        element: usize,
    },
    /// An element from or to a general register or memory.
    Extract(usize),
    Insert(usize),
    /// The signs of elements, to a general register.
    Signs(usize),
    ZeroUpper,
    ZeroAll,
    Xor(usize),
    And(usize),
    AndNot(usize),
    Or(usize),
    Ternary(usize),
    Shift(usize, Shift),
    /// By counts in another vector.
    ShiftEach(usize, Shift),
    /// A lane by whole bytes.
    ShiftLane {
        left: bool,
    },
    /// Of two lanes, by whole bytes.
    Align,
    Shuffle4,
    /// Of two vectors' four elements each.
    ShuffleTwo,
    ShuffleBytes,
    /// Words of a lane's upper or lower half.
    ShuffleWords {
        high: bool,
    },
    Unpack {
        element: usize,
        high: bool,
    },
    Blend(usize),
    /// `vperm2i128`.
    PermuteLanes,
    ShuffleLanes(usize),
    /// Eight bytes each, by what is at hand or by a vector.
    Permute,
    /// Of two vectors' elements of eight bytes.
    PermuteTwo {
        index_first: bool,
    },
    AlignVectors,
    MultiShift,
    Add(usize),
    Sub(usize),
    Greater(usize),
    Equal(usize),
    Test,
    /// Into a mask register, by elements: whether a and b have a 1 in common (or none).
    TestEach {
        element: usize,
        none: bool,
    },
    MultiplyWords {
        high: bool,
    },
    MultiplyDoubleWords,
    /// Zeros above.
    ExtendZero {
        from: usize,
        to: usize,
    },
    Aes {
        function: Function,
        last: bool,
    },
    InverseMixColumns,
    KeyGenAssist,
}

impl Model {
    /// The model of an instruction, if there is one.
    pub fn of(instruction: &Instruction) -> Option<Model> {
        use Operation as V;
        let to_mask = is(instruction, 0, |register| register.is_k());
        let flow = |model| Some(Model::Flow(model));
        let integer = |model| Some(Model::Integer(model));
        let vector = |model| Some(Model::Vector(model));
        // Sets, moves and branches go by their condition.
        if instruction.is_jcc_short_or_near() {
            return flow(Flow::Branch);
        }
        match instruction.mnemonic() {
            M::Jmp => flow(Flow::Jump),
            M::Call => flow(Flow::Call),
            M::Ret => flow(Flow::Return),
            M::Push => flow(Flow::Push),
            M::Pop => flow(Flow::Pop),
            M::Prefetcht0 | M::Prefetcht1 | M::Prefetcht2 | M::Prefetchnta | M::Prefetchw => {
                flow(Flow::Prefetch)
            }
            M::Nop | M::Endbr64 | M::Lfence | M::Pause => flow(Flow::Nothing),
            M::Sfence | M::Mfence => flow(Flow::Fence),
            M::Cpuid => flow(Flow::Cpuid),
            M::Xgetbv => flow(Flow::Xgetbv),

            M::Mov | M::Movzx | M::Movnti => integer(Integer::Move),
            M::Movsx | M::Movsxd => integer(Integer::MoveSigned),
            M::Cmovo
            | M::Cmovno
            | M::Cmovb
            | M::Cmovae
            | M::Cmove
            | M::Cmovne
            | M::Cmovbe
            | M::Cmova
            | M::Cmovs
            | M::Cmovns
            | M::Cmovp
            | M::Cmovnp
            | M::Cmovl
            | M::Cmovge
            | M::Cmovle
            | M::Cmovg => integer(Integer::MoveIf),
            M::Seto
            | M::Setno
            | M::Setb
            | M::Setae
            | M::Sete
            | M::Setne
            | M::Setbe
            | M::Seta
            | M::Sets
            | M::Setns
            | M::Setp
            | M::Setnp
            | M::Setl
            | M::Setge
            | M::Setle
            | M::Setg => integer(Integer::SetIf),
            M::Movbe => integer(Integer::MoveSwapped),
            M::Bswap => integer(Integer::SwapBytes),
            M::Lea => integer(Integer::Address),
            M::Xchg => integer(Integer::Exchange),
            M::Add => integer(Integer::Add { carry: false }),
            M::Adc => integer(Integer::Add { carry: true }),
            M::Sub => integer(Integer::Sub { borrow: false }),
            M::Sbb => integer(Integer::Sub { borrow: true }),
            M::Cmp => integer(Integer::Compare),
            M::Inc => integer(Integer::Increment),
            M::Dec => integer(Integer::Decrement),
            M::Neg => integer(Integer::Negate),
            M::Not => integer(Integer::Not),
            M::And => integer(Integer::And),
            M::Test => integer(Integer::Test),
            M::Or => integer(Integer::Or),
            M::Xor => integer(Integer::Xor),
            M::Andn => integer(Integer::AndNot),
            M::Shl | M::Sal => integer(Integer::Shift(Shift::Left)),
            M::Shr => integer(Integer::Shift(Shift::Right)),
            M::Sar => integer(Integer::Shift(Shift::RightSigned)),
            M::Rol => integer(Integer::Shift(Shift::RotateLeft)),
            M::Ror => integer(Integer::Shift(Shift::RotateRight)),
            M::Shlx => integer(Integer::ShiftInto(Shift::Left)),
            M::Shrx => integer(Integer::ShiftInto(Shift::Right)),
            M::Sarx => integer(Integer::ShiftInto(Shift::RightSigned)),
            M::Rorx => integer(Integer::ShiftInto(Shift::RotateRight)),
            M::Shld => integer(Integer::ShiftDouble { left: true }),
            M::Shrd => integer(Integer::ShiftDouble { left: false }),
            M::Imul if instruction.op_count() >= 2 => integer(Integer::Multiply),
            M::Mul => integer(Integer::MultiplyWide),
            M::Mulx => integer(Integer::MultiplyWideInto),
            M::Div => integer(Integer::Divide),
            M::Tzcnt => integer(Integer::TrailingZeros { counts: true }),
            M::Bsf => integer(Integer::TrailingZeros { counts: false }),
            M::Lzcnt => integer(Integer::LeadingZeros { counts: true }),
            M::Bsr => integer(Integer::LeadingZeros { counts: false }),
            M::Popcnt => integer(Integer::CountOnes),
            M::Bt => integer(Integer::TestBit),
            M::Cdqe => integer(Integer::ExtendSigned),
            M::Kmovb => integer(Integer::MaskMove(1)),
            M::Kmovw => integer(Integer::MaskMove(2)),
            M::Kmovd => integer(Integer::MaskMove(4)),
            M::Kmovq => integer(Integer::MaskMove(8)),
            M::Kxorb => integer(Integer::MaskXor { bytes: 1, not: false }),
            M::Kxorw => integer(Integer::MaskXor { bytes: 2, not: false }),
            M::Kxord => integer(Integer::MaskXor { bytes: 4, not: false }),
            M::Kxorq => integer(Integer::MaskXor { bytes: 8, not: false }),
            M::Kxnorb => integer(Integer::MaskXor { bytes: 1, not: true }),
            M::Kxnorw => integer(Integer::MaskXor { bytes: 2, not: true }),
            M::Kxnord => integer(Integer::MaskXor { bytes: 4, not: true }),
            M::Kxnorq => integer(Integer::MaskXor { bytes: 8, not: true }),

            M::Vmovdqu8 => vector(V::Move(1)),
            M::Vmovdqu16 => vector(V::Move(2)),
            M::Movdqu
            | M::Movdqa
            | M::Movups
            | M::Movaps
            | M::Movupd
            | M::Movapd
            | M::Lddqu
            | M::Vmovdqu
            | M::Vmovdqa
            | M::Vmovups
            | M::Vmovaps
            | M::Vlddqu
            | M::Vmovdqa32
            | M::Vmovdqu32 => vector(V::Move(4)),
            M::Vmovupd | M::Vmovapd | M::Vmovdqa64 | M::Vmovdqu64 => vector(V::Move(8)),
            M::Movntdq | M::Vmovntdq | M::Movntps | M::Vmovntps | M::Movntdqa | M::Vmovntdqa => {
                vector(V::MoveStreaming)
            }
            M::Movq | M::Vmovq => vector(V::MoveLow(8)),
            M::Movd | M::Vmovd => vector(V::MoveLow(4)),
            M::Movlps | M::Movlpd | M::Vmovlps | M::Vmovlpd => vector(V::MoveHalf { high: false }),
            M::Movhps | M::Movhpd | M::Vmovhps | M::Vmovhpd => vector(V::MoveHalf { high: true }),
            M::Vbroadcasti128
            | M::Vbroadcastf128
            | M::Vbroadcasti32x4
            | M::Vbroadcastf32x4
            | M::Vbroadcasti64x2
            | M::Vbroadcastf64x2 => vector(V::RepeatLane),
            M::Vpbroadcastb => vector(V::Repeat(1)),
            M::Vpbroadcastw => vector(V::Repeat(2)),
            M::Vpbroadcastd | M::Vbroadcastss => vector(V::Repeat(4)),
            M::Vpbroadcastq | M::Vbroadcastsd => vector(V::Repeat(8)),
            M::Vinserti128 | M::Vinsertf128 | M::Vinserti32x4 | M::Vinsertf32x4 => {
                vector(V::InsertLanes { lanes: 1, element: 4 })
            }
            M::Vinserti64x2 | M::Vinsertf64x2 => vector(V::InsertLanes { lanes: 1, element: 8 }),
            M::Vinserti64x4 | M::Vinsertf64x4 => vector(V::InsertLanes { lanes: 2, element: 8 }),
            M::Vextracti128 | M::Vextractf128 | M::Vextracti32x4 | M::Vextractf32x4 => {
                vector(V::ExtractLanes { lanes: 1, element: 4 })
            }
            M::Vextracti64x2 | M::Vextractf64x2 => vector(V::ExtractLanes { lanes: 1, element: 8 }),
            M::Vextracti64x4 | M::Vextractf64x4 => vector(V::ExtractLanes { lanes: 2, element: 8 }),
            M::Pextrb | M::Vpextrb => vector(V::Extract(1)),
            M::Pextrw | M::Vpextrw => vector(V::Extract(2)),
            M::Pextrd | M::Vpextrd => vector(V::Extract(4)),
            M::Pextrq | M::Vpextrq => vector(V::Extract(8)),
            M::Pinsrb | M::Vpinsrb => vector(V::Insert(1)),
            M::Pinsrw | M::Vpinsrw => vector(V::Insert(2)),
            M::Pinsrd | M::Vpinsrd => vector(V::Insert(4)),
            M::Pinsrq | M::Vpinsrq => vector(V::Insert(8)),
            M::Pmovmskb | M::Vpmovmskb => vector(V::Signs(1)),
            M::Movmskps | M::Vmovmskps => vector(V::Signs(4)),
            M::Movmskpd | M::Vmovmskpd => vector(V::Signs(8)),
            M::Vzeroupper => vector(V::ZeroUpper),
            M::Vzeroall => vector(V::ZeroAll),
            M::Pxor | M::Xorps | M::Xorpd | M::Vpxor | M::Vxorps | M::Vpxord => vector(V::Xor(4)),
            M::Vxorpd | M::Vpxorq => vector(V::Xor(8)),
            M::Pand | M::Andps | M::Andpd | M::Vpand | M::Vandps | M::Vpandd => vector(V::And(4)),
            M::Vandpd | M::Vpandq => vector(V::And(8)),
            M::Pandn | M::Andnps | M::Andnpd | M::Vpandn | M::Vandnps | M::Vpandnd => vector(V::AndNot(4)),
            M::Vandnpd | M::Vpandnq => vector(V::AndNot(8)),
            M::Por | M::Orps | M::Orpd | M::Vpor | M::Vorps | M::Vpord => vector(V::Or(4)),
            M::Vorpd | M::Vporq => vector(V::Or(8)),
            M::Vpternlogd => vector(V::Ternary(4)),
            M::Vpternlogq => vector(V::Ternary(8)),
            M::Psllw | M::Vpsllw => vector(V::Shift(2, Shift::Left)),
            M::Pslld | M::Vpslld => vector(V::Shift(4, Shift::Left)),
            M::Psllq | M::Vpsllq => vector(V::Shift(8, Shift::Left)),
            M::Psrlw | M::Vpsrlw => vector(V::Shift(2, Shift::Right)),
            M::Psrld | M::Vpsrld => vector(V::Shift(4, Shift::Right)),
            M::Psrlq | M::Vpsrlq => vector(V::Shift(8, Shift::Right)),
            M::Psraw | M::Vpsraw => vector(V::Shift(2, Shift::RightSigned)),
            M::Psrad | M::Vpsrad => vector(V::Shift(4, Shift::RightSigned)),
            M::Vpsraq => vector(V::Shift(8, Shift::RightSigned)),
            M::Vpsllvw => vector(V::ShiftEach(2, Shift::Left)),
            M::Vpsllvd => vector(V::ShiftEach(4, Shift::Left)),
            M::Vpsllvq => vector(V::ShiftEach(8, Shift::Left)),
            M::Vpsrlvw => vector(V::ShiftEach(2, Shift::Right)),
            M::Vpsrlvd => vector(V::ShiftEach(4, Shift::Right)),
            M::Vpsrlvq => vector(V::ShiftEach(8, Shift::Right)),
            M::Vpsravd => vector(V::ShiftEach(4, Shift::RightSigned)),
            M::Vpsravq => vector(V::ShiftEach(8, Shift::RightSigned)),
            M::Pslldq | M::Vpslldq => vector(V::ShiftLane { left: true }),
            M::Psrldq | M::Vpsrldq => vector(V::ShiftLane { left: false }),
            M::Palignr | M::Vpalignr => vector(V::Align),
            M::Pshufd | M::Vpshufd | M::Vpermilps if instruction.op_kind(2) == OpKind::Immediate8 => {
                vector(V::Shuffle4)
            }
            M::Shufps | M::Vshufps => vector(V::ShuffleTwo),
            M::Pshufb | M::Vpshufb => vector(V::ShuffleBytes),
            M::Pshuflw | M::Vpshuflw => vector(V::ShuffleWords { high: false }),
            M::Pshufhw | M::Vpshufhw => vector(V::ShuffleWords { high: true }),
            M::Punpcklbw | M::Vpunpcklbw => vector(V::Unpack { element: 1, high: false }),
            M::Punpckhbw | M::Vpunpckhbw => vector(V::Unpack { element: 1, high: true }),
            M::Punpcklwd | M::Vpunpcklwd => vector(V::Unpack { element: 2, high: false }),
            M::Punpckhwd | M::Vpunpckhwd => vector(V::Unpack { element: 2, high: true }),
            M::Punpckldq | M::Vpunpckldq | M::Unpcklps | M::Vunpcklps => {
                vector(V::Unpack { element: 4, high: false })
            }
            M::Punpckhdq | M::Vpunpckhdq | M::Unpckhps | M::Vunpckhps => {
                vector(V::Unpack { element: 4, high: true })
            }
            M::Punpcklqdq | M::Vpunpcklqdq | M::Movlhps | M::Vmovlhps | M::Unpcklpd | M::Vunpcklpd => {
                vector(V::Unpack { element: 8, high: false })
            }
            M::Punpckhqdq | M::Vpunpckhqdq | M::Unpckhpd | M::Vunpckhpd => {
                vector(V::Unpack { element: 8, high: true })
            }
            M::Pblendw | M::Vpblendw => vector(V::Blend(2)),
            M::Vpblendd | M::Blendps | M::Vblendps => vector(V::Blend(4)),
            M::Blendpd | M::Vblendpd => vector(V::Blend(8)),
            M::Vperm2i128 | M::Vperm2f128 => vector(V::PermuteLanes),
            M::Vshufi32x4 | M::Vshuff32x4 => vector(V::ShuffleLanes(4)),
            M::Vshufi64x2 | M::Vshuff64x2 => vector(V::ShuffleLanes(8)),
            M::Vpermq | M::Vpermpd => vector(V::Permute),
            M::Vpermi2q => vector(V::PermuteTwo { index_first: true }),
            M::Vpermt2q => vector(V::PermuteTwo { index_first: false }),
            M::Valignq => vector(V::AlignVectors),
            M::Vpmultishiftqb => vector(V::MultiShift),
            M::Paddb | M::Vpaddb => vector(V::Add(1)),
            M::Paddw | M::Vpaddw => vector(V::Add(2)),
            M::Paddd | M::Vpaddd => vector(V::Add(4)),
            M::Paddq | M::Vpaddq => vector(V::Add(8)),
            M::Psubb | M::Vpsubb => vector(V::Sub(1)),
            M::Psubw | M::Vpsubw => vector(V::Sub(2)),
            M::Psubd | M::Vpsubd => vector(V::Sub(4)),
            M::Psubq | M::Vpsubq => vector(V::Sub(8)),
            M::Pcmpgtb | M::Vpcmpgtb if !to_mask => vector(V::Greater(1)),
            M::Pcmpgtw | M::Vpcmpgtw if !to_mask => vector(V::Greater(2)),
            M::Pcmpgtd | M::Vpcmpgtd if !to_mask => vector(V::Greater(4)),
            M::Pcmpgtq | M::Vpcmpgtq if !to_mask => vector(V::Greater(8)),
            M::Pcmpeqb | M::Vpcmpeqb if !to_mask => vector(V::Equal(1)),
            M::Pcmpeqd | M::Vpcmpeqd if !to_mask => vector(V::Equal(4)),
            M::Pcmpeqq | M::Vpcmpeqq if !to_mask => vector(V::Equal(8)),
            M::Ptest | M::Vptest => vector(V::Test),
            M::Vptestmb => vector(V::TestEach { element: 1, none: false }),
            M::Vptestmw => vector(V::TestEach { element: 2, none: false }),
            M::Vptestmd => vector(V::TestEach { element: 4, none: false }),
            M::Vptestmq => vector(V::TestEach { element: 8, none: false }),
            M::Vptestnmb => vector(V::TestEach { element: 1, none: true }),
            M::Vptestnmw => vector(V::TestEach { element: 2, none: true }),
            M::Vptestnmd => vector(V::TestEach { element: 4, none: true }),
            M::Vptestnmq => vector(V::TestEach { element: 8, none: true }),
            M::Pmullw | M::Vpmullw => vector(V::MultiplyWords { high: false }),
            M::Pmulhuw | M::Vpmulhuw => vector(V::MultiplyWords { high: true }),
            M::Pmuludq | M::Vpmuludq => vector(V::MultiplyDoubleWords),
            M::Pmovzxbq | M::Vpmovzxbq => vector(V::ExtendZero { from: 1, to: 8 }),
            M::Pmovzxbd | M::Vpmovzxbd => vector(V::ExtendZero { from: 1, to: 4 }),
            M::Pmovzxbw | M::Vpmovzxbw => vector(V::ExtendZero { from: 1, to: 2 }),
            M::Pmovzxdq | M::Vpmovzxdq => vector(V::ExtendZero { from: 4, to: 8 }),
            M::Aesenc | M::Vaesenc => vector(V::Aes { function: Sub, last: false }),
            M::Aesenclast | M::Vaesenclast => vector(V::Aes { function: Sub, last: true }),
            M::Aesdec | M::Vaesdec => vector(V::Aes { function: InverseSub, last: false }),
            M::Aesdeclast | M::Vaesdeclast => vector(V::Aes { function: InverseSub, last: true }),
            M::Aesimc | M::Vaesimc => vector(V::InverseMixColumns),
            M::Aeskeygenassist | M::Vaeskeygenassist => vector(V::KeyGenAssist),
            _ => None,
        }
    }
}
