//! x86-64 VAES on 512-bit vectors: four blocks a vector.

use core::{arch::x86_64::*, mem::MaybeUninit};

use super::{
    Bytes, ROTATE, SELECT,
    aesni::X1,
    carries, limit, pins, powers, vaes512_row,
    vaes512_stream::{self, PLAIN, Stream, stream},
};
use crate::xts::simd::{
    aes::{
        kernel::shells,
        keys::KeySchedule,
        rows::{self, Rows, row_shells},
        tiles::{TileTweaks, tile_shell},
        vector::{Aes, Row, Tiles, TweakAfter, TweakStream, Vector, WIDTH},
    },
    blocks::{Block, Blocks},
    job::{ByteOrder, Halves, Numbers, Place, Sectors},
};

/// Blocks of a group.
const GROUP_BLOCKS: usize = 4 * WIDTH;

/// Features: avx512f, avx512bw, avx512vbmi, aes, vaes.
#[derive(Clone, Copy)]
struct X4(__m512i);

/// The next two vectors of a unit's tweaks.
///
/// The vector after the next is this one times x^8: every byte moves up by one, and the one that leaves comes back
/// times x^7 + x^2 + x + 1. The bytes that leave eight vectors are all in the upper halves of the first one, so that
/// they are multiplied together, ahead of time; what remains for a vector is two shuffles and an xor.
#[derive(Clone, Copy)]
struct Tweaks {
    now: X4,
    next: X4,
    /// In word `n` of a lane: the byte that leaves the `n`th of the eight vectors there, times x^7 + x^2 + x.
    products: X4,
}

/// For word `n` of a lane, where in the first vector's upper half the byte starts that leaves the `n`th, in bits.
static LEAVING: Bytes = Bytes({
    let mut bytes = [0; 64];
    let mut i = 0;
    while i < 32 {
        bytes[2 * i] = 56 - 4 * (i % 8) as u8;
        i += 1;
    }
    bytes
});

/// The products of eight vectors, from the first one.
#[inline(always)]
unsafe fn products(first: X4) -> X4 {
    // SAFETY: the features are the caller's.
    unsafe {
        const LOW_BYTES: u64 = 0x5555_5555_5555_5555;
        let places = _mm512_load_si512(LEAVING.0.as_ptr().cast());
        let upper = _mm512_unpackhi_epi64(first.0, first.0);
        let bytes = _mm512_maskz_multishift_epi64_epi8(LOW_BYTES, places, upper);
        let (x1, x2, x7) =
            (_mm512_slli_epi16(bytes, 1), _mm512_slli_epi16(bytes, 2), _mm512_slli_epi16(bytes, 7));
        X4(xor3(x1, x2, x7))
    }
}

static POWERS: [[u64; 8]; 2] = powers();
static CARRIES: [[u64; 8]; 2] = carries();

// SAFETY (all methods): the trait's contract: the features are there, pointers are good for 64 bytes (16: broadcast).
impl Vector for X4 {
    const BLOCKS: usize = 4;

    #[inline(always)]
    unsafe fn load(src: *const u8) -> Self {
        // SAFETY: as above.
        unsafe { X4(_mm512_loadu_si512(src.cast())) }
    }
    #[inline(always)]
    unsafe fn store(self, dst: *mut u8) {
        // SAFETY: as above.
        unsafe { _mm512_storeu_si512(dst.cast(), self.0) }
    }
    #[inline(always)]
    unsafe fn broadcast(block: *const Block) -> Self {
        // SAFETY: as above.
        unsafe { X4(_mm512_broadcast_i32x4(_mm_loadu_si128(block.cast()))) }
    }
    #[inline(always)]
    unsafe fn with_last(self, block: *const Block) -> Self {
        // SAFETY: as above.
        unsafe { X4(_mm512_inserti32x4(self.0, _mm_loadu_si128(block.cast()), 3)) }
    }
    #[inline(always)]
    unsafe fn pin<const N: usize>(x: &mut [Self; N]) {
        if let Ok(x) = x.as_mut_slice().try_into() {
            // SAFETY: as above.
            unsafe { pin8(x) }
        } else if let Ok(x) = x.as_mut_slice().try_into() {
            // SAFETY: as above.
            unsafe { pin4(x) }
        }
    }
}

// SAFETY (all methods): as above.
impl Aes for X4 {
    const KEY_LAG: usize = 0;

    #[inline(always)]
    unsafe fn enter(tweak: Self, whitening: Self, data: Self) -> Self {
        // SAFETY: as above.
        unsafe { X4(xor3(tweak.0, whitening.0, data.0)) }
    }
    #[inline(always)]
    unsafe fn round<const DECRYPT: bool>(self, key: Self) -> Self {
        // SAFETY: as above.
        unsafe {
            X4(if DECRYPT {
                _mm512_aesdec_epi128(self.0, key.0)
            } else {
                _mm512_aesenc_epi128(self.0, key.0)
            })
        }
    }
    #[inline(always)]
    unsafe fn leave<const DECRYPT: bool>(self, _before: Self, last: Self, tweak: Self) -> Self {
        // SAFETY: as above. The last round ends with the xor of its key: one xor of key and tweak serves both.
        unsafe {
            let key = _mm512_xor_si512(last.0, tweak.0);
            X4(if DECRYPT {
                _mm512_aesdeclast_epi128(self.0, key)
            } else {
                _mm512_aesenclast_epi128(self.0, key)
            })
        }
    }
    #[inline(always)]
    unsafe fn leave_numbers(self, _before: Self, last: Self) -> Self {
        // SAFETY: as above.
        unsafe { X4(_mm512_aesenclast_epi128(self.0, last.0)) }
    }
}

// SAFETY (all methods): as above.
impl TweakStream for X4 {
    type Tweaks = Tweaks;

    #[inline(always)]
    unsafe fn first_tweaks(tweak: *const Block) -> Tweaks {
        // SAFETY: as above.
        unsafe {
            let base = Self::broadcast(tweak);
            let (now, next) = (times_powers(base, 0), times_powers(base, 1));
            Tweaks { now, next, products: products(now) }
        }
    }
    #[inline(always)]
    unsafe fn next_tweaks(tweaks: &mut Tweaks, step: usize, out: *mut Block) {
        // SAFETY: as above.
        unsafe {
            tweaks.now.store(out.cast());
            let moved = _mm512_shuffle_epi8(tweaks.now.0, _mm512_load_si512(ROTATE.0.as_ptr().cast()));
            let select = _mm512_load_si512(SELECT[step % WIDTH].0.as_ptr().cast());
            let product = _mm512_shuffle_epi8(tweaks.products.0, select);
            (tweaks.now, tweaks.next) = (tweaks.next, X4(_mm512_xor_si512(moved, product)));
        }
    }
    #[inline(always)]
    unsafe fn after_eight(tweaks: &mut Tweaks) {
        // SAFETY: as above.
        tweaks.products = unsafe { products(tweaks.now) };
    }
    #[inline(always)]
    unsafe fn next_tweak(tweaks: &Tweaks, out: *mut Block) {
        // SAFETY: as above.
        unsafe { _mm_storeu_si128(out.cast(), _mm512_castsi512_si128(tweaks.now.0)) }
    }
}

// SAFETY (all methods): as above.
impl Tiles for X4 {
    type One = X1;
    const TILE_GROUPS: usize = 1;

    #[inline(always)]
    unsafe fn whole_blocks<const DECRYPT: bool>(
        keys: &KeySchedule,
        place: Place,
        tweaks: *const Block,
        blocks: usize,
    ) {
        // SAFETY: as above.
        unsafe {
            if keys.in_rows() && blocks >= 2 * GROUP_BLOCKS {
                let groups = blocks / GROUP_BLOCKS;
                vaes512_stream::groups(keys, DECRYPT, place, tweaks, groups);
                let done = groups * GROUP_BLOCKS;
                if blocks != done {
                    whole_blocks::<DECRYPT>(keys, place.add(16 * done), tweaks.add(done), blocks - done);
                }
            } else {
                whole_blocks::<DECRYPT>(keys, place, tweaks, blocks);
            }
        }
    }
    #[inline(always)]
    unsafe fn tiled_sectors<const DECRYPT: bool>(
        keys: &KeySchedule,
        sectors: Sectors<'_>,
        len: usize,
        numbers: *mut Block,
        then: TweakAfter,
    ) {
        // SAFETY: as above.
        unsafe { tiled_sectors::<DECRYPT>(keys, sectors, len, numbers, then) }
    }
    #[inline(always)]
    unsafe fn clear_registers() {
        // SAFETY: as above.
        unsafe { clear_upper_registers() }
    }
}

// SAFETY (all methods): as above.
impl Rows for X4 {
    #[inline(always)]
    unsafe fn row<const DECRYPT: bool>(keys: &KeySchedule, first: X1, of: &Row) {
        // SAFETY: as above.
        unsafe { vaes512_row::row(keys, DECRYPT, first.0, of) };
    }
    #[inline(always)]
    unsafe fn after_far() {
        // SAFETY: as above. Stores past the caches are ordered by nothing else.
        unsafe { _mm_sfence() }
    }
    #[inline(always)]
    unsafe fn stream(
        keys: &KeySchedule,
        decrypt: bool,
        sectors: Sectors<'_>,
        from: usize,
        vectors: usize,
        numbers: *mut Block,
        then: TweakAfter,
    ) {
        let powers = match then {
            TweakAfter::Swapped => &PLAIN.last_moved(vectors - 1),
            _ => &PLAIN,
        };
        let nowhere = Blocks::<GROUP_BLOCKS>::new();
        let mut others = [MaybeUninit::<Place>::uninit(); 128];
        let mut of = Stream {
            vectors,
            powers,
            groups: (vectors * sectors.count).div_ceil(WIDTH),
            at: sectors.place(0).add(from),
            others: core::ptr::null(),
            numbers,
            gap: sectors.size - 64 * vectors,
            sectors: sectors.count,
            nowhere: nowhere.at(0).cast(),
        };
        if sectors.row().is_none() {
            for (i, to) in others[..sectors.count - 1].iter_mut().enumerate() {
                to.write(sectors.place(i + 1).add(from));
            }
            of.others = others.as_ptr().cast();
        }
        // SAFETY: as above.
        unsafe {
            stream(keys, decrypt, &mut of);
            if then != TweakAfter::Unused {
                Self::times_x(numbers, numbers, sectors.count, 4 * vectors as i64);
            }
        }
    }
    #[inline(always)]
    unsafe fn groups(keys: &KeySchedule, decrypt: bool, place: Place, tweaks: *const Block, blocks: usize) {
        // SAFETY: as above.
        unsafe { vaes512_stream::groups(keys, decrypt, place, tweaks, blocks.div_ceil(GROUP_BLOCKS)) }
    }
    #[inline(always)]
    unsafe fn short_sectors(
        keys: &KeySchedule,
        decrypt: bool,
        place: Place,
        sector_size: usize,
        numbers: *const Block,
        count: usize,
    ) {
        // SAFETY: as above.
        unsafe { short_sectors(keys, decrypt, place, sector_size, numbers, count) }
    }
    #[inline(always)]
    unsafe fn fill(numbers: Numbers<'_>, out: *mut Block, count: usize) -> bool {
        // SAFETY: as above; the list has `count` blocks.
        unsafe {
            match numbers {
                Numbers::List(list) => {
                    let list = list[..count].as_chunks::<{ Self::BLOCKS }>();
                    for (i, blocks) in list.0.iter().enumerate() {
                        Self::load(blocks.as_ptr().cast()).store(out.add(Self::BLOCKS * i).cast());
                    }
                    let left = (1 << (2 * list.1.len())) - 1;
                    if left != 0 {
                        let last = _mm512_maskz_loadu_epi64(left, list.1.as_ptr().cast());
                        X4(last).store(out.add(count - list.1.len()).cast());
                    }
                    true
                }
                Numbers::Sequence(sequence) => {
                    let Some(halves) = sequence.halves(count) else { return false };
                    match sequence.order {
                        ByteOrder::Little => fill::<false>(&halves, out, count),
                        ByteOrder::Big => fill::<true>(&halves, out, count),
                    }
                    true
                }
            }
        }
    }
    #[inline(always)]
    unsafe fn sector_tweaks(
        mut numbers: *const Block,
        sectors: usize,
        per_sector: usize,
        mut out: *mut Block,
    ) {
        let vectors = per_sector.div_ceil(Self::BLOCKS);
        // SAFETY: as above; `PLAIN` has a row for each vector.
        unsafe {
            for _ in 0..sectors {
                let number = Self::broadcast(numbers).0;
                let swapped = _mm512_shuffle_epi32(number, _MM_PERM_BADC);
                for i in 0..vectors {
                    let (moved, carried) = PLAIN.row(i);
                    let moved = _mm512_sllv_epi64(number, _mm512_load_si512(moved.cast()));
                    let carries = _mm512_srlv_epi64(swapped, _mm512_load_si512(carried.cast()));
                    // The lower half's carry is where it belongs. The upper half's comes back times x^7 + x^2 + x + 1.
                    let x1 = _mm512_maskz_add_epi64(0x55, carries, carries);
                    let (x2, x7) = (_mm512_add_epi64(x1, x1), _mm512_slli_epi64(x1, 6));
                    X4(xor3(xor3(moved, carries, x1), x2, x7)).store(out.add(Self::BLOCKS * i).cast());
                }
                numbers = numbers.add(1);
                out = out.add(per_sector);
            }
        }
    }
    #[inline(always)]
    unsafe fn times_x(from: *const Block, to: *mut Block, count: usize, bits: i64) {
        // SAFETY: as above.
        unsafe {
            if bits < 0 {
                // The inverse of x is x^127 + x^6 + x + 1.
                let lowest = _mm512_maskz_set1_epi64(0x55, 1);
                for i in (0..count).step_by(Self::BLOCKS) {
                    let number = Self::load(from.add(i).cast()).0;
                    let odd = _mm512_test_epi64_mask(number, lowest);
                    let swapped = _mm512_shuffle_epi32(number, _MM_PERM_BADC);
                    let half = xor3(
                        _mm512_srli_epi64(number, 1),
                        _mm512_slli_epi64(swapped, 63),
                        _mm512_maskz_set1_epi64(odd, 0x43),
                    );
                    X4(half).store(to.add(i).cast());
                }
                return;
            }
            let (left, right) = (_mm512_set1_epi64(bits), _mm512_set1_epi64(64 - bits));
            for i in (0..count).step_by(Self::BLOCKS) {
                let number = Self::load(from.add(i).cast()).0;
                let moved = _mm512_sllv_epi64(number, left);
                let carries = _mm512_srlv_epi64(number, right);
                let swapped = _mm512_shuffle_epi32(carries, _MM_PERM_BADC);
                reduce(moved, swapped, _mm512_bsrli_epi128(carries, 8)).store(to.add(i).cast());
            }
        }
    }
}

// SAFETY (all methods): as above.
impl TileTweaks for X4 {
    type Tile = Tweaks;
    #[inline(always)]
    unsafe fn first_tile(tweak: *const Block) -> Tweaks {
        // SAFETY: as above.
        unsafe { Self::first_tweaks(tweak) }
    }
    #[inline(always)]
    unsafe fn step(tile: &mut Tweaks, step: usize, out: *mut Block) {
        // SAFETY: as above; a tile has 8 steps.
        unsafe { Self::next_tweaks(tile, step, out.add(Self::BLOCKS * step)) }
    }
    #[inline(always)]
    unsafe fn tile_start(tile: Tweaks, out: *mut Block) {
        // SAFETY: as above.
        unsafe { Self::next_tweak(&tile, out) }
    }
    #[inline(always)]
    unsafe fn next_tile(mut tile: Tweaks) -> Tweaks {
        // SAFETY: as above.
        unsafe { Self::after_eight(&mut tile) };
        tile
    }
}

/// zmm16 to zmm31, which `vzeroupper` leaves as they are. The other sixteen are what all vector code uses; to clear them,
/// too, would take another 3 % of a 512-byte sector.
#[target_feature(enable = "avx512f")]
#[inline]
fn clear_upper_registers() {
    // SAFETY: all registers that are written are named.
    unsafe {
        core::arch::asm!(
            ".irp i, 16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31",
            "vpxord zmm\\i, zmm\\i, zmm\\i",
            ".endr",
            out("zmm16") _, out("zmm17") _, out("zmm18") _, out("zmm19") _, out("zmm20") _, out("zmm21") _,
            out("zmm22") _, out("zmm23") _, out("zmm24") _, out("zmm25") _, out("zmm26") _, out("zmm27") _,
            out("zmm28") _, out("zmm29") _, out("zmm30") _, out("zmm31") _,
            options(nomem, nostack, preserves_flags),
        );
    }
}

/// The first `count` numbers, rounded up to whole vectors, with their bytes reversed (`BIG`) or as they are.
#[inline(always)]
unsafe fn fill<const BIG: bool>(halves: &Halves, out: *mut Block, count: usize) {
    let &Halves { low, high, low_step, high_step } = halves;
    // What sector `i` adds.
    let nth = |i: u64| (low_step.wrapping_mul(i) as i64, high_step.wrapping_mul(i) as i64);
    let ((low1, high1), (low2, high2), (low3, high3), (low4, high4)) = (nth(1), nth(2), nth(3), nth(4));
    // SAFETY: the features are the caller's, who gives room.
    unsafe {
        let reversed = _mm512_broadcast_i32x4(_mm_set_epi64x(0x0001_0203_0405_0607, 0x0809_0a0b_0c0d_0e0f));
        let first = _mm512_broadcast_i32x4(_mm_set_epi64x(high as i64, low as i64));
        let steps = _mm512_set_epi64(high3, low3, high2, low2, high1, low1, 0, 0);
        let next = _mm512_broadcast_i32x4(_mm_set_epi64x(high4, low4));
        let mut numbers = _mm512_add_epi64(first, steps);
        for i in (0..count).step_by(X4::BLOCKS) {
            let blocks = if BIG { _mm512_shuffle_epi8(numbers, reversed) } else { numbers };
            X4(blocks).store(out.add(i).cast());
            numbers = _mm512_add_epi64(numbers, next);
        }
    }
}

/// The tweaks of vector `i` of a unit, from its first tweak in every lane: that times `x^POWERS[i]`.
#[inline(always)]
unsafe fn times_powers(first: X4, i: usize) -> X4 {
    // SAFETY: the features are the caller's; a row is as long as a vector.
    unsafe {
        let moved = _mm512_sllv_epi64(first.0, _mm512_loadu_si512(POWERS[i].as_ptr().cast()));
        let carries = _mm512_srlv_epi64(first.0, _mm512_loadu_si512(CARRIES[i].as_ptr().cast()));
        // The lower half's carry moves up; the upper half's is what `reduce` wants, in the lower half alone.
        let swapped = _mm512_shuffle_epi32(carries, _MM_PERM_BADC);
        reduce(moved, swapped, _mm512_bsrli_epi128(carries, 8))
    }
}

/// `moved + added + carry * (x^7 + x^2 + x)`, where `carry` has at most 8 bits, so that each product stays in its half.
#[inline(always)]
unsafe fn reduce(moved: __m512i, added: __m512i, carry: __m512i) -> X4 {
    // SAFETY: the features are the caller's.
    unsafe {
        let (x1, x2, x7) =
            (_mm512_slli_epi64(carry, 1), _mm512_slli_epi64(carry, 2), _mm512_slli_epi64(carry, 7));
        X4(xor3(xor3(moved, added, x1), x2, x7))
    }
}

/// In one instruction, which MemorySanitizer does not know: it would take it for a use of secrets, and its result for
/// defined.
#[inline(always)]
unsafe fn xor3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    // SAFETY: the features are the caller's.
    unsafe {
        if cfg!(msan) {
            _mm512_xor_si512(_mm512_xor_si512(a, b), c)
        } else {
            _mm512_ternarylogic_epi64(a, b, c, 0x96)
        }
    }
}

pins!(X4, zmm_reg, "avx512f");
row_shells!(run_in_tiles, X4, "avx512f,avx512bw,avx512vbmi,aes,vaes");
shells!(run_in_tiles, X4, "avx512f,avx512bw,avx512vbmi,aes,vaes");
tile_shell!(X4, "avx512f,avx512bw,avx512vbmi,aes,vaes");

#[target_feature(enable = "avx512f,avx512bw,avx512vbmi,aes,vaes")]
#[inline(never)]
unsafe fn short_sectors(
    keys: &KeySchedule,
    decrypt: bool,
    place: Place,
    sector_size: usize,
    numbers: *const Block,
    count: usize,
) {
    // SAFETY: the features are this function's own.
    unsafe { rows::short_sectors_in_rows::<X4>(keys, decrypt, place, sector_size, numbers, count) }
}
limit!("avx512f,aes,vaes", 4, "vaesenc zmm\\i, zmm\\i, zmm15", "vaesdec zmm\\i, zmm\\i, zmm15", "vzeroupper");
