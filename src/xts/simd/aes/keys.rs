//! Key schedules in the form that AES instructions take.

use zeroize::Zeroize;

use crate::xts::simd::{backend::Schedule, blocks::Block};

/// Rounds of both key sizes but the last: all that AES-128 has.
pub(crate) const COMMON_ROUNDS: usize = 9;
/// Rounds that AES-256 has beyond those.
pub(crate) const MORE_ROUNDS: usize = 4;
/// Where the last round's key is.
const LAST: usize = COMMON_ROUNDS + MORE_ROUNDS + 1;

/// The round keys of one direction, in the order of use. Those of the last round have the same place for both key
/// sizes, so that one piece of code serves both, and only skips what AES-128 does not have.
#[repr(C, align(16))]
pub(crate) struct KeySchedule {
    keys: [Block; LAST + 1],
    /// AES-256.
    long: bool,
    /// The longest sector that goes in rows, in bytes.
    longest_in_rows: usize,
    /// Whether rows are made for data that comes from memory, too.
    far_rows: bool,
}

impl KeySchedule {
    /// The key of round `i`, from 0, which is the whitening key, to 13.
    #[cfg_attr(optimized, inline(always))]
    pub(crate) fn key(&self, i: usize) -> &Block {
        &self.keys[i % LAST]
    }
    #[cfg_attr(optimized, inline(always))]
    pub(crate) fn before_last(&self) -> &Block {
        &self.keys[LAST - 1]
    }
    #[cfg_attr(optimized, inline(always))]
    pub(crate) fn last(&self) -> &Block {
        &self.keys[LAST]
    }
    /// Whether there are `MORE_ROUNDS`.
    #[cfg_attr(optimized, inline(always))]
    pub(crate) fn is_long(&self) -> bool {
        self.long
    }
}

/// What concerns rows.
#[cfg(target_arch = "x86_64")]
impl KeySchedule {
    /// Whether the key was made for rows, for some sectors at least.
    #[cfg_attr(optimized, inline(always))]
    pub(crate) fn in_rows(&self) -> bool {
        self.longest_in_rows != 0
    }
    /// The longest sector that goes in rows, in bytes; 0 for a key in tiles.
    #[cfg_attr(optimized, inline(always))]
    pub(crate) fn longest_in_rows(&self) -> usize {
        self.longest_in_rows
    }
    /// Whether rows are made for data that comes from memory, too: they fetch it ahead, and write copies past the caches.
    /// Where tiles do the longer sectors (Zen 4), both would make them slower.
    #[cfg_attr(optimized, inline(always))]
    pub(crate) fn in_far_rows(&self) -> bool {
        self.far_rows
    }
}

/// The three key schedules of an XTS key.
pub(crate) struct RoundKeys {
    pub(crate) encrypt: KeySchedule,
    /// For the equivalent inverse cipher.
    pub(crate) decrypt: KeySchedule,
    pub(crate) tweak: KeySchedule,
}

impl RoundKeys {
    /// Room for the schedules of two keys of 16 bytes each, or 32.
    #[inline(always)]
    pub(crate) fn empty(long: bool, schedule: Schedule) -> RoundKeys {
        // From a constant: the compiler copies arrays of zeros once more.
        const EMPTY: RoundKeys = {
            const SCHEDULE: KeySchedule =
                KeySchedule { keys: [[0; 16]; LAST + 1], long: false, far_rows: false, longest_in_rows: 0 };
            RoundKeys { encrypt: SCHEDULE, decrypt: SCHEDULE, tweak: SCHEDULE }
        };
        let mut keys = EMPTY;
        for keys in [&mut keys.encrypt, &mut keys.decrypt, &mut keys.tweak] {
            keys.long = long;
            keys.far_rows = schedule == Schedule::Rows;
            keys.longest_in_rows = schedule.longest_in_rows();
        }
        keys
    }

    /// The schedule that they were made for.
    pub(crate) fn schedule(&self) -> Schedule {
        match self.encrypt.longest_in_rows {
            0 => Schedule::Tiles,
            _ if self.encrypt.far_rows => Schedule::Rows,
            _ => Schedule::Mixed,
        }
    }

    /// Puts key `i` of the data key's schedule (`data`, of the tweak key's: `tweak`) to its places; `inverse` is
    /// InvMixColumns of it. Those of the last round go to the end, and the one before it there a second time, so that
    /// `before_last` need not ask for the key size. Nothing is written but that: a copy on the stack would have to be
    /// wiped.
    #[inline(always)]
    pub(crate) fn put<T>(&mut self, i: usize, data: T, inverse: T, tweak: T, store: impl Fn(T, &mut Block))
    where
        T: Copy,
    {
        let long = self.encrypt.long;
        let last = if long { LAST } else { COMMON_ROUNDS + 1 };
        let put = |schedule: &mut KeySchedule, i: usize, key: T| {
            if i == last {
                store(key, &mut schedule.keys[LAST]);
            } else {
                store(key, &mut schedule.keys[i % LAST]);
                if !long && i == COMMON_ROUNDS {
                    store(key, &mut schedule.keys[LAST - 1]);
                }
            }
        };
        put(&mut self.encrypt, i, data);
        put(&mut self.tweak, i, tweak);
        put(&mut self.decrypt, last - i, if i == 0 || i == last { data } else { inverse });
    }
}

impl Drop for RoundKeys {
    fn drop(&mut self) {
        let RoundKeys { encrypt, decrypt, tweak } = self;
        for KeySchedule { keys, .. } in [encrypt, decrypt, tweak] {
            keys.as_flattened_mut().zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use core::mem::MaybeUninit;

    use super::*;

    #[test]
    fn dropped_keys_are_gone() {
        let mut keys = RoundKeys::empty(true, Schedule::Tiles);
        for i in 0..=LAST {
            keys.put(i, [1; 16], [3; 16], [2; 16], |key, place| *place = key);
        }
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
