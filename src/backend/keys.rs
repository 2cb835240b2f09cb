//! Key schedules in the form that AES instructions take, and memory for blocks.

use core::{cell::UnsafeCell, mem::MaybeUninit};

use zeroize::Zeroize;

use super::vector::Block;

/// Rounds of both key sizes but the last: all that AES-128 has.
pub(super) const COMMON_ROUNDS: usize = 9;
/// Rounds that AES-256 has beyond those.
pub(super) const MORE_ROUNDS: usize = 4;
/// Where the last round's key is.
const LAST: usize = COMMON_ROUNDS + MORE_ROUNDS + 1;

/// The round keys of one direction, in the order of use. Those of the last round have the same place for both key
/// sizes, so that one piece of code serves both, and only skips what AES-128 does not have.
#[repr(C, align(64))]
pub(super) struct Schedule {
    keys: [Block; LAST + 1],
    /// AES-256.
    long: bool,
}

impl Schedule {
    /// Puts keys that follow each other to their places: the last one to the end, and the one before it there a second
    /// time, so that `before_last` need not ask for the key size.
    #[inline(always)]
    fn spread(&mut self) {
        if !self.long {
            self.keys[LAST] = self.keys[COMMON_ROUNDS + 1];
            self.keys[LAST - 1] = self.keys[COMMON_ROUNDS];
            self.keys[COMMON_ROUNDS + 1] = [0; 16];
        }
    }

    /// The key of round `i`, from 0, which is the whitening key, to 13.
    #[cfg_attr(optimized, inline(always))]
    pub(super) fn key(&self, i: usize) -> &Block {
        &self.keys[i % LAST]
    }
    #[cfg_attr(optimized, inline(always))]
    pub(super) fn before_last(&self) -> &Block {
        &self.keys[LAST - 1]
    }
    #[cfg_attr(optimized, inline(always))]
    pub(super) fn last(&self) -> &Block {
        &self.keys[LAST]
    }
    /// Whether there are `MORE_ROUNDS`.
    #[cfg_attr(optimized, inline(always))]
    pub(super) fn is_long(&self) -> bool {
        self.long
    }
}

/// The three key schedules of an XTS key.
pub(crate) struct RoundKeys {
    pub(super) encrypt: Schedule,
    /// For the equivalent inverse cipher.
    pub(super) decrypt: Schedule,
    pub(super) tweak: Schedule,
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
        let long = match (key1.len(), key2.len()) {
            (16, 16) => false,
            (32, 32) => true,
            _ => return None,
        };
        let empty = || Schedule { keys: [[0; 16]; LAST + 1], long };
        let mut keys = RoundKeys { encrypt: empty(), decrypt: empty(), tweak: empty() };
        schedule(key1, &mut keys.encrypt.keys);
        schedule(key2, &mut keys.tweak.keys);
        let last = if long { LAST } else { COMMON_ROUNDS + 1 };
        let (encrypt, decrypt) = (&keys.encrypt.keys, &mut keys.decrypt.keys);
        decrypt[0] = encrypt[last];
        decrypt[last] = encrypt[0];
        for i in 1..last {
            decrypt[i] = inverse_mix_columns(&encrypt[last - i]);
        }
        for schedule in [&mut keys.encrypt, &mut keys.decrypt, &mut keys.tweak] {
            schedule.spread();
        }
        Some(keys)
    }
}

impl Drop for RoundKeys {
    fn drop(&mut self) {
        let RoundKeys { encrypt, decrypt, tweak } = self;
        for Schedule { keys, long: _ } in [encrypt, decrypt, tweak] {
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
            assert_eq!((*place.as_ptr()).tweak.keys[14], [2; 16]);
            place.assume_init_drop();
            let keys = place.as_ptr();
            [(*keys).encrypt.keys, (*keys).decrypt.keys, (*keys).tweak.keys]
        };
        assert_eq!(left, [[[0; 16]; 15]; 3]);
    }
}
