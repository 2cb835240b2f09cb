//! The fallback for every processor: the `aes` crate's portable cipher, which is constant-time.
//!
//! That crate takes the processor's AES instructions where it finds them, unless it is built with
//! `--cfg aes_backend="soft"`, as this repository is: both are constant-time, the latter proves the bitsliced code.

use aes::{
    Aes128, Aes256, Block,
    cipher::{BlockCipherDecrypt, BlockCipherEncrypt, KeyInit},
};
use zeroize::Zeroize;

use super::job::{Direction, Job, Place, double};

/// Blocks for one call of the cipher: enough for its widest form, small enough for the stack.
const BATCH: usize = 32;

/// Data key and tweak key; the `aes` crate wipes both on drop.
#[allow(clippy::large_enum_variant)] // as for `Cipher`
pub(crate) enum SoftKeys {
    Aes128 { data: Aes128, tweak: Aes128 },
    Aes256 { data: Aes256, tweak: Aes256 },
}

impl SoftKeys {
    /// With keys of zeros, 16 bytes each or 32.
    #[cold]
    pub(super) fn empty(long: bool) -> SoftKeys {
        if long {
            let [data, tweak] = [(); 2].map(|()| Aes256::new(&[0; 32].into()));
            SoftKeys::Aes256 { data, tweak }
        } else {
            let [data, tweak] = [(); 2].map(|()| Aes128::new(&[0; 16].into()));
            SoftKeys::Aes128 { data, tweak }
        }
    }

    /// Takes keys as long as `empty` was told.
    #[cold]
    pub(super) fn expand(&mut self, key1: &[u8], key2: &[u8]) {
        match self {
            SoftKeys::Aes128 { data, tweak } => {
                for (place, key) in [(data, key1), (tweak, key2)] {
                    if let Ok(cipher) = Aes128::new_from_slice(key) {
                        *place = cipher;
                    }
                }
            }
            SoftKeys::Aes256 { data, tweak } => {
                for (place, key) in [(data, key1), (tweak, key2)] {
                    if let Ok(cipher) = Aes256::new_from_slice(key) {
                        *place = cipher;
                    }
                }
            }
        }
    }

    pub(super) fn encrypt_number(&self, number: &mut [u8; 16]) {
        match self {
            SoftKeys::Aes128 { tweak, .. } => tweak.encrypt_block(number.into()),
            SoftKeys::Aes256 { tweak, .. } => tweak.encrypt_block(number.into()),
        }
    }

    pub(super) fn run(&self, direction: Direction, job: &Job<'_>) {
        match self {
            SoftKeys::Aes128 { data, tweak } => run(data, tweak, direction, job),
            SoftKeys::Aes256 { data, tweak } => run(data, tweak, direction, job),
        }
    }
}

fn run<
    C: BlockCipherEncrypt
        + BlockCipherDecrypt
        + aes::cipher::BlockSizeUser<BlockSize = aes::cipher::consts::U16>,
>(
    data: &C,
    tweak: &C,
    direction: Direction,
    job: &Job<'_>,
) {
    let mut numbers = job.tweaks;
    let mut tweaks = [Block::default(); BATCH];
    let mut scratch = [Block::default(); BATCH];
    let mut done = 0;
    while done < job.sectors {
        let batch = (job.sectors - done).min(BATCH);
        for tweak in &mut tweaks[..batch] {
            *tweak = numbers.number().into();
            numbers = numbers.skip(1);
        }
        if !job.encrypted {
            tweak.encrypt_blocks(&mut tweaks[..batch]);
        }
        for tweak in &tweaks[..batch] {
            let tweak = u128::from_le_bytes((*tweak).into());
            unit(data, direction, job.place(done), job.sector_size, tweak, &mut scratch);
            done += 1;
        }
    }
    // Tweaks and plaintext stay in the scratch otherwise.
    for block in tweaks.iter_mut().chain(&mut scratch) {
        block.as_mut_slice().zeroize();
    }
}

/// One data unit of `len` bytes.
fn unit<
    C: BlockCipherEncrypt
        + BlockCipherDecrypt
        + aes::cipher::BlockSizeUser<BlockSize = aes::cipher::consts::U16>,
>(
    cipher: &C,
    direction: Direction,
    place: Place,
    len: usize,
    mut tweak: u128,
    scratch: &mut [Block; BATCH],
) {
    let tail = len % 16;
    let mut bulk = len / 16;
    let mut at = 0;
    if tail != 0 && direction == Direction::Decrypt {
        bulk -= 1; // the last whole block and the tail swap tweaks
    }
    while bulk != 0 {
        let n = bulk.min(BATCH);
        let mut t = tweak;
        for (i, block) in scratch[..n].iter_mut().enumerate() {
            *block = (load(place, at + 16 * i) ^ t).to_le_bytes().into();
            t = double(t);
        }
        match direction {
            Direction::Encrypt => cipher.encrypt_blocks(&mut scratch[..n]),
            Direction::Decrypt => cipher.decrypt_blocks(&mut scratch[..n]),
        }
        for (i, block) in scratch[..n].iter().enumerate() {
            store(place, at + 16 * i, u128::from_le_bytes((*block).into()) ^ tweak);
            tweak = double(tweak);
        }
        at += 16 * n;
        bulk -= n;
    }
    if tail == 0 {
        return;
    }
    let mut one = |value: u128, tweak: u128| {
        scratch[0] = (value ^ tweak).to_le_bytes().into();
        match direction {
            Direction::Encrypt => cipher.encrypt_block(&mut scratch[0]),
            Direction::Decrypt => cipher.decrypt_block(&mut scratch[0]),
        }
        u128::from_le_bytes(scratch[0].into()) ^ tweak
    };
    // Ciphertext stealing (IEEE Std 1619-2007, 5.3.2 and 5.4.2): `whole` is the last whole block's output.
    let (whole, last_tweak) = match direction {
        Direction::Encrypt => {
            at -= 16;
            // SAFETY: `at + 16 <= len`, and the loop above wrote these bytes.
            (u128::from_le_bytes(unsafe { place.dst.add(at).cast::<[u8; 16]>().read_unaligned() }), tweak)
        }
        Direction::Decrypt => (one(load(place, at), double(tweak)), tweak),
    };
    let mut stolen = whole.to_le_bytes();
    let mut merged = stolen;
    // SAFETY: the `tail` bytes after `at + 16` end the unit; `merged` and `stolen` are locals of 16 > `tail` bytes. The
    // tail is read before it is written, so that `src == dst` is fine.
    unsafe {
        place.src.add(at + 16).copy_to_nonoverlapping(merged.as_mut_ptr(), tail);
        place.dst.add(at + 16).copy_from_nonoverlapping(stolen.as_ptr(), tail);
    }
    store(place, at, one(u128::from_le_bytes(merged), last_tweak));
    merged.zeroize();
    stolen.zeroize();
}

fn load(place: Place, at: usize) -> u128 {
    // SAFETY: the callers stay 16 bytes inside the unit, whose `src` is readable for all of it.
    u128::from_le_bytes(unsafe { place.src.add(at).cast::<[u8; 16]>().read_unaligned() })
}

fn store(place: Place, at: usize, value: u128) {
    // SAFETY: the callers stay 16 bytes inside the unit, whose `dst` is writable for all of it.
    unsafe { place.dst.add(at).cast::<[u8; 16]>().write_unaligned(value.to_le_bytes()) }
}
