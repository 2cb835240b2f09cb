//! Memory for blocks.

use core::{cell::UnsafeCell, mem::MaybeUninit};

/// What AES encrypts at once.
pub(super) type Block = [u8; 16];

/// Blocks that are written before they are read, through pointers that stay good while others are taken.
#[repr(C, align(64))]
pub(super) struct Blocks<const N: usize>(UnsafeCell<[MaybeUninit<Block>; N]>);

impl<const N: usize> Blocks<N> {
    #[inline(always)]
    pub(super) fn new() -> Self {
        Blocks(UnsafeCell::new([MaybeUninit::uninit(); N]))
    }
    /// The first `count`.
    #[inline(always)]
    pub(super) fn zeroed(&mut self, count: usize) -> &mut [Block] {
        let blocks = &mut self.0.get_mut()[..count];
        for block in blocks.iter_mut() {
            block.write([0; 16]);
        }
        // SAFETY: all of them were written just now.
        unsafe { core::slice::from_raw_parts_mut(blocks.as_mut_ptr().cast(), blocks.len()) }
    }
    #[inline(always)]
    pub(super) fn at(&self, i: usize) -> *mut Block {
        debug_assert!(i <= N);
        self.0.get().cast::<Block>().wrapping_add(i)
    }
    /// Overwrites what held plaintext.
    #[inline(always)]
    pub(super) fn wipe(&self) {
        self.wipe_first(N);
    }
    #[inline(always)]
    pub(super) fn wipe_first(&self, count: usize) {
        for i in 0..count.min(N) {
            // SAFETY: a block of this array; `Blocks` is aligned for more than a u128. Volatile, since nobody reads it.
            unsafe { self.at(i).cast::<u128>().write_volatile(0) };
        }
    }
}
