//! A decoder of A64 instructions, as the Arm Architecture Reference Manual (DDI 0487) encodes them: those forms that
//! compilers and the kernel use. Whatever is not one of them is no instruction here, and ends a proof.

/// A general register: its number; [`ZERO`] or [`STACK_POINTER`] where the encoding says 31.
pub type Register = usize;
/// The register that reads as 0.
pub const ZERO: Register = 31;
/// The stack pointer.
pub const STACK_POINTER: Register = 32;

/// A kind of shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// To the left.
    Left,
    /// To the right, with zeros.
    Right,
    /// To the right, with the sign.
    RightSigned,
    /// A rotation to the right.
    Rotate,
}

/// A second operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// A number.
    Number(u64),
    /// A register, shifted.
    Shifted(Register, Shift, usize),
    /// A register's lowest bytes, extended to 64 bits, and shifted to the left.
    Extended { register: Register, bytes: usize, signed: bool, left: usize },
}

/// A bitwise operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Logic {
    And,
    Or,
    Xor,
}

/// How a bit field is moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The field's sign above it.
    Signed,
    /// Zeros around it.
    Unsigned,
    /// The other bits stay.
    Insert,
}

/// When the base register becomes the address with its offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// It stays.
    None,
    /// Before the access.
    Before,
    /// After the access, which is at the base.
    After,
}

/// An address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The register.
    pub base: Register,
    /// What is added.
    pub offset: Operand,
    /// When the base changes.
    pub update: Update,
}

/// How elements of two vectors are put together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permute {
    /// The even or odd ones of both.
    Unzip,
    /// Even or odd ones in turn.
    Transpose,
    /// Those of the lower or upper halves in turn.
    Zip,
}

/// A function of two vectors; the first three use what the destination holds, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Three {
    /// The first where the destination has ones, otherwise the second (`bsl`).
    Select,
    /// The first where the second has ones (`bit`).
    InsertIf,
    /// The first where the second has zeros (`bif`).
    InsertUnless,
    And,
    AndNot,
    Or,
    OrNot,
    Xor,
    Add,
    Sub,
    /// By the signed count in each element's lowest byte (`ushl`, `sshl`).
    ShiftBy {
        signed: bool,
    },
    /// All ones where elements are equal.
    Equal,
    /// All ones where elements have a common one.
    Test,
    /// All ones where elements of the first are greater.
    Greater {
        signed: bool,
        or_equal: bool,
    },
    /// `uzp`, `trn`, `zip`.
    Permute(Permute, bool),
}

/// A function of one vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Two {
    Not,
    /// The elements' order in groups of so many bytes.
    Reverse(usize),
    /// The bits of each byte.
    ReverseBits,
    Negate,
    /// All ones where elements compare so with 0.
    Zero(Compare),
    /// The lower halves of elements: to the lower half of the destination, or to the upper one.
    Narrow {
        upper: bool,
    },
}

/// A comparison with 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compare {
    Equal,
    Less,
    NotLess,
}

/// A shift by a fixed count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementShift {
    Left,
    Right {
        signed: bool,
    },
    /// To the right, and added to the destination (`usra`, `ssra`).
    RightAdd {
        signed: bool,
    },
    /// The bits below stay (`sli`).
    LeftInsert,
    /// The bits above stay (`sri`).
    RightInsert,
}

/// What a number does to a vector register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constant {
    Move,
    Or,
    AndNot,
}

/// An AES instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aes {
    /// AddRoundKey, SubBytes and ShiftRows.
    Encrypt,
    /// AddRoundKey, InvShiftRows and InvSubBytes.
    Decrypt,
    /// MixColumns.
    Mix,
    /// InvMixColumns.
    InverseMix,
}

/// A function of three vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Four {
    /// `eor3`.
    Xor,
    /// `bcax`: the first, and the second where the third has zeros.
    AndNotXor,
}

/// An instruction. `bytes`: the size of its operands, or how much of vector registers is used. `to`: the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instruction {
    /// `adr`, `adrp`: relative to the instruction, or to its page.
    Relative { to: Register, offset: i64, page: bool },
    /// `add`, `sub`, `adc`, `sbc`.
    Sum { bytes: usize, subtract: bool, carry: bool, flags: bool, to: Register, a: Register, b: Operand },
    /// `and`, `bic`, `orr`, `orn`, `eor`, `eon`.
    Logic { bytes: usize, which: Logic, not: bool, flags: bool, to: Register, a: Register, b: Operand },
    /// `movz`, `movn`.
    Number { to: Register, value: u64 },
    /// `movk`: 16 bits from `place` on.
    Keep { bytes: usize, to: Register, value: u64, place: usize },
    /// `ubfm`, `sbfm`, `bfm`: shifts and fields.
    Field { bytes: usize, kind: Field, to: Register, from: Register, rotate: usize, last: usize },
    /// `extr`: of `high` and `low`, bits from `place` of `low` on.
    Extract { bytes: usize, to: Register, high: Register, low: Register, place: usize },
    /// A shift by a register.
    Shift { bytes: usize, way: Shift, to: Register, value: Register, count: Register },
    /// `udiv`, `sdiv`.
    Divide { bytes: usize, signed: bool, to: Register, a: Register, b: Register },
    /// `madd`, `msub`.
    MultiplyAdd { bytes: usize, subtract: bool, to: Register, a: Register, b: Register, plus: Register },
    /// `umaddl` and the like: factors of 32 bits.
    MultiplyLong { signed: bool, subtract: bool, to: Register, a: Register, b: Register, plus: Register },
    /// `umulh`, `smulh`.
    MultiplyHigh { signed: bool, to: Register, a: Register, b: Register },
    /// `rev`, `rev16`, `rev32`: bytes in groups of so many.
    Reverse { bytes: usize, group: usize, to: Register, from: Register },
    /// `rbit`.
    ReverseBits { bytes: usize, to: Register, from: Register },
    /// `clz`.
    LeadingZeros { bytes: usize, to: Register, from: Register },
    /// `ccmp`, `ccmn`: compares, or sets the flags to a number.
    CompareIf { bytes: usize, subtract: bool, a: Register, b: Operand, otherwise: u32, condition: u32 },
    /// `csel`, `csinc`, `csinv`, `csneg`.
    Select { bytes: usize, to: Register, a: Register, b: Register, not: bool, plus: bool, condition: u32 },
    /// `b`, `bl`.
    Branch { link: bool, offset: i64 },
    /// `b.cond`.
    BranchIf { condition: u32, offset: i64 },
    /// `cbz`, `cbnz`.
    BranchZero { bytes: usize, register: Register, zero: bool, offset: i64 },
    /// `tbz`, `tbnz`.
    BranchBit { register: Register, bit: usize, set: bool, offset: i64 },
    /// `br`, `blr`, `ret`.
    BranchTo { link: bool, register: Register },
    /// Hints that do nothing, and barriers: nothing here is concurrent.
    Nothing,
    /// `prfm`.
    Prefetch { at: Address },
    /// Loads and stores of one register or two. `signed`: to so many bytes.
    Transfer {
        load: bool,
        vector: bool,
        bytes: usize,
        signed: Option<usize>,
        first: Register,
        second: Option<Register>,
        at: Address,
    },
    /// `ld1`, `st1` of one register to four.
    Structures { load: bool, bytes: usize, first: usize, count: usize, at: Address },
    /// `ld1`, `st1` of one element.
    Element { load: bool, element: usize, register: usize, index: usize, at: Address },
    /// `ld1r`.
    LoadRepeated { bytes: usize, element: usize, to: usize, at: Address },
    /// A function of two vectors.
    Three { which: Three, bytes: usize, element: usize, to: usize, a: usize, b: usize },
    /// A function of one.
    Two { which: Two, bytes: usize, element: usize, to: usize, from: usize },
    /// A shift by a number.
    ElementShift { which: ElementShift, bytes: usize, element: usize, count: usize, to: usize, from: usize },
    /// `ushll`, `sshll`: elements of the lower or upper half, twice as long, and shifted to the left.
    Lengthen { signed: bool, upper: bool, element: usize, count: usize, to: usize, from: usize },
    /// `movi`, `mvni`, and `orr` and `bic` with a number.
    Constant { which: Constant, bytes: usize, to: usize, value: u128 },
    /// `dup` of an element.
    Repeat { bytes: usize, element: usize, to: usize, from: usize, index: usize },
    /// `dup` of a general register.
    RepeatGeneral { bytes: usize, element: usize, to: usize, from: Register },
    /// `ins` of an element.
    Insert { element: usize, to: usize, index: usize, from: usize, from_index: usize },
    /// `ins` of a general register.
    InsertGeneral { element: usize, to: usize, index: usize, from: Register },
    /// `umov`, `smov`, and `fmov` to a general register. `signed`: to so many bytes.
    Extract1 { element: usize, signed: Option<usize>, to: Register, from: usize, index: usize },
    /// `tbl`, `tbx`.
    Table { bytes: usize, to: usize, first: usize, count: usize, index: usize, keep: bool },
    /// `ext`.
    Align { bytes: usize, to: usize, low: usize, high: usize, count: usize },
    /// AES.
    Aes { which: Aes, to: usize, from: usize },
    /// SHA-3's functions of three vectors.
    Four { which: Four, to: usize, a: usize, b: usize, c: usize },
    /// `xar`: the exclusive or of two vectors, each half rotated to the right.
    RotateXor { to: usize, a: usize, b: usize, count: usize },
}

/// Bits `high` to `low`.
fn bits(code: u32, high: u32, low: u32) -> u32 {
    code >> low & (u32::MAX >> (31 - (high - low)))
}

fn bit(code: u32, place: u32) -> bool {
    code >> place & 1 != 0
}

/// A field as a signed number.
fn signed(code: u32, high: u32, low: u32) -> i64 {
    let width = high - low + 1;
    i64::from((bits(code, high, low) << (32 - width)) as i32 >> (32 - width))
}

fn register(code: u32, low: u32) -> Register {
    bits(code, low + 4, low) as usize
}

/// A register, where 31 is the stack pointer.
fn register_or_sp(code: u32, low: u32) -> Register {
    if register(code, low) == 31 { STACK_POINTER } else { register(code, low) }
}

/// The operands' size: bit 31.
fn size(code: u32) -> usize {
    if bit(code, 31) { 8 } else { 4 }
}

/// How much of vector registers is used: bit 30.
fn vector_size(code: u32) -> usize {
    if bit(code, 30) { 16 } else { 8 }
}

/// DecodeBitMasks() of the manual: a number made of ones in a row, rotated, and repeated.
fn bit_mask(code: u32) -> Option<u64> {
    let (n, rotate, ones) = (bits(code, 22, 22), bits(code, 21, 16), bits(code, 15, 10));
    let len = (n << 6 | !ones & 0x3f).checked_ilog2().filter(|len| *len >= 1)?;
    let width = 1 << len;
    let (ones, rotate) = (ones & (width - 1), rotate & (width - 1));
    if ones == width - 1 || (!bit(code, 31) && n == 1) {
        return None;
    }
    let element = u64::MAX >> (63 - ones);
    let mut value = 0;
    for i in 0..64 {
        let place = i / width * width + (i % width + rotate) % width - i / width * width;
        value |= (element >> place & 1) << i;
    }
    Some(if bit(code, 31) { value } else { value & 0xffff_ffff })
}

/// Decodes an instruction.
pub fn decode(code: u32) -> Option<Instruction> {
    match bits(code, 28, 25) {
        0b1000 | 0b1001 => immediate(code),
        0b1010 | 0b1011 => branch(code),
        0b0100 | 0b0110 | 0b1100 | 0b1110 => transfer(code),
        0b0101 | 0b1101 => registers(code),
        0b0111 | 0b1111 => vector(code),
        _ => None,
    }
}

fn immediate(code: u32) -> Option<Instruction> {
    let (bytes, to, from) = (size(code), register(code, 0), register(code, 5));
    let kind = bits(code, 30, 29);
    Some(match bits(code, 25, 23) {
        0b000 | 0b001 => {
            let page = bit(code, 31);
            let offset = signed(code, 23, 5) << 2 | i64::from(kind);
            Instruction::Relative { to, offset: if page { offset << 12 } else { offset }, page }
        }
        0b010 => {
            let number = u64::from(bits(code, 21, 10)) << if bit(code, 22) { 12 } else { 0 };
            let flags = bit(code, 29);
            let to = if flags { to } else { register_or_sp(code, 0) };
            let (a, b) = (register_or_sp(code, 5), Operand::Number(number));
            Instruction::Sum { bytes, subtract: bit(code, 30), carry: false, flags, to, a, b }
        }
        0b100 => {
            let b = Operand::Number(bit_mask(code)?);
            let which = [Logic::And, Logic::Or, Logic::Xor, Logic::And][kind as usize];
            let to = if kind == 3 { to } else { register_or_sp(code, 0) };
            Instruction::Logic { bytes, which, not: false, flags: kind == 3, to, a: from, b }
        }
        0b101 => {
            let (place, value) = (16 * bits(code, 22, 21) as usize, u64::from(bits(code, 20, 5)));
            if place >= 8 * bytes {
                return None;
            }
            let mask = if bytes == 8 { u64::MAX } else { 0xffff_ffff };
            match kind {
                0 => Instruction::Number { to, value: !(value << place) & mask },
                2 => Instruction::Number { to, value: value << place },
                3 => Instruction::Keep { bytes, to, value, place },
                _ => return None,
            }
        }
        0b110 => {
            let kind = [Field::Signed, Field::Insert, Field::Unsigned].get(kind as usize).copied()?;
            let (rotate, last) = (bits(code, 21, 16) as usize, bits(code, 15, 10) as usize);
            if bit(code, 22) != bit(code, 31) || rotate >= 8 * bytes || last >= 8 * bytes {
                return None;
            }
            Instruction::Field { bytes, kind, to, from, rotate, last }
        }
        0b111 => {
            let place = bits(code, 15, 10) as usize;
            if kind != 0 || bit(code, 21) || bit(code, 22) != bit(code, 31) || place >= 8 * bytes {
                return None;
            }
            Instruction::Extract { bytes, to, high: from, low: register(code, 16), place }
        }
        _ => return None,
    })
}

fn branch(code: u32) -> Option<Instruction> {
    let near = || signed(code, 23, 5) << 2;
    Some(match bits(code, 31, 25) {
        0b0101010 if !bit(code, 24) && !bit(code, 4) => {
            Instruction::BranchIf { condition: bits(code, 3, 0), offset: near() }
        }
        0b0011010 | 0b1011010 => Instruction::BranchZero {
            bytes: size(code),
            register: register(code, 0),
            zero: !bit(code, 24),
            offset: near(),
        },
        0b0011011 | 0b1011011 => Instruction::BranchBit {
            register: register(code, 0),
            bit: (bits(code, 31, 31) << 5 | bits(code, 23, 19)) as usize,
            set: bit(code, 24),
            offset: signed(code, 18, 5) << 2,
        },
        _ if bits(code, 30, 26) == 0b00101 => {
            Instruction::Branch { link: bit(code, 31), offset: signed(code, 25, 0) << 2 }
        }
        0b1101011 if code & 0x01ff_fc1f == 0x001f_0000 => {
            Instruction::BranchTo { link: false, register: register(code, 5) }
        }
        0b1101011 if code & 0x01ff_fc1f == 0x003f_0000 => {
            Instruction::BranchTo { link: true, register: register(code, 5) }
        }
        0b1101011 if code & 0x01ff_fc1f == 0x005f_0000 => {
            Instruction::BranchTo { link: false, register: register(code, 5) }
        }
        // nop, bti (with all its targets); dsb, dmb, isb
        _ if code == 0xd503_201f || code & 0xffff_ff3f == 0xd503_241f => Instruction::Nothing,
        _ if code & 0xffff_f01f == 0xd503_301f && matches!(bits(code, 7, 5), 4..=6) => Instruction::Nothing,
        _ => return None,
    })
}

fn registers(code: u32) -> Option<Instruction> {
    let (bytes, to, a, b) = (size(code), register(code, 0), register(code, 5), register(code, 16));
    let shifted = || {
        let way = [Shift::Left, Shift::Right, Shift::RightSigned, Shift::Rotate][bits(code, 23, 22) as usize];
        let count = bits(code, 15, 10) as usize;
        (count < 8 * bytes).then_some(Operand::Shifted(b, way, count))
    };
    let whole = Operand::Shifted(b, Shift::Left, 0);
    if !bit(code, 28) {
        if !bit(code, 24) {
            let kind = bits(code, 30, 29);
            let which = [Logic::And, Logic::Or, Logic::Xor, Logic::And][kind as usize];
            let (not, flags) = (bit(code, 21), kind == 3);
            return Some(Instruction::Logic { bytes, which, not, flags, to, a, b: shifted()? });
        }
        let (subtract, flags) = (bit(code, 30), bit(code, 29));
        if !bit(code, 21) {
            if bits(code, 23, 22) == 3 {
                return None;
            }
            return Some(Instruction::Sum { bytes, subtract, carry: false, flags, to, a, b: shifted()? });
        }
        let left = bits(code, 12, 10) as usize;
        if bits(code, 23, 22) != 0 || left > 4 {
            return None;
        }
        let b = extended(code, left);
        let to = if flags { to } else { register_or_sp(code, 0) };
        return Some(Instruction::Sum {
            bytes,
            subtract,
            carry: false,
            flags,
            to,
            a: register_or_sp(code, 5),
            b,
        });
    }
    let (opcode, kind) = (bits(code, 15, 10), bits(code, 30, 29));
    Some(match bits(code, 24, 21) {
        0b0000 if opcode == 0 => Instruction::Sum {
            bytes,
            subtract: bit(code, 30),
            carry: true,
            flags: bit(code, 29),
            to,
            a,
            b: whole,
        },
        0b0010 if bit(code, 29) && !bit(code, 10) && !bit(code, 4) => Instruction::CompareIf {
            bytes,
            subtract: bit(code, 30),
            a,
            b: if bit(code, 11) { Operand::Number(b as u64) } else { whole },
            otherwise: bits(code, 3, 0),
            condition: bits(code, 15, 12),
        },
        0b0100 if !bit(code, 29) && !bit(code, 11) => Instruction::Select {
            bytes,
            to,
            a,
            b,
            not: bit(code, 30),
            plus: bit(code, 10),
            condition: bits(code, 15, 12),
        },
        0b0110 if kind == 0 => {
            let shift = |way| Instruction::Shift { bytes, way, to, value: a, count: b };
            match opcode {
                2 | 3 => Instruction::Divide { bytes, signed: opcode == 3, to, a, b },
                8 => shift(Shift::Left),
                9 => shift(Shift::Right),
                10 => shift(Shift::RightSigned),
                11 => shift(Shift::Rotate),
                _ => return None,
            }
        }
        0b0110 if kind == 2 && b == 0 => match opcode {
            0 => Instruction::ReverseBits { bytes, to, from: a },
            1 => Instruction::Reverse { bytes, group: 2, to, from: a },
            2 => Instruction::Reverse { bytes, group: 4, to, from: a },
            3 if bytes == 8 => Instruction::Reverse { bytes, group: 8, to, from: a },
            4 => Instruction::LeadingZeros { bytes, to, from: a },
            _ => return None,
        },
        0b1000..=0b1111 if kind == 0 => {
            let (plus, subtract) = (register(code, 10), bit(code, 15));
            match (bits(code, 23, 21), bytes) {
                (0b000, _) => Instruction::MultiplyAdd { bytes, subtract, to, a, b, plus },
                (0b001 | 0b101, 8) => {
                    Instruction::MultiplyLong { signed: !bit(code, 23), subtract, to, a, b, plus }
                }
                (0b010 | 0b110, 8) if !subtract => {
                    Instruction::MultiplyHigh { signed: !bit(code, 23), to, a, b }
                }
                _ => return None,
            }
        }
        _ => return None,
    })
}

/// A register that is extended: bits 15 to 13.
fn extended(code: u32, left: usize) -> Operand {
    let (bytes, signed) = (1 << bits(code, 14, 13), bit(code, 15));
    Operand::Extended { register: register(code, 16), bytes, signed, left }
}

fn transfer(code: u32) -> Option<Instruction> {
    let (base, first) = (register_or_sp(code, 5), register(code, 0));
    let vector = bit(code, 26);
    let at = |offset: i64, update| Address { base, offset: Operand::Number(offset as u64), update };
    match bits(code, 29, 27) {
        // Pairs.
        0b101 if !bit(code, 25) => {
            let kind = bits(code, 31, 30);
            let (bytes, signed_to) = match (vector, kind) {
                (false, 0) => (4, None),
                (false, 1) if bit(code, 22) && bits(code, 24, 23) != 0 => (4, Some(8)),
                (false, 2) => (8, None),
                (true, 0..=2) => (4 << kind, None),
                _ => return None,
            };
            let update =
                [Update::None, Update::After, Update::None, Update::Before][bits(code, 24, 23) as usize];
            Some(Instruction::Transfer {
                load: bit(code, 22),
                vector,
                bytes,
                signed: signed_to,
                first,
                second: Some(register(code, 10)),
                at: at(signed(code, 21, 15) * bytes as i64, update),
            })
        }
        // One register.
        0b111 => {
            let (kind, opcode) = (bits(code, 31, 30), bits(code, 23, 22));
            let (bytes, load, signed_to): (usize, bool, Option<usize>) = match (vector, opcode) {
                (true, 0 | 1) => (1 << kind, opcode == 1, None),
                (true, _) if kind == 0 => (16, opcode == 3, None),
                (false, 0 | 1) => (1 << kind, opcode == 1, None),
                (false, 2) if kind == 3 => (8, true, None),
                (false, 2) => (1 << kind, true, Some(8)),
                (false, _) if kind < 2 => (1 << kind, true, Some(4)),
                _ => return None,
            };
            let at = match (bits(code, 25, 24), bit(code, 21), bits(code, 11, 10)) {
                (1, _, _) => at(i64::from(bits(code, 21, 10)) * bytes as i64, Update::None),
                (0, false, 0) => at(signed(code, 20, 12), Update::None),
                (0, false, 1) => at(signed(code, 20, 12), Update::After),
                (0, false, 3) => at(signed(code, 20, 12), Update::Before),
                (0, true, 2) if bit(code, 14) => {
                    let left = if bit(code, 12) { bytes.trailing_zeros() as usize } else { 0 };
                    Address { base, offset: extended(code, left), update: Update::None }
                }
                _ => return None,
            };
            if !vector && kind == 3 && opcode == 2 {
                return (at.update == Update::None).then_some(Instruction::Prefetch { at });
            }
            Some(Instruction::Transfer { load, vector, bytes, signed: signed_to, first, second: None, at })
        }
        // With acquire and release: ldar, ldarb, stlr, stlrb and the like.
        0b001 if code & 0x3fbf_fc00 == 0x089f_fc00 => Some(Instruction::Transfer {
            load: bit(code, 22),
            vector: false,
            bytes: 1 << bits(code, 31, 30),
            signed: None,
            first,
            second: None,
            at: at(0, Update::None),
        }),
        // Structures of vectors.
        0b001 if vector && !bit(code, 31) => structures(code, base),
        _ => None,
    }
}

fn structures(code: u32, base: Register) -> Option<Instruction> {
    let (load, bytes, first) = (bit(code, 22), vector_size(code), register(code, 0));
    let at = |len: usize| {
        let by = register(code, 16);
        match (bit(code, 23), by) {
            (false, 0) => Some(Address { base, offset: Operand::Number(0), update: Update::None }),
            (false, _) => None,
            (true, 31) => Some(Address { base, offset: Operand::Number(len as u64), update: Update::After }),
            (true, _) => {
                let offset = Operand::Shifted(by, Shift::Left, 0);
                Some(Address { base, offset, update: Update::After })
            }
        }
    };
    if !bit(code, 24) {
        if bit(code, 21) {
            return None;
        }
        let count = match bits(code, 15, 12) {
            0b0111 => 1,
            0b1010 => 2,
            0b0110 => 3,
            0b0010 => 4,
            _ => return None,
        };
        return Some(Instruction::Structures { load, bytes, first, count, at: at(count * bytes)? });
    }
    if bit(code, 21) {
        return None;
    }
    let (size, half, s) = (bits(code, 11, 10) as usize, bytes / 16, usize::from(bit(code, 12)));
    let (element, index) = match (bits(code, 15, 13), size) {
        (0b110, _) if load && s == 0 => {
            let element = 1 << size;
            return Some(Instruction::LoadRepeated { bytes, element, to: first, at: at(element)? });
        }
        (0b000, _) => (1, half << 3 | s << 2 | size),
        (0b010, 0 | 2) => (2, half << 2 | s << 1 | size >> 1),
        (0b100, 0) => (4, half << 1 | s),
        (0b100, 1) if s == 0 => (8, half),
        _ => return None,
    };
    Some(Instruction::Element { load, element, register: first, index, at: at(element)? })
}

fn vector(code: u32) -> Option<Instruction> {
    let (to, from, second) = (register(code, 0), register(code, 5), register(code, 16));
    let bytes = vector_size(code);
    // The forms that are alone.
    let aes = |which| Some(Instruction::Aes { which, to, from });
    match code & 0xffff_fc00 {
        0x4e28_4800 => return aes(Aes::Encrypt),
        0x4e28_5800 => return aes(Aes::Decrypt),
        0x4e28_6800 => return aes(Aes::Mix),
        0x4e28_7800 => return aes(Aes::InverseMix),
        // fmov between vector and general registers
        0x1e26_0000 => return Some(Instruction::Extract1 { element: 4, signed: None, to, from, index: 0 }),
        0x9e66_0000 => return Some(Instruction::Extract1 { element: 8, signed: None, to, from, index: 0 }),
        0x9eae_0000 => return Some(Instruction::Extract1 { element: 8, signed: None, to, from, index: 1 }),
        0x1e27_0000 => return Some(Instruction::RepeatGeneral { bytes: 4, element: 4, to, from }),
        0x9e67_0000 => return Some(Instruction::RepeatGeneral { bytes: 8, element: 8, to, from }),
        0x9eaf_0000 => return Some(Instruction::InsertGeneral { element: 8, to, index: 1, from }),
        // fmov between vector registers
        0x1e20_4000 => return Some(Instruction::Repeat { bytes: 4, element: 4, to, from, index: 0 }),
        0x1e60_4000 => return Some(Instruction::Repeat { bytes: 8, element: 8, to, from, index: 0 }),
        _ => {}
    }
    let third = register(code, 10);
    match code & 0xffe0_8000 {
        0xce00_0000 => return Some(Instruction::Four { which: Four::Xor, to, a: from, b: second, c: third }),
        0xce20_0000 => {
            return Some(Instruction::Four { which: Four::AndNotXor, to, a: from, b: second, c: third });
        }
        _ => {}
    }
    if bits(code, 31, 21) == 0b110_0111_0100 {
        return Some(Instruction::RotateXor { to, a: from, b: second, count: bits(code, 15, 10) as usize });
    }
    // What is left: 0 Q U 0111x, or the same with bit 30 set and 28 for scalars.
    if bit(code, 31) || bits(code, 27, 25) != 0b111 || (bit(code, 28) && !bit(code, 30)) {
        return None;
    }
    let scalar = bit(code, 28);
    let upper = bit(code, 29);
    let element = 1 << bits(code, 23, 22);
    let bytes = if scalar { 8 } else { bytes };
    // Scalars are of 64 bits; vectors have two elements at least.
    let sized = if scalar { element == 8 } else { bytes == 16 || element < 8 };
    if bit(code, 24) {
        if bit(code, 23) || !bit(code, 10) {
            return None;
        }
        return if bits(code, 22, 19) == 0 {
            if scalar { None } else { constant(code, bytes, to) }
        } else {
            element_shift(code, scalar, bytes, to, from)
        };
    }
    let three = |which| Some(Instruction::Three { which, bytes, element, to, a: from, b: second });
    if bit(code, 21) && bit(code, 10) {
        let opcode = bits(code, 15, 11);
        if opcode == 0b00011 && !scalar {
            let which = match (upper, bits(code, 23, 22)) {
                (false, 0) => Three::And,
                (false, 1) => Three::AndNot,
                (false, 2) => Three::Or,
                (false, _) => Three::OrNot,
                (true, 0) => Three::Xor,
                (true, 1) => Three::Select,
                (true, 2) => Three::InsertIf,
                (true, _) => Three::InsertUnless,
            };
            return Some(Instruction::Three { which, bytes, element: 1, to, a: from, b: second });
        }
        if !sized {
            return None;
        }
        return match opcode {
            0b10000 => three(if upper { Three::Sub } else { Three::Add }),
            0b01000 => three(Three::ShiftBy { signed: !upper }),
            0b10001 => three(if upper { Three::Equal } else { Three::Test }),
            0b00110 => three(Three::Greater { signed: !upper, or_equal: false }),
            0b00111 => three(Three::Greater { signed: !upper, or_equal: true }),
            _ => None,
        };
    }
    if bits(code, 21, 17) == 0b10000 && bits(code, 11, 10) == 0b10 {
        let two = |which| Some(Instruction::Two { which, bytes, element, to, from });
        return match (bits(code, 16, 12), upper) {
            (0b00000, false) if !scalar && element < 8 => two(Two::Reverse(8)),
            (0b00000, true) if !scalar && element < 4 => two(Two::Reverse(4)),
            (0b00001, false) if !scalar && element < 2 => two(Two::Reverse(2)),
            (0b00101, true) if !scalar && element == 1 => two(Two::Not),
            (0b00101, true) if !scalar && element == 2 => {
                Some(Instruction::Two { which: Two::ReverseBits, bytes, element: 1, to, from })
            }
            (0b01001, false) if sized => two(Two::Zero(Compare::Equal)),
            (0b01010, false) if sized => two(Two::Zero(Compare::Less)),
            (0b01000, true) if sized => two(Two::Zero(Compare::NotLess)),
            (0b01011, true) if sized => two(Two::Negate),
            (0b10010, false) if !scalar && element < 8 => {
                let upper = bytes == 16;
                let element = 2 * element;
                Some(Instruction::Two { which: Two::Narrow { upper }, bytes: 16, element, to, from })
            }
            _ => None,
        };
    }
    if bit(code, 21) || bit(code, 15) {
        return None;
    }
    // Copies, and what moves elements around.
    if bits(code, 23, 22) == 0 && bit(code, 10) {
        return copy(code, scalar, bytes, to, from);
    }
    if scalar {
        return None;
    }
    if upper {
        let count = bits(code, 14, 11) as usize;
        if bits(code, 23, 22) != 0 || bit(code, 10) || count >= bytes {
            return None;
        }
        return Some(Instruction::Align { bytes, to, low: from, high: second, count });
    }
    match bits(code, 11, 10) {
        0b00 if bits(code, 23, 22) == 0 => {
            let (count, keep) = (bits(code, 14, 13) as usize + 1, bit(code, 12));
            Some(Instruction::Table { bytes, to, first: from, count, index: second, keep })
        }
        0b10 if sized => {
            let odd = bit(code, 14);
            match bits(code, 13, 12) {
                1 => three(Three::Permute(Permute::Unzip, odd)),
                2 => three(Three::Permute(Permute::Transpose, odd)),
                3 => three(Three::Permute(Permute::Zip, odd)),
                _ => None,
            }
        }
        _ => None,
    }
}

fn copy(code: u32, scalar: bool, bytes: usize, to: usize, from: usize) -> Option<Instruction> {
    let five = bits(code, 20, 16) as usize;
    let which = five.trailing_zeros() as usize;
    if which > 3 {
        return None;
    }
    let (element, index) = (1 << which, five >> (which + 1));
    let four = bits(code, 14, 11) as usize;
    if bit(code, 29) {
        let from_index = four >> which;
        return (!scalar && bytes == 16).then_some(Instruction::Insert {
            element,
            to,
            index,
            from,
            from_index,
        });
    }
    if scalar {
        // A scalar has the size of its element.
        return (four == 0).then_some(Instruction::Repeat { bytes: element, element, to, from, index });
    }
    match four {
        0b0000 | 0b0001 if bytes == 8 && element == 8 => None,
        0b0000 => Some(Instruction::Repeat { bytes, element, to, from, index }),
        0b0001 => Some(Instruction::RepeatGeneral { bytes, element, to, from }),
        0b0011 if bytes == 16 => Some(Instruction::InsertGeneral { element, to, index, from }),
        0b0101 if element < bytes / 2 => {
            Some(Instruction::Extract1 { element, signed: Some(bytes / 2), to, from, index })
        }
        0b0111 if (element == 8) == (bytes == 16) => {
            Some(Instruction::Extract1 { element, signed: None, to, from, index })
        }
        _ => None,
    }
}

fn element_shift(code: u32, scalar: bool, bytes: usize, to: usize, from: usize) -> Option<Instruction> {
    let high = bits(code, 22, 19);
    let element = 1usize << high.ilog2();
    let (value, width) = (bits(code, 22, 16) as usize, 8 * element);
    let (left, right) = (value - width, 2 * width - value);
    let (upper, opcode) = (bit(code, 29), bits(code, 15, 11));
    if opcode == 0b10100 && !scalar && element < 8 {
        let (signed, half) = (!upper, bytes == 16);
        return Some(Instruction::Lengthen { signed, upper: half, element, count: left, to, from });
    }
    if if scalar { element != 8 } else { bytes == 8 && element == 8 } {
        return None;
    }
    let (which, count) = match (opcode, upper) {
        (0b00000, _) => (ElementShift::Right { signed: !upper }, right),
        (0b00010, _) => (ElementShift::RightAdd { signed: !upper }, right),
        (0b01000, true) => (ElementShift::RightInsert, right),
        (0b01010, true) => (ElementShift::LeftInsert, left),
        (0b01010, false) => (ElementShift::Left, left),
        _ => return None,
    };
    Some(Instruction::ElementShift { which, bytes, element, count, to, from })
}

/// AdvSIMDExpandImm() of the manual.
fn constant(code: u32, bytes: usize, to: usize) -> Option<Instruction> {
    let byte = u64::from(bits(code, 18, 16) << 5 | bits(code, 9, 5));
    let (mode, inverse) = (bits(code, 15, 12), bit(code, 29));
    if bit(code, 11) {
        return None;
    }
    let by_two = |x: u64| x | x << 32;
    let by_four = |x: u64| by_two(x | x << 16);
    let (value, with_old) = match mode {
        0b0000..=0b0111 => (by_two(byte << (8 * (mode >> 1))), bit(mode, 0)),
        0b1000..=0b1011 => (by_four(byte << (8 * (mode >> 1 & 1))), bit(mode, 0)),
        0b1100 => (by_two(byte << 8 | 0xff), false),
        0b1101 => (by_two(byte << 16 | 0xffff), false),
        0b1110 if !inverse => (byte * 0x0101_0101_0101_0101, false),
        0b1110 => {
            let value: u64 = (0..8).filter(|i| byte >> i & 1 != 0).map(|i| 0xff << (8 * i)).sum();
            let value = u128::from(value) | u128::from(value) << 64;
            return Some(Instruction::Constant { which: Constant::Move, bytes, to, value });
        }
        _ => return None,
    };
    let which = match (with_old, inverse) {
        (true, false) => Constant::Or,
        (true, true) => Constant::AndNot,
        (false, _) => Constant::Move,
    };
    let value = if which == Constant::Move && inverse { !value } else { value };
    let value = u128::from(value) | u128::from(value) << 64;
    Some(Instruction::Constant { which, bytes, to, value })
}
