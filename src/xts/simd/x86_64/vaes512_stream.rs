//! Vectors with sixteen in flight, as in [`vaes512_row`](super::vaes512_row), for what is not a row of whole tiles:
//! vectors of short sectors and of sectors' ends, wherever they lie, and blocks whose tweaks lie in memory.
//!
//! Eight vectors make a group. Two groups are in flight, half of the rounds apart.

use core::arch::asm;

use crate::xts::simd::{
    aes::keys::KeySchedule,
    blocks::{Block, Blocks},
    job::Place,
};

/// Vectors of a group.
pub(crate) const GROUP: usize = 8;
/// Blocks of a group's slot: its tweaks, and its vectors' places.
const SLOT: usize = 4 * GROUP + GROUP;

/// The exponents of the tweaks of a sector's first eight vectors, as shift counts of their 64-bit halves, and 64 minus
/// those.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Powers {
    moved: [[u64; 8]; GROUP],
    carried: [[u64; 8]; GROUP],
}

impl Powers {
    pub(crate) const PLAIN: Powers = {
        let mut powers = Powers { moved: [[0; 8]; GROUP], carried: [[0; 8]; GROUP] };
        let mut i = 0;
        while i < 8 * GROUP {
            powers.moved[i / 8][i % 8] = i as u64 / 2;
            powers.carried[i / 8][i % 8] = 64 - i as u64 / 2;
            i += 1;
        }
        powers
    };

    /// The shift counts of vector `v`, eight each, aligned for a vector.
    #[inline(always)]
    pub(crate) fn row(&self, v: usize) -> (*const u64, *const u64) {
        (self.moved[v % GROUP].as_ptr(), self.carried[v % GROUP].as_ptr())
    }

    /// The last block of vector `v` takes the tweak of the block behind it.
    pub(crate) fn last_moved(mut self, v: usize) -> Powers {
        for i in 6..8 {
            self.moved[v % GROUP][i] += 1;
            self.carried[v % GROUP][i] -= 1;
        }
        self
    }
}

pub(crate) static PLAIN: Powers = Powers::PLAIN;

/// Vectors of sectors. The assembler reads it.
#[repr(C)]
pub(crate) struct Stream<'a> {
    /// Vectors of a sector: 1 to 8.
    pub(crate) vectors: usize,
    pub(crate) powers: &'a Powers,
    /// Groups of vectors, one at least.
    pub(crate) groups: usize,
    /// Where the first sector's vectors lie.
    pub(crate) at: Place,
    /// Where those of the others lie: a place for each. Null, if all lie `gap` bytes apart.
    pub(crate) others: *const Place,
    /// Encrypted numbers: one for each sector, and sixteen more, which are read and not used.
    pub(crate) numbers: *const Block,
    /// From the end of a sector's vectors to those of the next one.
    pub(crate) gap: usize,
    pub(crate) sectors: usize,
    /// Where vectors lie that are behind the last sector's: good for a group.
    pub(crate) nowhere: *mut u8,
}

macro_rules! schedule {
    (
        $name:ident, $half:literal, $rounds:literal, $spread:literal, $aes:literal, $aes_last:literal, $made:literal,
        ($($argument:ident: $type:ty),*), $slots:ident = $setup:expr, ($($next:literal),*), ($($operands:tt)*)
    ) => {
        /// # Safety
        /// The processor has the features; the rest is that of the functions below.
        #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,aes,vaes")]
        unsafe fn $name(keys: *const KeySchedule, $($argument: $type),*) {
            let $slots = $setup;
            // SAFETY: the addresses are inside what this function's contract gives. All registers that are written are
            // named.
            unsafe {
                asm!(
                    concat!(".set made, ", $made),
                    "vbroadcasti32x4 zmm8, [{keys}]",
                    concat!(".irp k, ", $rounds),
                    "vbroadcasti32x4 zmm\\k, [{keys} + 16*(\\k - 17)]",
                    ".endr",
                    concat!(".if ", $half, " == 5"),
                    "vmovdqa64 zmm27, zmm8",
                    "vbroadcasti32x4 zmm28, [{keys} + 16*14]",
                    ".endif",
                    ".if made",
                    "mov {place:e}, 0x55",
                    "kmovd k1, {place:e}",
                    ".endif",
                    // Part 9: the first group's tweaks. Part 0: its first half. 1: two in flight. 2: the last one's end.
                    ".irp part, 9,0,1,2",
                    ".if (\\part != 9) || made",
                    ".if \\part == 1",
                    ".p2align 6",
                    "2:",
                    ".endif",
                    ".if \\part == 2",
                    "3:",
                    ".endif",
                    ".if \\part != 9",
                    $($next,)*
                    ".endif",
                    ".if (\\part == 0) || (\\part == 1)",
                    concat!(".if ", $half, " == 7"),
                    "vbroadcasti32x4 zmm8, [{keys}]",
                    ".endif",
                    ".irp i, 0,1,2,3,4,5,6,7",
                    ".if made",
                    "mov {place}, [{enter} + 512 + 16*\\i]",
                    "vmovdqu64 zmm1\\i, [{place}]",
                    ".else",
                    "vmovdqu64 zmm1\\i, [{src} + 64*\\i]",
                    ".endif",
                    concat!(".if ", $half, " == 7"),
                    "vpternlogq zmm1\\i, zmm8, [{enter} + 64*\\i], 0x96",
                    ".else",
                    "vpternlogq zmm1\\i, zmm27, [{enter} + 64*\\i], 0x96",
                    ".endif",
                    ".endr",
                    ".if made == 0",
                    "add {src}, 512",
                    ".endif",
                    ".endif",
                    ".irp r, 1,2,3,4,5,6,7",
                    concat!(".if \\r <= ", $half),
                    concat!(".if ((\\part == 1) || (\\part == 2)) && (\\r == ", $half, ") && (", $half, " == 7)"),
                    "vbroadcasti32x4 zmm8, [{keys} + 16*14]",
                    ".endif",
                    ".irp i, 0,1,2,3,4,5,6,7",
                    // The second half of a group.
                    ".if (\\part == 1) || (\\part == 2)",
                    concat!(".if \\r == ", $half),
                    concat!(".if ", $half, " == 7"),
                    "vpxorq zmm9, zmm8, [{exit} + 64*\\i]",
                    concat!($aes_last, " zmm\\i, zmm\\i, zmm9"),
                    ".else",
                    "vpxorq zmm29, zmm28, [{exit} + 64*\\i]",
                    concat!($aes_last, " zmm\\i, zmm\\i, zmm29"),
                    ".endif",
                    ".if made",
                    "mov {place}, [{exit} + 520 + 16*\\i]",
                    "vmovdqu64 [{place}], zmm\\i",
                    ".else",
                    "vmovdqu64 [{dst} + 64*\\i], zmm\\i",
                    ".endif",
                    ".endif",
                    ".irp k, 30,29,28,27,26,25,24,23,22,21,20,19,18",
                    concat!(".if (\\r < ", $half, ") && (\\k == 17 + \\r + ", $half, ")"),
                    concat!($aes, " zmm\\i, zmm\\i, zmm\\k"),
                    ".endif",
                    ".endr",
                    ".endif",
                    // The first half of one.
                    ".if (\\part == 0) || (\\part == 1)",
                    ".irp k, 30,29,28,27,26,25,24,23,22,21,20,19,18",
                    ".if \\k == 17 + \\r",
                    concat!(".if \\r == ", $half),
                    concat!($aes, " zmm\\i, zmm1\\i, zmm\\k"),
                    ".else",
                    concat!($aes, " zmm1\\i, zmm1\\i, zmm\\k"),
                    ".endif",
                    ".endif",
                    ".endr",
                    ".endif",
                    // The tweaks and places of one: ten steps for each vector.
                    ".if made && (\\part != 2)",
                    ".irp v, 0,1,2,3,4,5,6,7",
                    ".irp p, 0,1,2,3,4,5,6,7,8,9",
                    concat!(".if ((10*\\v + \\p) * ", $spread, ") / 80 == 8*(\\r - 1) + \\i"),
                    ".if \\p == 0",
                    "vbroadcasti32x4 zmm8, [{numbers}]",
                    ".elseif \\p == 1",
                    "vpshufd zmm9, zmm8, 0x4e",
                    ".elseif \\p == 2",
                    "vpsllvq zmm8, zmm8, [{powers}]",
                    ".elseif \\p == 3",
                    "vpsrlvq zmm9, zmm9, [{powers} + 512]",
                    ".elseif \\p == 4",
                    "vpaddq zmm31{{k1}}{{z}}, zmm9, zmm9",
                    ".elseif \\p == 5",
                    "vpternlogq zmm8, zmm9, zmm31, 0x96",
                    ".elseif \\p == 6",
                    "vpaddq zmm9, zmm31, zmm31",
                    ".elseif \\p == 7",
                    "vpsllq zmm31, zmm31, 6",
                    ".elseif \\p == 8",
                    "vpternlogq zmm8, zmm9, zmm31, 0x96",
                    "vmovdqa64 [{make} + 64*\\v], zmm8",
                    ".else",
                    "mov [{make} + 512 + 16*\\v], {src}",
                    "mov [{make} + 520 + 16*\\v], {dst}",
                    "prefetcht0 [{src}]",
                    "add {src}, 64",
                    "add {dst}, 64",
                    "add {powers}, 64",
                    "dec {left}",
                    "jnz 9f",
                    "mov {left}, [{stream}]",
                    "mov {powers}, [{stream} + 8]",
                    "add {numbers}, 16",
                    "add {src}, [{stream} + 56]",
                    "add {dst}, [{stream} + 56]",
                    "dec {count}",
                    "jz 8f",
                    "test {others}, {others}",
                    "jz 9f",
                    "mov {src}, [{others}]",
                    "mov {dst}, [{others} + 8]",
                    "add {others}, 16",
                    "jmp 9f",
                    "8:",
                    "mov {src}, [{stream} + 72]",
                    "mov {dst}, {src}",
                    "mov qword ptr [{stream} + 56], 0",
                    "xor {others:e}, {others:e}",
                    "9:",
                    ".endif",
                    ".endif",
                    ".endr",
                    ".endr",
                    ".endif",
                    ".endr",
                    ".endif",
                    ".endr",
                    ".if (made == 0) && ((\\part == 1) || (\\part == 2))",
                    "add {dst}, 512",
                    ".endif",
                    ".if \\part < 2",
                    ".if made",
                    "dec qword ptr [{stream} + 16]",
                    ".else",
                    "dec {count}",
                    ".endif",
                    ".endif",
                    ".if \\part == 0",
                    "jz 3f",
                    ".elseif \\part == 1",
                    "jnz 2b",
                    ".endif",
                    ".endif",
                    ".endr",
                    keys = in(reg) keys,
                    $($operands)*
                    out("zmm0") _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _, out("zmm5") _,
                    out("zmm6") _, out("zmm7") _, out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _,
                    out("zmm12") _, out("zmm13") _, out("zmm14") _, out("zmm15") _, out("zmm16") _, out("zmm17") _,
                    out("zmm18") _, out("zmm19") _, out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _,
                    out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _, out("zmm28") _, out("zmm29") _,
                    out("zmm30") _, out("zmm31") _, out("k1") _,
                    options(nostack),
                );
            }
        }
    };
}

/// With tweaks made from sectors' numbers.
macro_rules! streams {
    ($($name:ident $half:literal $rounds:literal $spread:literal $aes:literal $aes_last:literal)*) => {$(
        schedule!(
            $name, $half, $rounds, $spread, $aes, $aes_last, "1", (stream: &mut Stream<'_>),
            slots = Blocks::<{ 3 * SLOT }>::new(),
            ("xchg {exit}, {enter}", "xchg {enter}, {make}"),
            (
                stream = in(reg) core::ptr::from_mut(stream),
                src = inout(reg) stream.at.src => _, dst = inout(reg) stream.at.dst => _,
                others = inout(reg) stream.others => _, numbers = inout(reg) stream.numbers => _,
                powers = inout(reg) core::ptr::from_ref(stream.powers) => _,
                left = inout(reg) stream.vectors => _, count = inout(reg) stream.sectors => _,
                place = out(reg) _, exit = inout(reg) slots.at(0) => _, enter = inout(reg) slots.at(SLOT) => _,
                make = inout(reg) slots.at(2 * SLOT) => _,
            )
        );
    )*};
}

/// With tweaks in memory.
macro_rules! blocks {
    ($($name:ident $half:literal $rounds:literal $aes:literal $aes_last:literal)*) => {$(
        schedule!(
            $name, $half, $rounds, "1", $aes, $aes_last, "0", (at: Place, tweaks: *const Block, groups: usize),
            _slots = (),
            ("mov {exit}, {enter}", "add {enter}, 512"),
            (
                src = inout(reg) at.src => _, dst = inout(reg) at.dst => _, count = inout(reg) groups => _,
                exit = out(reg) _, enter = inout(reg) tweaks.wrapping_sub(4 * GROUP) => _,
                // What only the other kind uses.
                place = out(reg) _, make = out(reg) _, numbers = out(reg) _, powers = out(reg) _, left = out(reg) _,
                others = out(reg) _, stream = out(reg) _,
            )
        );
    )*};
}

streams! {
    encrypt_stream_128 "5" "18,19,20,21,22,23,24,25,26" "38" "vaesenc" "vaesenclast"
    decrypt_stream_128 "5" "18,19,20,21,22,23,24,25,26" "38" "vaesdec" "vaesdeclast"
    encrypt_stream_256 "7" "18,19,20,21,22,23,24,25,26,27,28,29,30" "47" "vaesenc" "vaesenclast"
    decrypt_stream_256 "7" "18,19,20,21,22,23,24,25,26,27,28,29,30" "47" "vaesdec" "vaesdeclast"
}

blocks! {
    encrypt_blocks_128 "5" "18,19,20,21,22,23,24,25,26" "vaesenc" "vaesenclast"
    decrypt_blocks_128 "5" "18,19,20,21,22,23,24,25,26" "vaesdec" "vaesdeclast"
    encrypt_blocks_256 "7" "18,19,20,21,22,23,24,25,26,27,28,29,30" "vaesenc" "vaesenclast"
    decrypt_blocks_256 "7" "18,19,20,21,22,23,24,25,26,27,28,29,30" "vaesdec" "vaesdeclast"
}

/// The vectors of sectors.
///
/// # Safety
/// The processor has the features avx512f, avx512bw, avx512vbmi, aes and vaes; the rest is as [`Stream`] says.
#[inline(always)]
pub(crate) unsafe fn stream(keys: &KeySchedule, decrypt: bool, stream: &mut Stream<'_>) {
    let schedule = match (keys.is_long(), decrypt) {
        (false, false) => encrypt_stream_128,
        (false, true) => decrypt_stream_128,
        (true, false) => encrypt_stream_256,
        (true, true) => decrypt_stream_256,
    };
    // SAFETY: this function's contract.
    unsafe { schedule(keys, stream) }
}

/// `groups` (one at least) groups of vectors, one behind the other, whose tweaks lie in memory, aligned for a vector or
/// not.
///
/// # Safety
/// As [`stream`]; source, destination and tweaks are good for that many.
#[inline(always)]
pub(crate) unsafe fn groups(
    keys: &KeySchedule,
    decrypt: bool,
    at: Place,
    tweaks: *const Block,
    groups: usize,
) {
    let schedule = match (keys.is_long(), decrypt) {
        (false, false) => encrypt_blocks_128,
        (false, true) => decrypt_blocks_128,
        (true, false) => encrypt_blocks_256,
        (true, true) => decrypt_blocks_256,
    };
    // SAFETY: this function's contract.
    unsafe { schedule(keys, at, tweaks, groups) }
}
