//! Vectors in flight: the rounds of AES over eight vectors or fewer.

pub(crate) use super::vector::WIDTH;
use super::{
    keys::{COMMON_ROUNDS, KeySchedule, MORE_ROUNDS},
    vector::{Aes, Tiles, Vector as _, unrolled},
};
use crate::xts::simd::{blocks::Block, job::Place};

/// The widest vector, in blocks.
pub(crate) const MAX_LANES: usize = 4;

/// AES-ECB of `N` vectors in place: what makes tweaks out of sector numbers.
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn ecb<V: Aes, const N: usize>(keys: &KeySchedule, blocks: *mut u8) {
    // SAFETY: the caller gives `N` vectors; `keys` is a reference, before and after.
    unsafe {
        let keys = &*untraced(keys);
        let (nothing, whitening) = (V::broadcast(&[0; 16]), V::broadcast(keys.key(0)));
        let mut x = [whitening; N];
        unrolled!(I < N, {
            x[I % N] = V::enter(nothing, whitening, V::load(blocks.add(16 * V::BLOCKS * I)));
        });
        rounds::<V, N, false>(keys, &mut x, &mut Nothing);
        let (before, last) = (V::broadcast(keys.before_last()), V::broadcast(keys.last()));
        unrolled!(I < N, {
            x[I % N].leave_numbers(before, last).store(blocks.add(16 * V::BLOCKS * I));
        });
    }
}

/// Work for the ports that AES leaves idle. (A closure would not do: it cannot be forced inline.)
pub(crate) trait Between {
    /// In round `round`, from 0 to 8.
    ///
    /// # Safety
    /// As the function that made it.
    unsafe fn round(&mut self, round: usize);
}

pub(crate) struct Nothing;

impl Between for Nothing {
    #[cfg_attr(optimized, inline(always))]
    unsafe fn round(&mut self, _: usize) {}
}

/// Where the vectors of a group lie.
trait Places {
    fn src(&self, i: usize) -> *const u8;
    fn dst(&self, i: usize) -> *mut u8;
}

/// One behind the other, `step` bytes apart.
struct InARow {
    first: Place,
    step: usize,
}

impl Places for InARow {
    #[cfg_attr(optimized, inline(always))]
    fn src(&self, i: usize) -> *const u8 {
        self.first.src.wrapping_add(self.step * i)
    }
    #[cfg_attr(optimized, inline(always))]
    fn dst(&self, i: usize) -> *mut u8 {
        self.first.dst.wrapping_add(self.step * i)
    }
}

impl Places for [Place] {
    #[cfg_attr(optimized, inline(always))]
    fn src(&self, i: usize) -> *const u8 {
        self[i].src
    }
    #[cfg_attr(optimized, inline(always))]
    fn dst(&self, i: usize) -> *mut u8 {
        self[i].dst
    }
}

/// `N` vectors of data, one behind the other, under tweaks that lie in memory; `between` is work for the ports that AES
/// leaves idle.
///
/// # Safety
/// The processor has the features of `V`; source, destination and tweaks are good for `N` vectors.
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn group<V: Aes, const N: usize, const DECRYPT: bool>(
    keys: &KeySchedule,
    src: *const u8,
    dst: *mut u8,
    tweaks: *const Block,
    between: &mut impl Between,
) {
    let places = InARow { first: Place { src, dst }, step: 16 * V::BLOCKS };
    // SAFETY: this function's contract.
    unsafe { run::<V, N, DECRYPT>(keys, &places, tweaks, between) }
}

/// The first `N` of `places`: a group of vectors that lie anywhere.
///
/// # Safety
/// As [`group`], for each place.
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn group_at_places<V: Aes, const N: usize, const DECRYPT: bool>(
    keys: &KeySchedule,
    places: &[Place],
    tweaks: *const Block,
    between: &mut impl Between,
) {
    let places = &places[..N];
    // SAFETY: this function's contract.
    unsafe { run::<V, N, DECRYPT>(keys, places, tweaks, between) }
}

#[cfg_attr(optimized, inline(always))]
unsafe fn run<V: Aes, const N: usize, const DECRYPT: bool>(
    keys: &KeySchedule,
    places: &(impl Places + ?Sized),
    tweaks: *const Block,
    between: &mut impl Between,
) {
    // SAFETY: the caller gives `N` vectors of source, destination and tweaks; `keys` is a reference, before and after.
    unsafe {
        let keys = &*untraced(keys);
        let whitening = V::broadcast(keys.key(0));
        let mut x = [whitening; N];
        unrolled!(I < N, {
            let tweak = V::load(tweaks.add(V::BLOCKS * I).cast());
            x[I % N] = V::enter(tweak, whitening, V::load(places.src(I % N)));
        });
        rounds::<V, N, DECRYPT>(keys, &mut x, between);
        let (before, last) = (V::broadcast(keys.before_last()), V::broadcast(keys.last()));
        // Read once more, where they lie: the registers are needed, and a copy on the stack would cost a store each.
        let tweaks = untraced(tweaks);
        unrolled!(I < N, {
            let tweak = V::load(tweaks.add(V::BLOCKS * I).cast());
            x[I % N].leave::<DECRYPT>(before, last, tweak).store(places.dst(I % N));
        });
    }
}

/// All rounds but the last.
#[cfg_attr(optimized, inline(always))]
unsafe fn rounds<V: Aes, const N: usize, const DECRYPT: bool>(
    keys: &KeySchedule,
    x: &mut [V; N],
    between: &mut impl Between,
) {
    // SAFETY: the features are the caller's.
    unsafe {
        unrolled!(R < COMMON_ROUNDS, {
            round::<V, N, DECRYPT>(keys, R + 1, x);
            between.round(R);
        });
        // One code for both key sizes halves its size, and a branch for each group that always goes the same way costs
        // nothing that could be measured.
        if keys.is_long() {
            unrolled!(R < MORE_ROUNDS, {
                round::<V, N, DECRYPT>(keys, COMMON_ROUNDS + R + 1, x);
            });
        }
    }
}

/// Round `i`, from 1.
#[cfg_attr(optimized, inline(always))]
unsafe fn round<V: Aes, const N: usize, const DECRYPT: bool>(keys: &KeySchedule, i: usize, x: &mut [V; N]) {
    // SAFETY: the features are the caller's.
    unsafe {
        let key = V::broadcast(keys.key(i - V::KEY_LAG));
        unrolled!(I < N, {
            x[I % N] = x[I % N].round::<DECRYPT>(key);
        });
        V::pin(x);
    }
}

/// The same address, by a way that the compiler cannot trace. It would otherwise broadcast all round keys ahead of the
/// loop and spill them, which gains nothing and leaves copies of them on the stack.
#[cfg_attr(optimized, inline(always))]
pub(crate) fn untraced<T>(address: *const T) -> *const T {
    let mut same = address;
    // SAFETY: a comment, no instruction: the address stays what it is.
    unsafe {
        core::arch::asm!("/* {} */", inout(reg) same, options(pure, readonly, nostack, preserves_flags))
    };
    same
}

/// Any number of blocks, one behind the other, whose tweaks lie in memory. [`Tiles::whole_blocks`] has it as a function.
///
/// # Safety
/// As [`group`].
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn whole_blocks<V: Tiles, const DECRYPT: bool>(
    keys: &KeySchedule,
    place: Place,
    mut tweaks: *const Block,
    mut blocks: usize,
) {
    let Place { mut src, mut dst } = place;
    // SAFETY: the caller gives `blocks` blocks of source, destination and tweaks.
    unsafe {
        while blocks >= WIDTH * V::BLOCKS {
            group::<V, WIDTH, DECRYPT>(keys, src, dst, tweaks, &mut Nothing);
            src = src.add(16 * WIDTH * V::BLOCKS);
            dst = dst.add(16 * WIDTH * V::BLOCKS);
            tweaks = tweaks.add(WIDTH * V::BLOCKS);
            blocks -= WIDTH * V::BLOCKS;
        }
        rest::<V, DECRYPT>(keys, src, dst, tweaks, blocks);
    }
}

/// `blocks` (fewer than `WIDTH * V::BLOCKS`) blocks whose tweaks lie in memory.
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn rest<V: Tiles, const DECRYPT: bool>(
    keys: &KeySchedule,
    mut src: *const u8,
    mut dst: *mut u8,
    mut tweaks: *const Block,
    mut blocks: usize,
) {
    macro_rules! step {
        ($vector:ty, $n:literal) => {
            group::<$vector, $n, DECRYPT>(keys, src, dst, tweaks, &mut Nothing);
            src = src.add(16 * $n * <$vector>::BLOCKS);
            dst = dst.add(16 * $n * <$vector>::BLOCKS);
            tweaks = tweaks.add($n * <$vector>::BLOCKS);
            blocks -= $n * <$vector>::BLOCKS;
        };
    }
    // SAFETY: the caller gives `blocks` blocks of source, destination and tweaks, and each step takes no more.
    unsafe {
        if blocks >= 4 * V::BLOCKS {
            step!(V, 4);
        }
        if blocks >= 2 * V::BLOCKS {
            step!(V, 2);
        }
        if blocks >= V::BLOCKS {
            step!(V, 1);
        }
        while V::BLOCKS > 1 && blocks != 0 {
            step!(V::One, 1);
        }
    }
}
