//! AES bit by bit, for processors without AES instructions: constant-time, since there are no tables to look into.
//!
//! Eight registers hold eight blocks for each of their 128-bit lanes, transposed: bit `b` of byte `n` of register `i` is
//! bit `i` of byte `n` of the lane's block `b`. So the S-box is a circuit of gates between registers ([`sbox`]), and
//! moving bytes about is a shuffle of each register.
//!
//! ShiftRows moves nothing (Adomnicai and Peyrin, "Fixslicing AES-like ciphers", 2021): after `k` rounds, column `c` of
//! row `r` lies in column `c + k * r`, and MixColumns looks there. Four rounds bring all back to where it was, and the
//! number of rounds, 10 or 14, leaves two to be made up for at the end.
//!
//! The S-box's constant is in the round keys: MixColumns and its inverse leave a state of equal bytes as it is.
//!
//! A key is kept as short as it is, 480 bytes. Each call spreads its round keys for the registers, which takes some
//! hundred cycles, and wipes them.

use core::{
    mem::MaybeUninit,
    ops::{BitAnd, BitXor},
};

use zeroize::Zeroize;

use self::sbox::{substitute, substitute_back};
use super::{
    blocks::Block,
    blockwise::{self, BlockCipher},
    job::{Direction, Job, Place},
};

mod sbox;

/// Round keys of AES-256.
const MOST_KEYS: usize = 15;

/// Registers of 128-bit lanes. The operators need what the others do, and take what these have made.
///
/// # Safety
/// Every method needs the processor features that the implementing type's file names, and each is inlined into a shell
/// that carries them. `load` and `store` touch `16 * LANES` bytes, at any alignment.
pub(crate) trait Register: Copy + BitXor<Output = Self> + BitAnd<Output = Self> {
    const LANES: usize;
    unsafe fn load(src: *const u8) -> Self;
    unsafe fn store(self, dst: *mut u8);
    /// A block in each lane.
    unsafe fn broadcast(block: &Aligned) -> Self;
    /// Moves the bits of each byte to the left by `N`, less than 8. What leaves a byte may turn up in the next one.
    unsafe fn left<const N: i32>(self) -> Self;
    /// The same to the right.
    unsafe fn right<const N: i32>(self) -> Self;
    /// In each lane, byte `from[n]` at place `n`.
    unsafe fn shuffle(self, from: Self) -> Self;
    /// All bits of each byte that has the one bit of the same byte of `bit`.
    unsafe fn has(self, bit: Self) -> Self;
}

/// A block that a register can be loaded from with the fastest instruction.
#[derive(Clone, Copy)]
#[repr(C, align(16))]
pub(crate) struct Aligned(pub(crate) Block);

/// Round keys of one direction, as FIPS 197 has them. Those of AES-128 leave the last places empty.
type KeySchedule = [Aligned; MOST_KEYS];
/// A round key, each bit of it as a byte of all ones or zeros, and where ShiftRows left it.
pub(crate) type RoundKey = [Aligned; 8];

/// Data key and tweak key.
pub(crate) struct Keys {
    data: KeySchedule,
    tweak: KeySchedule,
    /// 10 or 14.
    rounds: usize,
}

impl Keys {
    /// Room for two keys of 16 bytes each, or 32.
    #[inline(always)]
    pub(crate) fn empty(long: bool) -> Keys {
        // A constant: the compiler would write each place by itself otherwise.
        const EMPTY: KeySchedule = [Aligned([0; 16]); MOST_KEYS];
        Keys { data: EMPTY, tweak: EMPTY, rounds: if long { 14 } else { 10 } }
    }

    /// Takes keys as long as `empty` was told: the key schedule of FIPS 197, 5.2, of both at once.
    #[inline(never)]
    pub(crate) fn expand(&mut self, key1: &[u8], key2: &[u8]) {
        let words = if self.rounds == 14 { 8 } else { 4 };
        // Words of key1 in the lower halves, of key2 in the upper ones.
        let mut w = [0_u64; 8];
        for ((w, a), b) in w[..words].iter_mut().zip(key1.as_chunks().0).zip(key2.as_chunks().0) {
            *w = u64::from(u32::from_le_bytes(*a)) | u64::from(u32::from_le_bytes(*b)) << 32;
        }
        let mut constant = 1_u64;
        for i in 0..=self.rounds {
            let at = 4 * i % words;
            if i >= words / 4 {
                let mut word = substitute_bytes(w[(at + words - 1) % words]);
                if at == 0 {
                    // RotWord of both, and the round constant.
                    word = (word >> 8 & 0x00ff_ffff_00ff_ffff) | (word & 0x0000_00ff_0000_00ff) << 24;
                    word ^= constant | constant << 32;
                    constant = (constant << 1) ^ (0x11b * (constant >> 7));
                }
                for w in &mut w[at..at + 4] {
                    *w ^= word;
                    word = *w;
                }
            }
            for (j, w) in w[at..at + 4].iter().enumerate() {
                self.data[i].0[4 * j..4 * j + 4].copy_from_slice(&(*w as u32).to_le_bytes());
                self.tweak[i].0[4 * j..4 * j + 4].copy_from_slice(&((w >> 32) as u32).to_le_bytes());
            }
        }
        w.zeroize();
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        let Keys { data, tweak, rounds: _ } = self;
        for key in data.iter_mut().chain(tweak) {
            key.0.zeroize();
        }
    }
}

/// For each byte of a block, in row `r` and column `c`: the place of that in row `r + rows` and column
/// `c + columns + turn * r`.
const fn moved(rows: usize, turn: usize, columns: usize) -> Aligned {
    let mut from = [0; 16];
    let mut n = 0;
    while n < 16 {
        let (c, r) = (n / 4, n % 4);
        from[n] = (4 * ((c + columns + turn * r) % 4) + (r + rows) % 4) as u8;
        n += 1;
    }
    Aligned(from)
}

/// For `k` times ShiftRows, modulo 4: the byte in the next row of the same column; the one two rows on; and where a
/// round key's bytes come from.
static NEXT: [Aligned; 4] = [moved(1, 0, 0), moved(1, 0, 1), moved(1, 0, 2), moved(1, 0, 3)];
static OPPOSITE: [Aligned; 4] = [moved(2, 0, 0), moved(2, 0, 2), moved(2, 0, 0), moved(2, 0, 2)];
static KEY: [Aligned; 4] = [moved(0, 0, 0), moved(0, 3, 0), moved(0, 2, 0), moved(0, 1, 0)];
/// What is left of ShiftRows after the last round, and its own inverse.
static LEFT: Aligned = moved(0, 2, 0);

/// Encrypts or decrypts `passes` times `8 * LANES` blocks, each xored with a tweak before and after. The tweaks lie
/// behind one another, or are the same for each pass if `one_for_all`.
///
/// # Safety
/// The processor has the features of `R`. Source, destination and tweaks are good for that many blocks.
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn passes<R: Register, const DECRYPT: bool>(
    keys: &[RoundKey],
    place: Place,
    mut tweaks: *const Block,
    one_for_all: bool,
    passes: usize,
) {
    let Place { mut src, mut dst } = place;
    // SAFETY: the features and the lengths are the caller's.
    unsafe {
        for _ in 0..passes {
            let mut x: [R; 8] = each(|i| {
                R::load(src.add(16 * R::LANES * i)) ^ R::load(tweaks.cast::<u8>().add(16 * R::LANES * i))
            });
            if DECRYPT {
                x = moved_by(x, R::broadcast(&LEFT));
                transpose(&mut x);
                x = decrypt(x, keys);
                transpose(&mut x);
            } else {
                transpose(&mut x);
                x = encrypt(x, keys);
                transpose(&mut x);
                x = moved_by(x, R::broadcast(&LEFT));
            }
            for (i, x) in x.into_iter().enumerate() {
                let tweak = R::load(tweaks.cast::<u8>().add(16 * R::LANES * i));
                (x ^ tweak).store(dst.add(16 * R::LANES * i));
            }
            src = src.add(128 * R::LANES);
            dst = dst.add(128 * R::LANES);
            if !one_for_all {
                tweaks = tweaks.add(8 * R::LANES);
            }
        }
    }
}

/// An array of what `f` makes of 0 to 7: `core::array::from_fn` is not always inlined.
#[cfg_attr(optimized, inline(always))]
fn each<R>(f: impl Fn(usize) -> R) -> [R; 8] {
    [f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)]
}

#[cfg_attr(optimized, inline(always))]
unsafe fn encrypt<R: Register>(x: [R; 8], keys: &[RoundKey]) -> [R; 8] {
    let [first, middle @ .., last] = keys else { return x };
    let mut middle = (1..).zip(middle);
    // SAFETY: the features are the caller's.
    unsafe {
        let mut x = add(x, first);
        loop {
            x = substitute(x);
            let Some((i, key)) = middle.next() else { break add(x, last) };
            x = mix(x, i, Some(key));
        }
    }
}

#[cfg_attr(optimized, inline(always))]
unsafe fn decrypt<R: Register>(x: [R; 8], keys: &[RoundKey]) -> [R; 8] {
    let [first, middle @ .., last] = keys else { return x };
    let mut left = middle.len();
    // SAFETY: the features are the caller's.
    unsafe {
        let mut x = add(x, last);
        loop {
            x = substitute_back(x);
            if left == 0 {
                break add(x, first);
            }
            x = add(x, &middle[left - 1]);
            // The inverse is MixColumns of the column plus x^2 times what it has in common with the one two rows on:
            // the matrices are (14 11 13 9) = (2 3 1 1) * (5 0 4 0).
            let opposite = R::broadcast(&OPPOSITE[left % 4]);
            let [u0, u1, u2, u3, u4, u5, u6, u7] = each(|i| x[i] ^ x[i].shuffle(opposite));
            let u67 = u6 ^ u7;
            x = [
                x[0] ^ u6,
                x[1] ^ u67,
                x[2] ^ u0 ^ u7,
                x[3] ^ u1 ^ u6,
                x[4] ^ u2 ^ u67,
                x[5] ^ u3 ^ u7,
                x[6] ^ u4,
                x[7] ^ u5,
            ];
            x = mix(x, left, None);
            left -= 1;
        }
    }
}

#[cfg_attr(optimized, inline(always))]
unsafe fn add<R: Register>(x: [R; 8], key: &RoundKey) -> [R; 8] {
    // SAFETY: the features are the caller's.
    unsafe { each(|i| x[i] ^ R::broadcast(&key[i])) }
}

#[cfg_attr(optimized, inline(always))]
unsafe fn moved_by<R: Register>(x: [R; 8], from: R) -> [R; 8] {
    // SAFETY: the features are the caller's.
    unsafe { each(|i| x[i].shuffle(from)) }
}

/// MixColumns after `i` times ShiftRows, and a round key: x times what a byte has in common with the next one of its
/// column, plus that next one, plus what the two behind that have in common. The last of these is what takes longest.
#[cfg_attr(optimized, inline(always))]
unsafe fn mix<R: Register>(x: [R; 8], i: usize, key: Option<&RoundKey>) -> [R; 8] {
    // SAFETY: the features are the caller's.
    unsafe {
        let (next, opposite) = (R::broadcast(&NEXT[i % 4]), R::broadcast(&OPPOSITE[i % 4]));
        let n = moved_by(x, next);
        let t = each(|i| x[i] ^ n[i]);
        let last = moved_by(t, opposite);
        let n = match key {
            Some(key) => add(n, key),
            None => n,
        };
        [
            n[0] ^ t[7] ^ last[0],
            n[1] ^ t[7] ^ t[0] ^ last[1],
            n[2] ^ t[1] ^ last[2],
            n[3] ^ t[7] ^ t[2] ^ last[3],
            n[4] ^ t[7] ^ t[3] ^ last[4],
            n[5] ^ t[4] ^ last[5],
            n[6] ^ t[5] ^ last[6],
            n[7] ^ t[6] ^ last[7],
        ]
    }
}

/// Exchanges the number of a bit and the number of its register: blocks become bits, and the other way round.
#[cfg_attr(optimized, inline(always))]
unsafe fn transpose<R: Register>(x: &mut [R; 8]) {
    // SAFETY: the features are the caller's.
    unsafe {
        for i in [0, 2, 4, 6] {
            exchange::<R, 1>(x, i, i + 1, &Aligned([0x55; 16]));
        }
        for i in [0, 1, 4, 5] {
            exchange::<R, 2>(x, i, i + 2, &Aligned([0x33; 16]));
        }
        for i in [0, 1, 2, 3] {
            exchange::<R, 4>(x, i, i + 4, &Aligned([0x0f; 16]));
        }
    }
}

/// The bits of register `b` in `mask` change places with those of register `a` to the left of it by `N`.
#[cfg_attr(optimized, inline(always))]
unsafe fn exchange<R: Register, const N: i32>(x: &mut [R; 8], a: usize, b: usize, mask: &Aligned) {
    // SAFETY: the features are the caller's.
    unsafe {
        let differ = (x[a].right::<N>() ^ x[b]) & R::broadcast(mask);
        x[b] = x[b] ^ differ;
        x[a] = x[a] ^ differ.left::<N>();
    }
}

/// Spreads round keys for [`passes`].
///
/// # Safety
/// The processor has the features of `R`, which has one lane.
#[cfg_attr(optimized, inline(always))]
pub(crate) unsafe fn spread<R: Register>(keys: &[Aligned], places: &mut [MaybeUninit<RoundKey>]) {
    assert!(R::LANES == 1);
    for (i, (key, place)) in keys.iter().zip(places).enumerate() {
        let place = place.as_mut_ptr().cast::<Block>();
        // SAFETY: the features are the caller's; the place has 8 blocks.
        unsafe {
            let mut key = R::broadcast(key).shuffle(R::broadcast(&KEY[i % 4]));
            if i != 0 {
                key = key ^ R::broadcast(&Aligned([0x63; 16]));
            }
            for bit in 0..8 {
                key.has(R::broadcast(&Aligned([1 << bit; 16]))).store(place.add(bit).cast());
            }
        }
    }
}

/// The S-box of eight bytes.
#[cfg_attr(optimized, inline(always))]
fn substitute_bytes(x: u64) -> u64 {
    let bits = transpose_bytes(x).to_le_bytes().map(u32::from);
    let bits = substitute(bits).map(|bits| bits as u8);
    transpose_bytes(u64::from_le_bytes(bits)) ^ 0x6363_6363_6363_6363
}

/// Exchanges the number of a bit in its byte and the number of the byte.
#[cfg_attr(optimized, inline(always))]
fn transpose_bytes(mut x: u64) -> u64 {
    for (distance, mask) in [(7, 0x00aa_00aa_00aa_00aa), (14, 0x0000_cccc_0000_cccc), (28, 0xf0f0_f0f0)] {
        let differ = (x ^ (x >> distance)) & mask;
        x ^= differ ^ (differ << distance);
    }
    x
}

/// The functions of one instruction set.
#[derive(Clone, Copy)]
pub(crate) struct Functions {
    /// Blocks a pass.
    pub(crate) width: usize,
    /// [`spread`], with the features of a register of one lane.
    pub(crate) spread: unsafe fn(&[Aligned], &mut [MaybeUninit<RoundKey>]),
    pub(crate) encrypt: Shell,
    pub(crate) decrypt: Shell,
}

/// [`passes`] in one direction, with the features of its register.
pub(crate) type Shell = unsafe fn(&[RoundKey], Place, *const Block, bool, usize);

/// The functions that carry the processor's features, into which everything else is inlined.
macro_rules! shells {
    ($register:ty, $features:literal, $spread:path) => {
        pub(crate) static FUNCTIONS: $crate::xts::simd::sliced::Functions =
            $crate::xts::simd::sliced::Functions {
                width: 8 * <$register as $crate::xts::simd::sliced::Register>::LANES,
                spread: $spread,
                encrypt: passes::<false>,
                decrypt: passes::<true>,
            };

        #[target_feature(enable = $features)]
        unsafe fn passes<const DECRYPT: bool>(
            keys: &[$crate::xts::simd::sliced::RoundKey],
            place: $crate::xts::simd::job::Place,
            tweaks: *const $crate::xts::simd::blocks::Block,
            one_for_all: bool,
            passes: usize,
        ) {
            // SAFETY: the features are this function's own.
            unsafe {
                $crate::xts::simd::sliced::passes::<$register, DECRYPT>(
                    keys,
                    place,
                    tweaks,
                    one_for_all,
                    passes,
                );
            }
        }
    };
}
pub(crate) use shells;

/// Keys as a call needs them, and functions that this processor runs.
struct Sliced {
    data: Spread,
    tweak: Spread,
    functions: Functions,
}

struct Spread {
    keys: [MaybeUninit<RoundKey>; MOST_KEYS],
    /// So many of them are there.
    count: usize,
}

impl Spread {
    #[inline(always)]
    fn new() -> Spread {
        Spread { keys: [const { MaybeUninit::uninit() }; MOST_KEYS], count: 0 }
    }

    /// # Safety
    /// The processor has the features that the functions need.
    #[inline(always)]
    unsafe fn put(&mut self, keys: &[Aligned], functions: Functions) {
        // SAFETY: this function's contract.
        unsafe { (functions.spread)(keys, &mut self.keys) };
        self.count = keys.len().min(MOST_KEYS);
    }

    fn keys(&self) -> &[RoundKey] {
        // SAFETY: `put` wrote so many.
        unsafe { core::slice::from_raw_parts(self.keys[..self.count].as_ptr().cast(), self.count) }
    }
}

impl Drop for Spread {
    fn drop(&mut self) {
        self.keys[..self.count].zeroize();
    }
}

/// Encrypts or decrypts a job.
///
/// # Safety
/// The processor has the features that the functions need.
#[inline(never)]
pub(crate) unsafe fn run(keys: &Keys, functions: Functions, direction: Direction, job: &Job<'_>) {
    let mut sliced = Sliced { data: Spread::new(), tweak: Spread::new(), functions };
    // SAFETY: this function's contract.
    unsafe {
        sliced.data.put(&keys.data[..=keys.rounds], functions);
        if !job.encrypted {
            sliced.tweak.put(&keys.tweak[..=keys.rounds], functions);
        }
    }
    blockwise::run(&sliced, direction, job);
}

/// Encrypts a sector number into a tweak.
///
/// # Safety
/// As [`run`].
#[inline(never)]
pub(crate) unsafe fn encrypt_number(keys: &Keys, functions: Functions, number: &mut Block) {
    let mut sliced = Sliced { data: Spread::new(), tweak: Spread::new(), functions };
    // SAFETY: this function's contract.
    unsafe { sliced.tweak.put(&keys.tweak[..=keys.rounds], functions) };
    blockwise::encrypt_number(&sliced, number);
}

impl BlockCipher for Sliced {
    fn width(&self) -> usize {
        self.functions.width
    }
    fn is_direct(&self) -> bool {
        true
    }
    fn encrypt_numbers(&self, numbers: &mut [Block]) {
        static NOTHING: [Block; 16] = [[0; 16]; 16];
        assert!(self.functions.width <= NOTHING.len());
        let place = Place { src: numbers.as_ptr().cast(), dst: numbers.as_mut_ptr().cast() };
        let passes = numbers.len() / self.functions.width;
        // SAFETY: who made this vouched for the features; a pass takes no more tweaks than there are zeros.
        unsafe { (self.functions.encrypt)(self.tweak.keys(), place, NOTHING.as_ptr(), true, passes) }
    }
    unsafe fn run(&self, direction: Direction, place: Place, tweaks: *const Block, blocks: usize) {
        let shell = match direction {
            Direction::Encrypt => self.functions.encrypt,
            Direction::Decrypt => self.functions.decrypt,
        };
        // SAFETY: as above, and this function's contract.
        unsafe { shell(self.data.keys(), place, tweaks, false, blocks / self.functions.width) }
    }
}
