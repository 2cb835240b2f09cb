//! Rows of whole tiles on 512-bit vectors, for processors that start two 512-bit AES instructions a cycle (Zen 5):
//! sixteen vectors in flight, in assembler.
//!
//! With two AES instructions a cycle and a latency of four, eight vectors keep the AES units busy only if nothing is
//! ever late; every other vector instruction among them makes something late, and the loop takes a sixth longer than
//! AES alone. From ten vectors on, xors, additions, shifts and `vpshufd` cost nothing. What still does are the
//! instructions that share a port with AES: byte shuffles, and broadcasts of round keys from memory.
//!
//! So two tiles are in flight, half of the rounds apart: while one does its last rounds, the other one does its first.
//! No tile begins or ends by itself, and the AES units never run dry in between. The round keys stay in registers. The
//! tweaks of a tile are made from its first vector by shifts, a tile ahead of its data; and that first vector another
//! tile ahead, so that nothing that waits for it fills the schedulers.

use core::{
    arch::{asm, x86_64::*},
    mem::{MaybeUninit, offset_of},
};

use zeroize::Zeroize;

use super::vaes512_stream::{PLAIN, Powers};
use crate::xts::simd::{
    aes::{
        keys::KeySchedule,
        vector::{Row, TweakAfter},
    },
    blocks::{Block, Blocks},
};

/// How far ahead data is fetched, where it is done in place: in tiles. The assembler has it in bytes.
const AHEAD: usize = 8192 / 512;
/// Blocks of a tile.
const TILE: usize = 32;
/// Blocks of a tile's slot: its tweaks; its first vector once more, with the halves of each lane swapped; its `Place`
/// and 48 bytes that nobody uses; and the tweak behind the tile, in each lane.
const SLOT: usize = TILE + 12;

/// What the assembler looks up now and then.
#[repr(C)]
struct Task {
    tiles_in_sector: usize,
    /// Nothing is fetched ahead for so many tiles at the end.
    unfetched: usize,
    /// The same once more; but where tiles wait, that from which any number differs with an overflow: one comparison, whose result
    /// has three cases, costs less than two.
    near: usize,
    /// From the end of a sector's tiles to the next sector.
    gap: usize,
    /// The halves of a sector's last vector that take the tweak of the block behind: a mask. The first sector's, if that
    /// is one tile; and any.
    first_moved: u32,
    moved: u32,
    /// Whether the tweak behind a sector's tiles is wanted, as wherever there is a gap: 1, or 0.
    next: usize,
    /// Where tiles wait to be written past the caches; null, if they are not.
    waiting: *mut StreamingBuffer,
    /// By address: by name, the static library could not be linked into a shared one.
    powers: *const Powers,
}

impl Task {
    #[inline(always)]
    fn new(row: &Row, unfetched: usize, waiting: *mut StreamingBuffer) -> Task {
        let moved = if row.then == TweakAfter::Swapped { 0xc0 } else { 0 };
        Task {
            tiles_in_sector: row.tiles_in_sector,
            near: if waiting.is_null() { unfetched } else { isize::MIN.cast_unsigned() },
            unfetched,
            gap: row.gap,
            first_moved: if row.tiles_in_sector == 1 { moved } else { 0 },
            moved,
            next: (row.then != TweakAfter::Unused).into(),
            waiting,
            powers: &raw const PLAIN,
        }
    }
}

/// Ends a multiplication: zmm`$to` holds the halves moved up, zmm9 what leaves them, halves swapped. What leaves the
/// upper half comes back to the lower one, times x^7 + x^2 + x + 1.
macro_rules! carried {
    ($to:literal) => {
        concat!(
            "vpaddq zmm31{{k1}}{{z}}, zmm9, zmm9\n",
            "vpternlogq ",
            $to,
            ", zmm9, zmm31, 0x96\n",
            "vpaddq zmm9, zmm31, zmm31\n",
            "vpsllq zmm31, zmm31, 6\n",
            "vpternlogq ",
            $to,
            ", zmm9, zmm31, 0x96\n",
        )
    };
}

/// zmm8: the first vector of the tile behind that of `$from`, whose first one times x^32.
macro_rules! times_x32 {
    ($from:literal) => {
        concat!(
            "vpshufd zmm9{{k2}}{{z}}, [{",
            $from,
            "}], 0xff\n",
            "vpshufd zmm8, [{",
            $from,
            "}], 0x93\n",
            "vpaddq zmm31, zmm9, zmm9\n",
            "vpsllq zmm9, zmm9, 7\n",
            "vpternlogq zmm8, zmm9, zmm31, 0x96\n",
            "vpaddq zmm31, zmm31, zmm31\n",
            "vpxorq zmm8, zmm8, zmm31\n",
        )
    };
}

/// The place, and the first vector, of the tile whose slot is `$to`: of the next sector, or of the tile behind that of
/// `$from`.
macro_rules! first_vector {
    ($from:literal, $to:literal) => {
        concat!(
            "dec {left}\n",
            "jnz 5f\n",
            "mov {left}, [{task} + {tiles_in_sector}]\n",
            "cmp qword ptr [{task} + {next}], 0\n",
            "je 22f\n",
            times_x32!($from),
            "vmovdqu [{numbers} - 16], xmm8\n",
            "kmovd k3, [{task} + {moved}]\n",
            "vshufi64x2 zmm8, zmm8, zmm8, 0\n",
            "vmovdqa64 [{",
            $from,
            "} + 640], zmm8\n",
            "add {src}, [{task} + {gap}]\n",
            "add {dst}, [{task} + {gap}]\n",
            "22:\n",
            "test {others}, {others}\n",
            "jz 8f\n",
            "mov {src}, [{others}]\n",
            "mov {dst}, [{others} + 8]\n",
            "add {others}, 16\n",
            "8:\n",
            "vbroadcasti32x4 zmm8, [{numbers}]\n",
            "add {numbers}, 16\n",
            "vpshufd zmm9, zmm8, 0x4e\n",
            "mov {place}, [{task} + {powers}]\n",
            "vpsllvq zmm8, zmm8, [{place}]\n",
            "vpsrlvq zmm9, zmm9, [{place} + 512]\n",
            carried!("zmm8"),
            "jmp 6f\n",
            "5:\n",
            "kxorw k3, k3, k3\n",
            times_x32!($from),
            "6:\n",
            "vmovdqa64 [{",
            $to,
            "}], zmm8\n",
            "vpshufd zmm9, zmm8, 0x4e\n",
            "vmovdqa64 [{",
            $to,
            "} + 512], zmm9\n",
            "mov [{",
            $to,
            "} + 576], {src}\n",
            "mov [{",
            $to,
            "} + 584], {dst}\n",
            "add {src}, 512\n",
            "add {dst}, 512\n",
        )
    };
}

/// Each slot becomes that of the tile before.
macro_rules! next_tile {
    () => {
        "xchg {exit}, {enter}\nxchg {enter}, {make}\nxchg {make}, {begin}\n"
    };
}

/// Defines the schedule of a direction and a key size: `$half` are half of its rounds, `$spread` the pairs of AES
/// instructions over which a tile's tweaks are spread.
///
/// In the assembler, `\part` is 3 where there is one tile, 0 while the first one is alone, 1 where there are two in
/// flight, 2 where the last one is alone; `\r` counts the rounds of half a tile, `\i` vectors, `\k` the registers of round
/// keys, and `\p` the instructions that make a tile's tweaks, seven for each vector but the first one.
///
/// zmm0 to zmm7: a tile in its second half. zmm10 to zmm17: a tile in its first half. zmm8, zmm9, zmm31: temporaries.
/// zmm18 to zmm30: the keys of rounds 1 to 13; with AES-128, of 1 to 9, and then the first key, the last one, and a
/// temporary.
macro_rules! schedule {
    ($name:ident, $half:literal, $rounds:literal, $spread:literal, $aes:literal, $aes_last:literal) => {
        /// # Safety
        /// The processor has the features; the rest is [`row`]'s.
        #[target_feature(enable = "avx512f,avx512bw,avx512vbmi,aes,vaes")]
        #[allow(improper_ctypes_definitions, reason = "a vector argument goes in a register so")]
        unsafe extern "C" fn $name(
            keys: *const KeySchedule,
            first: __m128i,
            row: &Row,
            unfetched: usize,
            waiting: *mut StreamingBuffer,
        ) {
            let memory = (Blocks::<{ 4 * SLOT }>::new(), Task::new(row, unfetched, waiting));
            let (slots, task) = (&memory.0, &memory.1);
            let [exit, enter, make, begin] = [0, 1, 2, 3].map(|i| slots.at(i * SLOT));
            if task.first_moved != 0 {
                // SAFETY: the last part of the slot.
                unsafe {
                    let next = next_tile(*row.numbers);
                    for i in 0..4 {
                        enter.add(TILE + 8 + i).write(next);
                    }
                }
            }
            // SAFETY: all addresses are inside what this function's contract and the references give, but for those of
            // `prefetcht0`, which may be any: tiles are 512 bytes, slots 704, the keys 240. All registers that are
            // written are named.
            unsafe {
                asm!(
                    "mov {left:e}, 0x55",
                    "kmovd k1, {left:e}",
                    "mov {left:e}, 0x1111",
                    "kmovd k2, {left:e}",
                    "kmovd k3, [{task} + {first_moved}]",
                    "mov {place}, [{task} + {powers}]",
                    "mov {left}, [{task} + {tiles_in_sector}]",
                    // The first tile, as early as each of its vectors can begin.
                    "vbroadcasti32x4 zmm7, [{keys}]",
                    concat!(".irp k, ", $rounds),
                    "vbroadcasti32x4 zmm\\k, [{keys} + 16*(\\k - 17)]",
                    ".endr",
                    concat!(".if ", $half, " == 5"),
                    "vmovdqa64 zmm27, zmm7",
                    "vbroadcasti32x4 zmm28, [{keys} + 16*14]",
                    ".endif",
                    "vshufi64x2 zmm0, zmm0, zmm0, 0",
                    "vpshufd zmm1, zmm0, 0x4e",
                    ".irp v, 0,1,2,3,4,5,6,7",
                    "vpsllvq zmm1\\v, zmm0, [{place} + 64*\\v]",
                    "vpsrlvq zmm9, zmm1, [{place} + 512 + 64*\\v]",
                    carried!("zmm1\\v"),
                    ".if \\v == 7",
                    "vmovdqa64 zmm17{{k3}}, [{enter} + 640]",
                    ".endif",
                    "vmovdqa64 [{enter} + 64*\\v], zmm1\\v",
                    ".if \\v == 0",
                    "vpshufd zmm5, zmm10, 0x4e",
                    "vmovdqa64 [{enter} + 512], zmm5",
                    ".endif",
                    "vpternlogq zmm1\\v, zmm7, [{src} + 64*\\v], 0x96",
                    ".irp i, 0,1,2,3,4,5,6,7",
                    ".irp k, 18,19,20,21,22,23",
                    concat!(".if (\\i + \\k == \\v + 18) && (\\k < 17 + ", $half, ")"),
                    concat!($aes, " zmm1\\i, zmm1\\i, zmm\\k"),
                    ".endif",
                    ".endr",
                    ".endr",
                    ".endr",
                    "mov [{enter} + 584], {dst}",
                    "add {src}, 512",
                    "add {dst}, 512",
                    "dec {tiles}",
                    "jnz 4f",
                    ".irp part, 3,0,1,2",
                    ".if \\part == 0",
                    "4:",
                    first_vector!("enter", "make"),
                    first_vector!("make", "begin"),
                    ".endif",
                    ".if \\part == 1",
                    ".p2align 6",
                    "2:",
                    next_tile!(),
                    first_vector!("make", "begin"),
                    "mov {place}, [{enter} + 576]",
                    "cmp {tiles}, [{task} + {near}]",
                    "jbe 31b",
                    ".irp i, 0,1,2,3,4,5,6,7",
                    "prefetcht0 [{place} + 64*\\i + 8192]",
                    ".endr",
                    "7:",
                    concat!(".if ", $half, " == 7"),
                    "vbroadcasti32x4 zmm8, [{keys}]",
                    ".endif",
                    ".irp i, 0,1,2,3,4,5,6,7",
                    "vmovdqu64 zmm1\\i, [{place} + 64*\\i]",
                    concat!(".if ", $half, " == 7"),
                    "vpternlogq zmm1\\i, zmm8, [{enter} + 64*\\i], 0x96",
                    ".else",
                    "vpternlogq zmm1\\i, zmm27, [{enter} + 64*\\i], 0x96",
                    ".endif",
                    ".endr",
                    ".endif",
                    ".if \\part == 2",
                    "3:",
                    next_tile!(),
                    ".endif",
                    ".irp r, 1,2,3,4,5,6,7",
                    concat!(".if \\r <= ", $half),
                    concat!(".if (\\part % 3 != 0) && (\\r == ", $half, ")"),
                    "mov {place}, [{exit} + 584]",
                    concat!(".if ", $half, " == 7"),
                    "vbroadcasti32x4 zmm8, [{keys} + 16*14]",
                    ".endif",
                    ".endif",
                    ".irp i, 0,1,2,3,4,5,6,7",
                    // The second half of a tile.
                    concat!(".if (\\part % 3 != 0) && (\\r == ", $half, ")"),
                    concat!(".if ", $half, " == 7"),
                    "vpxorq zmm9, zmm8, [{exit} + 64*\\i]",
                    concat!($aes_last, " zmm\\i, zmm\\i, zmm9"),
                    ".else",
                    "vpxorq zmm29, zmm28, [{exit} + 64*\\i]",
                    concat!($aes_last, " zmm\\i, zmm\\i, zmm29"),
                    ".endif",
                    "vmovdqu64 [{place} + 64*\\i], zmm\\i",
                    ".endif",
                    ".irp k, 30,29,28,27,26,25,24,23,22,21,20,19,18",
                    concat!(".if (\\part % 3 != 0) && (\\r < ", $half, ") && (\\k == 17 + \\r + ", $half, ")"),
                    concat!($aes, " zmm\\i, zmm\\i, zmm\\k"),
                    ".endif",
                    // The first half of one.
                    ".if (\\part != 2) && (\\k == 17 + \\r)",
                    concat!(".if \\r == ", $half),
                    concat!($aes, " zmm\\i, zmm1\\i, zmm\\k"),
                    ".elseif (\\part == 1) || (\\r + \\i > 8)",
                    concat!($aes, " zmm1\\i, zmm1\\i, zmm\\k"),
                    ".endif",
                    ".endif",
                    ".endr",
                    // The tweaks of one.
                    ".if \\part < 2",
                    ".irp p, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,\
                             32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48",
                    concat!(".if (\\p * ", $spread, ") / 49 == 8*(\\r - 1) + \\i"),
                    ".if \\p % 7 == 0",
                    "vpsllq zmm8, [{make}], 4*(\\p / 7) + 4",
                    ".elseif \\p % 7 == 1",
                    "vpsrlq zmm9, [{make} + 512], 60 - 4*(\\p / 7)",
                    ".elseif \\p % 7 == 2",
                    "vpaddq zmm31{{k1}}{{z}}, zmm9, zmm9",
                    ".elseif (\\p % 7 == 3) || (\\p % 7 == 6)",
                    "vpternlogq zmm8, zmm9, zmm31, 0x96",
                    ".elseif \\p % 7 == 4",
                    "vpaddq zmm9, zmm31, zmm31",
                    ".elseif \\p % 7 == 5",
                    "vpsllq zmm31, zmm31, 6",
                    ".endif",
                    ".if \\p == 48",
                    "vmovdqa64 zmm8{{k3}}, [{make} + 640]",
                    ".endif",
                    ".if \\p % 7 == 6",
                    "vmovdqa64 [{make} + 64*(\\p / 7) + 64], zmm8",
                    ".endif",
                    ".endif",
                    ".endr",
                    ".endif",
                    ".endr",
                    ".endif",
                    ".endr",
                    ".if \\part == 3",
                    "jmp 3f",
                    "31:",
                    "jno 7f",
                    // The tile before leaves; the one that is about to be stored goes where it was.
                    "mov {place}, [{task} + {waiting}]",
                    "mov [{place} + {saved}], {src}",
                    "vmovdqa64 zmm9, [{place}]",
                    "mov {src}, [{place} + {first_line}]",
                    "vmovntdq [{src}], zmm9",
                    "mov {src}, [{place} + {lines}]",
                    ".irp i, 1,2,3,4,5,6,7",
                    "vmovdqa64 zmm9, [{place} + 64*\\i]",
                    "vmovntdq [{src} + 64*\\i], zmm9",
                    ".endr",
                    "vmovdqa64 zmm9, [{place} + 512]",
                    "vmovdqa64 [{place}], zmm9",
                    "mov {src}, [{place} + {next_first_line}]",
                    "mov [{place} + {first_line}], {src}",
                    "mov {src}, [{exit} + 584]",
                    "and {src}, -64",
                    "mov [{place} + {lines}], {src}",
                    "add {src}, 512",
                    "mov [{place} + {next_first_line}], {src}",
                    "mov {src}, [{place} + {tile}]",
                    "mov [{exit} + 584], {src}",
                    "mov {src}, [{place} + {saved}]",
                    "mov {place}, [{enter} + 576]",
                    "cmp {tiles}, [{task} + {unfetched}]",
                    "jbe 7f",
                    ".irp i, 0,1,2,3,4,5,6,7",
                    "prefetcht0 [{place} + 64*\\i + 8192]",
                    ".endr",
                    "jmp 7f",
                    ".endif",
                    ".if \\part == 1",
                    "dec {tiles}",
                    "jnz 2b",
                    ".endif",
                    ".endr",
                    keys = in(reg) keys, src = inout(reg) row.at.src => _, dst = inout(reg) row.at.dst => _,
                    others = inout(reg) row.others => _, numbers = inout(reg) row.numbers.add(1) => _,
                    task = in(reg) core::ptr::from_ref(task), left = out(reg) _,
                    tiles = inout(reg) row.tiles => _, place = out(reg) _,
                    exit = inout(reg) exit => _, enter = inout(reg) enter => _,
                    make = inout(reg) make => _, begin = inout(reg) begin => _,
                    powers = const offset_of!(Task, powers),
                    tiles_in_sector = const offset_of!(Task, tiles_in_sector),
                    near = const offset_of!(Task, near),
                    unfetched = const offset_of!(Task, unfetched), gap = const offset_of!(Task, gap),
                    first_moved = const offset_of!(Task, first_moved), moved = const offset_of!(Task, moved),
                    next = const offset_of!(Task, next), waiting = const offset_of!(Task, waiting),
                    tile = const offset_of!(StreamingBuffer, tile), lines = const offset_of!(StreamingBuffer, lines),
                    first_line = const offset_of!(StreamingBuffer, first_line),
                    next_first_line = const offset_of!(StreamingBuffer, next_first_line),
                    saved = const offset_of!(StreamingBuffer, saved),
                    inout("xmm0") first => _, out("zmm1") _, out("zmm2") _, out("zmm3") _, out("zmm4") _, out("zmm5") _,
                    out("zmm6") _, out("zmm7") _, out("zmm8") _, out("zmm9") _, out("zmm10") _, out("zmm11") _,
                    out("zmm12") _, out("zmm13") _, out("zmm14") _, out("zmm15") _, out("zmm16") _, out("zmm17") _,
                    out("zmm18") _, out("zmm19") _, out("zmm20") _, out("zmm21") _, out("zmm22") _, out("zmm23") _,
                    out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _, out("zmm28") _, out("zmm29") _,
                    out("zmm30") _, out("zmm31") _, out("k1") _, out("k2") _, out("k3") _,
                    options(nostack),
                );
            }
        }
    };
}

schedule!(encrypt_128, "5", "18,19,20,21,22,23,24,25,26", "36", "vaesenc", "vaesenclast");
schedule!(decrypt_128, "5", "18,19,20,21,22,23,24,25,26", "36", "vaesdec", "vaesdeclast");
schedule!(encrypt_256, "7", "18,19,20,21,22,23,24,25,26,27,28,29,30", "43", "vaesenc", "vaesenclast");
schedule!(decrypt_256, "7", "18,19,20,21,22,23,24,25,26,27,28,29,30", "43", "vaesdec", "vaesdeclast");

/// A row of tiles, one at least; `first` is the first sector's encrypted number.
///
/// # Safety
/// The processor has the features avx512f, avx512bw, avx512vbmi, aes and vaes; the rest is as [`Row`] says.
#[inline(always)]
pub(crate) unsafe fn row(keys: &KeySchedule, decrypt: bool, first: __m128i, row: &Row) {
    debug_assert!(row.gap == 0 || row.then != TweakAfter::Unused);
    let (in_place, one_behind_the_other) = (row.at.src == row.at.dst, row.others.is_null());
    // What is fetched is in the same call's data.
    let unfetched = if keys.in_far_rows() && one_behind_the_other && (in_place || row.far) {
        AHEAD.saturating_sub(row.behind / (16 * TILE))
    } else {
        usize::MAX
    };
    // SAFETY: this function's contract.
    unsafe {
        if row.far && !in_place && one_behind_the_other && row.gap == 0 {
            past_caches(keys, decrypt, first, row, unfetched);
        } else {
            schedule_for(keys, decrypt)(keys, first, row, unfetched, core::ptr::null_mut());
        }
        if row.then != TweakAfter::Unused && row.tiles == 1 {
            row.numbers.write(next_tile(*row.numbers));
        }
    }
}

/// What [`schedule!`] defines.
#[allow(improper_ctypes_definitions, reason = "a vector argument goes in a register so")]
type Run = unsafe extern "C" fn(*const KeySchedule, __m128i, &Row, usize, *mut StreamingBuffer);

#[inline(always)]
fn schedule_for(keys: &KeySchedule, decrypt: bool) -> Run {
    match (keys.is_long(), decrypt) {
        (false, false) => encrypt_128,
        (false, true) => decrypt_128,
        (true, false) => encrypt_256,
        (true, true) => decrypt_256,
    }
}

/// Tiles on their way past the caches. A store that goes there writes a whole line of 64 bytes, and tiles lie anywhere
/// among lines: so each is put together here with the end of the one before, as far from a line's start as in the
/// destination.
#[repr(C, align(64))]
struct StreamingBuffer {
    /// The tile's lines, with the start of the next tile's first one. The end of the tile before begins them.
    bytes: [MaybeUninit<u8>; 9 * LINE],
    /// Where the assembler puts what it has no place for: first the lines before the first tile, then the first tile's
    /// first line, whose start belongs to others.
    scrap: [MaybeUninit<u8>; 8 * LINE],
    /// Where in `bytes` a tile begins.
    tile: *mut u8,
    /// Where the lines go that wait; the first one of them; and the first one of the tile behind.
    lines: *mut u8,
    first_line: *mut u8,
    next_first_line: *mut u8,
    /// The assembler has too few registers.
    saved: usize,
}

/// Bytes of a line of the caches.
const LINE: usize = 64;

/// A row from one place to another in memory, past the caches: what lies at the destination need not be read before it
/// is overwritten. Whoever calls it sees to the fence (`sfence`) behind the last row.
///
/// # Safety
/// As [`row`].
#[cold]
#[inline(never)]
unsafe fn past_caches(keys: &KeySchedule, decrypt: bool, first: __m128i, row: &Row, unfetched: usize) {
    let mut waiting = MaybeUninit::<StreamingBuffer>::uninit();
    let place = waiting.as_mut_ptr();
    let from_line = row.at.dst.addr() % LINE;
    // SAFETY: fields of a local. The first tile's first line is whole, and is written here as far as it belongs to the
    // destination; the end of the last tile but one lies at the end of `bytes`, in the line that the last tile begins,
    // which is not written past the caches. With one tile, nothing waits.
    unsafe {
        let bytes = (&raw mut (*place).bytes).cast::<u8>();
        let scrap = (&raw mut (*place).scrap).cast::<u8>();
        (&raw mut (*place).tile).write(bytes.add(from_line));
        (&raw mut (*place).lines).write(scrap);
        (&raw mut (*place).first_line).write(scrap);
        (&raw mut (*place).next_first_line).write(scrap);
        schedule_for(keys, decrypt)(keys, first, row, unfetched, place);
        if row.tiles > 1 {
            let lines = (*place).lines;
            let to = if row.tiles == 2 { scrap } else { lines };
            to.copy_from_nonoverlapping(bytes, LINE);
            lines.add(LINE).copy_from_nonoverlapping(bytes.add(LINE), 7 * LINE + from_line);
            row.at.dst.copy_from_nonoverlapping(scrap.add(from_line), LINE - from_line);
        }
        if decrypt {
            for (words, lines) in [(bytes, 9), (scrap, 8)] {
                core::slice::from_raw_parts_mut(words.cast::<MaybeUninit<u64>>(), lines * LINE / 8).zeroize();
            }
        }
    }
}

/// A tweak times x^32.
fn next_tile(tweak: Block) -> Block {
    let tweak = u128::from_le_bytes(tweak);
    let over = tweak >> 96;
    ((tweak << 32) ^ over ^ (over << 1) ^ (over << 2) ^ (over << 7)).to_le_bytes()
}
