//! Bits as formal sums over GF(2), which is all the algebra that the proofs need.
//!
//! A [`Bit`] is a sum (exclusive or) of *base bits* and perhaps of the constant 1. Base bits are those of keys, tweaks,
//! data and uninitialised memory ([`base`]), and those of what comes out of an S-box ([`byte_function`]): the same eight
//! for the same input, others for another one. An S-box is left uninterpreted by that. If two bits are the same sum, then
//! they are equal for every key, every tweak and all data, whatever function of a byte the S-box is. The reverse need not
//! hold, so that what is not proved may be true all the same; what is proved is true.
//!
//! Usually a sum is represented by its image under a random linear map into GF(2)^128: a base bit by 128 random bits, a
//! sum by their exclusive or. Different sums have the same image with a probability of 2^-128. The values of base bits
//! come from AES with random round keys, and the input of an S-box goes through two random NH hashes first; docs/proof.md
//! adds up what all of that leaves. All randomness is drawn when the program starts, after the code under proof was fixed.
//!
//! With the feature `exact` a sum is the set of its base bits, each set is stored once, and nothing is left to chance.

#[cfg(feature = "exact")]
pub use exact::*;
#[cfg(not(feature = "exact"))]
pub use image::*;

use std::ops::{BitXor, Not};

/// What base bits stand for. The same kind, index and place give the same bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// What nobody knows: uninitialised memory and registers, and sums that are not linear.
    Unknown = 1,
    /// The bytes of a key.
    Key,
    /// A tweak.
    Tweak,
    /// Source data.
    Data,
    /// A sector's number.
    Number,
    /// An address.
    Address,
    /// Other source data, to see what depends on it.
    OtherData,
    /// The bit that blinds registers.
    Blind,
    /// What the stack holds before a call.
    Stack,
    /// What lies in the destination before a call.
    Before,
}

/// Which function of a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Function {
    /// SubBytes.
    Sub = 1,
    /// Its inverse.
    InverseSub,
}

/// Something is not a sum of base bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotLinear;

impl BitXor for Bit {
    type Output = Bit;
    #[inline(always)]
    fn bitxor(self, other: Bit) -> Bit {
        self.sum(other)
    }
}

impl Not for Bit {
    type Output = Bit;
    #[inline(always)]
    fn not(self) -> Bit {
        self ^ Bit::ONE
    }
}

impl From<bool> for Bit {
    #[inline(always)]
    fn from(bit: bool) -> Bit {
        if bit { Bit::ONE } else { Bit::ZERO }
    }
}

impl Bit {
    /// The product, where that is linear: one is known, or they are equal, or each other's complement.
    pub fn and(self, other: Bit) -> Result<Bit, NotLinear> {
        match (self.known(), other.known()) {
            (Some(false), _) | (_, Some(false)) => Ok(Bit::ZERO),
            (Some(true), _) => Ok(other),
            (_, Some(true)) => Ok(self),
            _ if self == other => Ok(self),
            _ if self == !other => Ok(Bit::ZERO),
            _ => Err(NotLinear),
        }
    }

    /// Either, where that is linear.
    pub fn or(self, other: Bit) -> Result<Bit, NotLinear> {
        Ok(self.and(other)? ^ self ^ other)
    }

    /// What two of three are, where that is linear: the carry of an addition.
    pub fn majority(a: Bit, b: Bit, c: Bit) -> Result<Bit, NotLinear> {
        if a == b || a == c {
            return Ok(a);
        }
        if b == c {
            return Ok(b);
        }
        for (x, y, z) in [(a, b, c), (b, a, c), (c, a, b)] {
            match x.known() {
                Some(false) => return y.and(z),
                Some(true) => return y.or(z),
                None => {}
            }
        }
        Err(NotLinear)
    }
}

/// Adds numbers of the same length, least significant bits first, and a carry. Gives the carry out, or that this alone is
/// not linear; an error, where the sum is not.
pub fn add(a: &[Bit], b: &[Bit], carry: Bit, sum: &mut [Bit]) -> Result<Result<Bit, NotLinear>, NotLinear> {
    let mut carry = Ok(carry);
    for i in 0..sum.len() {
        let now = carry?;
        sum[i] = a[i] ^ b[i] ^ now;
        carry = Bit::majority(a[i], b[i], now);
    }
    Ok(carry)
}

/// A number times a known one, as long as the first.
pub fn multiply(a: &[Bit], k: u64, product: &mut [Bit]) -> Result<(), NotLinear> {
    let (mut shifted, mut sum) = (vec![Bit::ZERO; a.len()], vec![Bit::ZERO; a.len()]);
    for place in (0..a.len().min(64)).filter(|place| k >> place & 1 != 0) {
        shifted[..place].fill(Bit::ZERO);
        shifted[place..].copy_from_slice(&a[..a.len() - place]);
        let before = sum.clone();
        // The carry out is lost, known or not.
        let _ = add(&before, &shifted, Bit::ZERO, &mut sum)?;
    }
    product.copy_from_slice(&sum);
    Ok(())
}

/// Sums as their images under a random linear map.
#[cfg(not(feature = "exact"))]
mod image {
    use std::{fs::File, io::Read, sync::LazyLock};

    use super::{Function, Kind};
    use crate::sbox::{TABLES, double};

    /// A sum of base bits.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Bit(u128);

    impl Bit {
        /// Always 0.
        pub const ZERO: Bit = Bit(0);
        /// Always 1. Its image may be anything but 0, since those of the base bits are random.
        pub const ONE: Bit = Bit(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834);

        #[inline(always)]
        pub(super) fn sum(self, other: Bit) -> Bit {
            Bit(self.0 ^ other.0)
        }

        /// Its value, if that is always the same.
        #[inline(always)]
        pub fn known(self) -> Option<bool> {
            match self {
                Bit::ZERO => Some(false),
                Bit::ONE => Some(true),
                _ => None,
            }
        }
    }

    /// AES-128 with round keys that are all random. Several blocks at once take hardly longer than one.
    struct Permutation([u128; 11]);

    impl Permutation {
        #[inline(always)]
        fn apply(&self, blocks: &mut [u128]) {
            #[cfg(target_arch = "x86_64")]
            if RANDOM.wide && blocks.len() >= 4 {
                // SAFETY: the processor has AVX-512 and VAES.
                unsafe { self.on_wide_hardware(blocks) }
                return;
            }
            #[cfg(target_arch = "x86_64")]
            if RANDOM.hardware {
                // SAFETY: the processor has AES instructions.
                unsafe { self.on_hardware(blocks) }
                return;
            }
            self.in_software(blocks);
        }

        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "aes,sse2")]
        fn on_hardware(&self, blocks: &mut [u128]) {
            use std::arch::x86_64::{__m128i, _mm_aesenc_si128, _mm_aesenclast_si128, _mm_xor_si128};
            // SAFETY: both are 128 bits, and any are good.
            let keys = unsafe { std::mem::transmute::<[u128; 11], [__m128i; 11]>(self.0) };
            let (eights, rest) = blocks.as_chunks_mut::<8>();
            for eight in eights {
                // SAFETY: as above.
                let mut state = unsafe { std::mem::transmute::<[u128; 8], [__m128i; 8]>(*eight) };
                for x in &mut state {
                    *x = _mm_xor_si128(*x, keys[0]);
                }
                for key in &keys[1..10] {
                    for x in &mut state {
                        *x = _mm_aesenc_si128(*x, *key);
                    }
                }
                for x in &mut state {
                    *x = _mm_aesenclast_si128(*x, keys[10]);
                }
                // SAFETY: as above.
                *eight = unsafe { std::mem::transmute::<[__m128i; 8], [u128; 8]>(state) };
            }
            for block in rest {
                // SAFETY: as above.
                let mut x = _mm_xor_si128(unsafe { std::mem::transmute::<u128, __m128i>(*block) }, keys[0]);
                for key in &keys[1..10] {
                    x = _mm_aesenc_si128(x, *key);
                }
                // SAFETY: as above.
                *block = unsafe { std::mem::transmute::<__m128i, u128>(_mm_aesenclast_si128(x, keys[10])) };
            }
        }

        /// Sixteen blocks at once, then four.
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "vaes,avx512f,aes,sse2")]
        fn on_wide_hardware(&self, blocks: &mut [u128]) {
            let (sixteens, rest) = blocks.as_chunks_mut::<16>();
            for sixteen in sixteens {
                // SAFETY: both are 256 bytes, and any are good.
                self.rounds(unsafe { &mut *std::ptr::from_mut(sixteen).cast::<[[u128; 4]; 4]>() });
            }
            let (fours, rest) = rest.as_chunks_mut::<4>();
            for four in fours {
                self.rounds(std::array::from_mut(four));
            }
            self.on_hardware(rest);
        }

        #[cfg(target_arch = "x86_64")]
        #[inline]
        #[target_feature(enable = "vaes,avx512f")]
        fn rounds<const N: usize>(&self, blocks: &mut [[u128; 4]; N]) {
            use std::arch::x86_64::{
                __m128i, _mm512_aesenc_epi128, _mm512_aesenclast_epi128, _mm512_broadcast_i32x4,
                _mm512_loadu_si512, _mm512_setzero_si512, _mm512_storeu_si512, _mm512_xor_si512,
            };
            // SAFETY: both are 128 bits, and any are good.
            let key = |i: usize| unsafe { std::mem::transmute::<u128, __m128i>(self.0[i]) };
            let mut state = [_mm512_setzero_si512(); N];
            for i in 0..N {
                // SAFETY: a reference to 64 bytes.
                let block = unsafe { _mm512_loadu_si512(blocks[i].as_ptr().cast()) };
                state[i] = _mm512_xor_si512(block, _mm512_broadcast_i32x4(key(0)));
            }
            for round in 1..10 {
                for x in &mut state {
                    *x = _mm512_aesenc_epi128(*x, _mm512_broadcast_i32x4(key(round)));
                }
            }
            for i in 0..N {
                let last = _mm512_aesenclast_epi128(state[i], _mm512_broadcast_i32x4(key(10)));
                // SAFETY: a reference to 64 bytes.
                unsafe { _mm512_storeu_si512(blocks[i].as_mut_ptr().cast(), last) };
            }
        }

        fn in_software(&self, blocks: &mut [u128]) {
            for block in blocks {
                let mut state = (*block ^ self.0[0]).to_le_bytes();
                for (round, key) in self.0.iter().enumerate().skip(1) {
                    // SubBytes and ShiftRows, then MixColumns.
                    state = std::array::from_fn(|i| TABLES.sub[usize::from(state[(i + 4 * (i % 4)) % 16])]);
                    if round < 10 {
                        let s = state;
                        state = std::array::from_fn(|i| {
                            let row = |r: usize| s[i / 4 * 4 + (i + r) % 4];
                            double(row(0) ^ row(1)) ^ row(1) ^ row(2) ^ row(3)
                        });
                    }
                    state = (u128::from_le_bytes(state) ^ key).to_le_bytes();
                }
                *block = u128::from_le_bytes(state);
            }
        }
    }

    /// Everything random of a run.
    struct Random {
        nh: [[u64; 16]; 2],
        base: Permutation,
        function: [Permutation; 3],
        #[cfg(target_arch = "x86_64")]
        hardware: bool,
        #[cfg(target_arch = "x86_64")]
        wide: bool,
    }

    static RANDOM: LazyLock<Random> = LazyLock::new(|| {
        let mut source = File::open("/dev/urandom").expect("a source of random bytes");
        let mut word = || {
            let mut bytes = [0; 16];
            source.read_exact(&mut bytes).expect("random bytes");
            u128::from_le_bytes(bytes)
        };
        Random {
            nh: [(); 2].map(|()| [(); 16].map(|()| word() as u64)),
            base: Permutation([(); 11].map(|()| word())),
            function: [(); 3].map(|()| Permutation([(); 11].map(|()| word()))),
            #[cfg(target_arch = "x86_64")]
            hardware: std::arch::is_x86_feature_detected!("aes"),
            #[cfg(target_arch = "x86_64")]
            wide: std::arch::is_x86_feature_detected!("vaes")
                && std::arch::is_x86_feature_detected!("avx512f")
                && std::arch::is_x86_feature_detected!("aes"),
        }
    });

    /// The base bits of a kind and an index, from the first on.
    pub fn base(kind: Kind, index: u64, out: &mut [Bit]) {
        let input = |place: usize| u128::from(index) << 64 | (place as u128) << 8 | kind as u128;
        for (i, chunk) in out.chunks_mut(64).enumerate() {
            let mut values = [0; 64];
            let values = &mut values[..chunk.len()];
            for (j, value) in values.iter_mut().enumerate() {
                *value = input(64 * i + j);
            }
            RANDOM.base.apply(values);
            for (bit, value) in chunk.iter_mut().zip(values) {
                *bit = Bit(*value);
            }
        }
    }

    /// Two hashes of a byte.
    fn hashes(input: &[Bit]) -> [u128; 2] {
        let mut hashes = [0u128; 2];
        for (hash, keys) in hashes.iter_mut().zip(&RANDOM.nh) {
            for (bit, keys) in input.iter().zip(keys.as_chunks::<2>().0) {
                let low = (bit.0 as u64).wrapping_add(keys[0]);
                let high = ((bit.0 >> 64) as u64).wrapping_add(keys[1]);
                *hash = hash.wrapping_add(u128::from(low) * u128::from(high));
            }
        }
        hashes
    }

    /// An uninterpreted function of a byte.
    pub fn byte_function(which: Function, input: &[Bit; 8]) -> [Bit; 8] {
        functions::<1>(which, input)[0].map(Bit)
    }

    /// The same for the bytes of a block.
    pub fn block_function(which: Function, input: &[Bit; 128]) -> [Bit; 128] {
        let values = functions::<16>(which, input);
        let values = values.as_flattened();
        std::array::from_fn(|i| Bit(values[i]))
    }

    // Many at once: each waits for AES twice.
    #[inline(always)]
    fn functions<const N: usize>(which: Function, input: &[Bit]) -> [[u128; 8]; N] {
        let (mut chain, mut second) = ([0; N], [0; N]);
        for (i, byte) in input.chunks(8).enumerate() {
            [chain[i], second[i]] = hashes(byte);
        }
        RANDOM.function[0].apply(&mut chain);
        for (chain, second) in chain.iter_mut().zip(second) {
            *chain ^= second;
        }
        RANDOM.function[1].apply(&mut chain);
        let mut values =
            chain.map(|chain| std::array::from_fn(|i| chain ^ (i as u128 | (which as u128) << 8)));
        RANDOM.function[2].apply(values.as_flattened_mut());
        values
    }

    /// Whether they are the same bits.
    pub fn same(a: &[Bit], b: &[Bit]) -> bool {
        // Without a branch for each bit.
        let different = |(a, b): (&[Bit], &[Bit])| a.iter().zip(b).fold(0, |all, (a, b)| all | (a.0 ^ b.0));
        a.len() == b.len() && a.chunks(32).zip(b.chunks(32)).all(|chunks| different(chunks) == 0)
    }

    /// Whether memory is short: never.
    pub fn is_full() -> bool {
        false
    }

    /// Forgets all sums. All bits of before are void.
    pub fn forget() {}

    #[cfg(test)]
    mod tests {
        use super::*;

        /// Where the processor has no AES instructions, nothing else happens.
        #[test]
        fn software_is_hardware() {
            let mut blocks = std::array::from_fn::<u128, 23, _>(|i| (i as u128).wrapping_mul(!0 / 7));
            let mut same = blocks;
            RANDOM.base.apply(&mut blocks);
            RANDOM.base.in_software(&mut same);
            assert_eq!(blocks, same);
            let mut few = [5, 6, 7];
            let mut same = few;
            RANDOM.base.apply(&mut few);
            RANDOM.base.in_software(&mut same);
            assert_eq!(few, same);
        }
    }
}

/// Sums as interned sets.
#[cfg(feature = "exact")]
mod exact {
    use std::{cell::RefCell, cmp::Ordering, collections::HashMap, rc::Rc};

    use super::{Function, Kind};

    /// A sum of base bits: the place of its set. Good on the thread that made it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Bit(u32);

    /// Sums from which on [`is_full`] says so.
    const MANY: usize = 1_500_000;

    struct World {
        sets: Vec<Rc<[u32]>>,
        places: HashMap<Rc<[u32]>, u32>,
        sums: HashMap<(u32, u32), u32>,
        functions: HashMap<(Function, [Bit; 8]), [Bit; 8]>,
        named: HashMap<(Kind, u64, usize), Bit>,
        bases: u32,
    }

    thread_local!(static WORLD: RefCell<World> = RefCell::new(World::new()));

    impl World {
        fn new() -> World {
            let mut world = World {
                sets: Vec::new(),
                places: HashMap::new(),
                sums: HashMap::new(),
                functions: HashMap::new(),
                named: HashMap::new(),
                bases: 1,
            };
            assert_eq!((world.intern(Rc::from([])), world.intern(Rc::from([0]))), (0, 1));
            world
        }

        fn intern(&mut self, set: Rc<[u32]>) -> u32 {
            *self.places.entry(set).or_insert_with_key(|set| {
                self.sets.push(set.clone());
                u32::try_from(self.sets.len() - 1).expect("fewer sets")
            })
        }

        fn new_base(&mut self) -> Bit {
            self.bases += 1;
            Bit(self.intern(Rc::from([self.bases - 1])))
        }

        fn sum(&mut self, a: u32, b: u32) -> u32 {
            let pair = (a.min(b), a.max(b));
            if let Some(&sum) = self.sums.get(&pair) {
                return sum;
            }
            let (x, y) = (self.sets[a as usize].clone(), self.sets[b as usize].clone());
            let (mut i, mut j, mut both) = (0, 0, Vec::with_capacity(x.len() + y.len()));
            while i < x.len() && j < y.len() {
                match x[i].cmp(&y[j]) {
                    Ordering::Less => both.push(x[i]),
                    Ordering::Greater => both.push(y[j]),
                    Ordering::Equal => {}
                }
                (i, j) = (i + usize::from(x[i] <= y[j]), j + usize::from(y[j] <= x[i]));
            }
            both.extend_from_slice(&x[i..]);
            both.extend_from_slice(&y[j..]);
            let sum = self.intern(Rc::from(both));
            self.sums.insert(pair, sum);
            sum
        }
    }

    impl Bit {
        /// Always 0.
        pub const ZERO: Bit = Bit(0);
        /// Always 1.
        pub const ONE: Bit = Bit(1);

        pub(super) fn sum(self, other: Bit) -> Bit {
            match (self, other) {
                (Bit::ZERO, x) | (x, Bit::ZERO) => x,
                (x, y) if x == y => Bit::ZERO,
                _ => WORLD.with_borrow_mut(|world| Bit(world.sum(self.0, other.0))),
            }
        }

        /// Its value, if that is always the same.
        pub fn known(self) -> Option<bool> {
            match self {
                Bit::ZERO => Some(false),
                Bit::ONE => Some(true),
                _ => None,
            }
        }
    }

    /// The base bits of a kind and an index, from the first on.
    pub fn base(kind: Kind, index: u64, out: &mut [Bit]) {
        WORLD.with_borrow_mut(|world| {
            for (place, bit) in out.iter_mut().enumerate() {
                *bit = match world.named.get(&(kind, index, place)) {
                    Some(&known) => known,
                    None => {
                        let new = world.new_base();
                        world.named.insert((kind, index, place), new);
                        new
                    }
                };
            }
        });
    }

    /// An uninterpreted function of a byte.
    pub fn byte_function(which: Function, input: &[Bit; 8]) -> [Bit; 8] {
        WORLD.with_borrow_mut(|world| {
            if let Some(&output) = world.functions.get(&(which, *input)) {
                return output;
            }
            let output = [(); 8].map(|()| world.new_base());
            world.functions.insert((which, *input), output);
            output
        })
    }

    /// The same for the bytes of a block.
    pub fn block_function(which: Function, input: &[Bit; 128]) -> [Bit; 128] {
        let bytes: &[[Bit; 8]; 16] = input.as_chunks().0.try_into().expect("16 bytes");
        *bytes.map(|byte| byte_function(which, &byte)).as_flattened().as_array().expect("128 bits")
    }

    /// Whether they are the same bits.
    pub fn same(a: &[Bit], b: &[Bit]) -> bool {
        a == b
    }

    /// Whether memory is short, so that [`forget`] is due.
    pub fn is_full() -> bool {
        WORLD.with_borrow(|world| world.sets.len() > MANY)
    }

    /// Forgets all sums of this thread. All its bits of before are void.
    pub fn forget() {
        WORLD.set(World::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bits<const N: usize>(kind: Kind, index: u64) -> [Bit; N] {
        let mut out = [Bit::ZERO; N];
        base(kind, index, &mut out);
        out
    }

    fn number<const N: usize>(x: u64) -> [Bit; N] {
        std::array::from_fn(|i| Bit::from(x >> i & 1 != 0))
    }

    #[test]
    fn sums_are_a_vector_space() {
        let [a, b, c, d] = bits(Kind::Data, 0);
        assert_eq!(a ^ b ^ a, b);
        assert_eq!((a ^ b) ^ (c ^ d), d ^ (b ^ (a ^ c)));
        assert_eq!((a ^ a).known(), Some(false));
        assert_eq!((a ^ !a).known(), Some(true));
        assert_eq!((a ^ b).known(), None);
        assert_ne!(a, !a);
        assert_ne!(a ^ b, c ^ d);
    }

    #[test]
    fn sequences_are_the_same_bit_by_bit() {
        let bits: [Bit; 70] = bits(Kind::Data, 0);
        assert!(same(&bits, &bits) && same(&[], &[]) && !same(&bits, &bits[..69]));
        for i in 0..bits.len() {
            let mut other = bits;
            other[i] = !other[i];
            assert!(!same(&bits, &other), "bit {i}");
        }
    }

    #[test]
    fn base_bits_are_named_by_kind_index_and_place() {
        let all =
            [bits::<128>(Kind::Data, 0), bits(Kind::Data, 1), bits(Kind::Key, 0), bits(Kind::Tweak, 1 << 63)];
        assert_eq!(all[0], bits(Kind::Data, 0));
        assert_eq!(all[0][..5], bits::<5>(Kind::Data, 0));
        let different: std::collections::HashSet<Bit> = all.into_iter().flatten().collect();
        assert_eq!(different.len(), 512);
    }

    #[test]
    fn functions_of_a_byte_know_their_input_alone() {
        let x: [Bit; 8] = bits(Kind::Data, 7);
        let y = byte_function(Function::Sub, &x);
        assert_eq!(y, byte_function(Function::Sub, &x.map(|bit| bit ^ Bit::ZERO)));
        for i in 0..8 {
            let mut other = x;
            other[i] = !other[i];
            let z = byte_function(Function::Sub, &other);
            assert!((0..8).all(|j| !y.contains(&z[j]) && !y.contains(&!z[j])), "bit {i}");
        }
        let mut swapped = x;
        swapped.swap(0, 1);
        assert_ne!(y, byte_function(Function::Sub, &swapped));
        assert_ne!(y, byte_function(Function::InverseSub, &x));
        let block: [Bit; 128] = std::array::from_fn(|i| if i / 8 == 9 { x[i % 8] } else { !x[i % 8] });
        assert_eq!(block_function(Function::Sub, &block)[72..80], y);
    }

    #[test]
    fn products_are_taken_where_they_are_linear() {
        let [a, b] = bits(Kind::Data, 0);
        assert_eq!(a.and(Bit::ZERO), Ok(Bit::ZERO));
        assert_eq!(Bit::ONE.and(a), Ok(a));
        assert_eq!(a.and(a), Ok(a));
        assert_eq!(a.and(!a), Ok(Bit::ZERO));
        assert_eq!(a.and(b), Err(NotLinear));
        assert_eq!(a.or(Bit::ZERO), Ok(a));
        assert_eq!(a.or(Bit::ONE), Ok(Bit::ONE));
        assert_eq!(a.or(!a), Ok(Bit::ONE));
        assert_eq!(a.or(b), Err(NotLinear));
    }

    #[test]
    fn majorities() {
        let [a, b, c] = bits(Kind::Data, 0);
        for (x, y, z, want) in [
            (a, a, b, Ok(a)),
            (b, a, a, Ok(a)),
            (a, b, a, Ok(a)),
            (a, !a, b, Err(NotLinear)),
            (a, Bit::ZERO, Bit::ONE, Ok(a)),
            (a, Bit::ZERO, b, Err(NotLinear)),
            (a, !a, Bit::ZERO, Ok(Bit::ZERO)),
            (a, !a, Bit::ONE, Ok(Bit::ONE)),
            (a, b, c, Err(NotLinear)),
        ] {
            assert_eq!(Bit::majority(x, y, z), want);
        }
    }

    #[test]
    fn sums_of_known_numbers() {
        for (a, b, carry) in
            [(3, 5, false), (0xffff, 1, false), (0x8000, 0x8000, true), (0x1234, 0xfedc, true)]
        {
            let mut sum = [Bit::ZERO; 16];
            let out = add(&number::<16>(a), &number::<16>(b), carry.into(), &mut sum).unwrap().unwrap();
            let want = a + b + u64::from(carry);
            assert_eq!((sum, out), (number(want), Bit::from(want >> 16 != 0)));
        }
    }

    #[test]
    fn sums_of_unknown_numbers_are_taken_where_they_are_linear() {
        let a: [Bit; 8] = bits(Kind::Data, 0);
        let mut sum = [Bit::ZERO; 8];
        // Twice is a shift.
        let carry = add(&a, &a, Bit::ZERO, &mut sum).unwrap().unwrap();
        assert_eq!((sum[0], &sum[1..], carry), (Bit::ZERO, &a[..7], a[7]));
        // With its complement and 1: 0, and a carry.
        assert_eq!(add(&a, &a.map(|bit| !bit), Bit::ONE, &mut sum), Ok(Ok(Bit::ONE)));
        assert_eq!(sum, number(0));
        // Where nothing meets, nothing is carried.
        let low: [Bit; 8] = std::array::from_fn(|i| if i < 4 { a[i] } else { Bit::ZERO });
        let high: [Bit; 8] = std::array::from_fn(|i| if i < 4 { Bit::ZERO } else { a[i] });
        assert_eq!(add(&low, &high, Bit::ZERO, &mut sum), Ok(Ok(Bit::ZERO)));
        assert_eq!(sum, a);
        // Only the carry out is not linear.
        assert_eq!(add(&[a[0]], &[a[1]], Bit::ZERO, &mut sum[..1]), Ok(Err(NotLinear)));
        assert_eq!(add(&a, &bits::<8>(Kind::Data, 1), Bit::ZERO, &mut sum), Err(NotLinear));
    }

    #[test]
    fn products_with_known_numbers() {
        let mut product = [Bit::ZERO; 16];
        multiply(&number::<16>(123), 45, &mut product).unwrap();
        assert_eq!(product, number(123 * 45));
        let a: [Bit; 16] = bits(Kind::Data, 0);
        multiply(&a, 8, &mut product).unwrap();
        assert_eq!((&product[..3], &product[3..]), (&[Bit::ZERO; 3][..], &a[..13]));
        assert_eq!(multiply(&a, 3, &mut product), Err(NotLinear));
    }
}
