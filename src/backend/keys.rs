//! Key schedules in the form that AES instructions take, and memory for blocks.

use core::{cell::UnsafeCell, mem::MaybeUninit};

use zeroize::Zeroize;

use super::vector::Block;

/// The three key schedules of an XTS key: 11 (AES-128) or 15 (AES-256) round keys each, the rest zero.
#[repr(C, align(64))]
pub(crate) struct RoundKeys {
    pub(super) encrypt: [Block; 15],
    /// For the equivalent inverse cipher, in the order of use.
    pub(super) decrypt: [Block; 15],
    pub(super) tweak: [Block; 15],
    /// 10 or 14.
    pub(super) rounds: u8,
}

impl RoundKeys {
    /// From key1 and key2, 16 bytes each or 32 (`None` for other lengths), by the processor's own key schedule and
    /// InvMixColumns.
    #[inline(always)]
    pub(super) fn new(
        key1: &[u8],
        key2: &[u8],
        schedule: impl Fn(&[u8], &mut [Block; 15]),
        inverse_mix_columns: impl Fn(&Block) -> Block,
    ) -> Option<RoundKeys> {
        let rounds = match (key1.len(), key2.len()) {
            (16, 16) => 10,
            (32, 32) => 14,
            _ => return None,
        };
        let mut keys =
            RoundKeys { encrypt: [[0; 16]; 15], decrypt: [[0; 16]; 15], tweak: [[0; 16]; 15], rounds };
        schedule(key1, &mut keys.encrypt);
        schedule(key2, &mut keys.tweak);
        let last = usize::from(rounds);
        keys.decrypt[0] = keys.encrypt[last];
        keys.decrypt[last] = keys.encrypt[0];
        for i in 1..last {
            keys.decrypt[i] = inverse_mix_columns(&keys.encrypt[last - i]);
        }
        Some(keys)
    }
}

impl Drop for RoundKeys {
    fn drop(&mut self) {
        let RoundKeys { encrypt, decrypt, tweak, rounds: _ } = self;
        for keys in [encrypt, decrypt, tweak] {
            keys.as_flattened_mut().zeroize();
        }
    }
}

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
        unsafe { blocks.assume_init_mut() }
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

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;

    use super::*;

    #[test]
    fn dropped_keys_are_gone() {
        let schedule = |key: &[u8], round_keys: &mut [Block; 15]| round_keys.fill([key[0]; 16]);
        let keys = RoundKeys::new(&[1; 32], &[2; 32], schedule, |key| *key).unwrap();
        let mut place = MaybeUninit::new(keys);
        // SAFETY: initialised, and not used as keys any more; the arrays are bytes, whatever they hold.
        let left = unsafe {
            assert_eq!((*place.as_ptr()).tweak[14], [2; 16]);
            place.assume_init_drop();
            let keys = place.as_ptr();
            [(*keys).encrypt, (*keys).decrypt, (*keys).tweak]
        };
        assert_eq!(left, [[[0; 16]; 15]; 3]);
    }
}
