//! The fallback for every processor: the `aes` crate's portable cipher, which is constant-time.
//!
//! That crate takes the processor's AES instructions where it finds them, unless it is built with
//! `--cfg aes_backend="soft"`, as this repository is: both are constant-time, the latter proves the bitsliced code.

use aes::{
    Aes128, Aes256,
    cipher::{
        Array, BlockCipherDecBackend, BlockCipherDecClosure, BlockCipherDecrypt, BlockCipherEncBackend,
        BlockCipherEncClosure, BlockCipherEncrypt, BlockSizeUser, KeyInit, consts::U16, typenum::Unsigned,
    },
};

use super::{
    blocks::Block,
    blockwise::{self, BlockCipher},
    job::{Direction, Job, Place},
};

/// Data key and tweak key; the `aes` crate wipes both on drop.
#[allow(clippy::large_enum_variant)] // as for `Cipher`
pub(crate) enum SoftKeys {
    Aes128(Pair<Aes128>),
    Aes256(Pair<Aes256>),
}

pub(crate) struct Pair<C> {
    data: C,
    tweak: C,
}

impl SoftKeys {
    /// With keys of zeros, 16 bytes each or 32.
    #[cold]
    pub(super) fn empty(long: bool) -> SoftKeys {
        if long {
            let [data, tweak] = [(); 2].map(|()| Aes256::new(&[0; 32].into()));
            SoftKeys::Aes256(Pair { data, tweak })
        } else {
            let [data, tweak] = [(); 2].map(|()| Aes128::new(&[0; 16].into()));
            SoftKeys::Aes128(Pair { data, tweak })
        }
    }

    /// Takes keys as long as `empty` was told.
    #[cold]
    pub(super) fn expand(&mut self, key1: &[u8], key2: &[u8]) {
        match self {
            SoftKeys::Aes128(Pair { data, tweak }) => {
                for (place, key) in [(data, key1), (tweak, key2)] {
                    if let Ok(cipher) = Aes128::new_from_slice(key) {
                        *place = cipher;
                    }
                }
            }
            SoftKeys::Aes256(Pair { data, tweak }) => {
                for (place, key) in [(data, key1), (tweak, key2)] {
                    if let Ok(cipher) = Aes256::new_from_slice(key) {
                        *place = cipher;
                    }
                }
            }
        }
    }

    fn cipher(&self) -> &dyn BlockCipher {
        match self {
            SoftKeys::Aes128(pair) => pair,
            SoftKeys::Aes256(pair) => pair,
        }
    }

    pub(super) fn encrypt_number(&self, number: &mut Block) {
        blockwise::encrypt_number(self.cipher(), number);
    }
}

/// Encrypts or decrypts a job. Out of line, so that the frames of other backends stay small.
#[inline(never)]
pub(super) fn run(keys: &SoftKeys, direction: Direction, job: &Job<'_>) {
    blockwise::run(keys.cipher(), direction, job);
}

/// What that cipher takes at once on 64-bit processors.
const WIDTH: usize = 4;

impl<C: BlockCipherEncrypt + BlockCipherDecrypt + BlockSizeUser<BlockSize = U16>> BlockCipher for Pair<C> {
    fn width(&self) -> usize {
        WIDTH
    }
    /// Plaintext and tweaks would lie in the destination.
    fn is_direct(&self) -> bool {
        false
    }
    fn encrypt_numbers(&self, numbers: &mut [Block]) {
        self.tweak.encrypt_with_backend(Blocks(aes::Block::cast_slice_from_core_mut(numbers)));
    }
    unsafe fn run(&self, direction: Direction, place: Place, tweaks: *const Block, blocks: usize) {
        debug_assert!(place.src == place.dst);
        // SAFETY: by the contract both are good for so many blocks, and nobody else uses them.
        let (data, tweaks) = unsafe {
            (
                core::slice::from_raw_parts_mut(place.dst.cast::<Block>(), blocks),
                core::slice::from_raw_parts(tweaks, blocks),
            )
        };
        add(data, tweaks);
        let blocks = Blocks(aes::Block::cast_slice_from_core_mut(data));
        match direction {
            Direction::Encrypt => self.data.encrypt_with_backend(blocks),
            Direction::Decrypt => self.data.decrypt_with_backend(blocks),
        }
        add(data, tweaks);
    }
}

#[inline(never)]
fn add(data: &mut [Block], tweaks: &[Block]) {
    for (block, tweak) in data.iter_mut().zip(tweaks) {
        *block = (u128::from_le_bytes(*block) ^ u128::from_le_bytes(*tweak)).to_le_bytes();
    }
}

/// A multiple of `WIDTH` blocks. The cipher's own calls have a form for single ones beside, which takes 12 KiB of code.
struct Blocks<'a>(&'a mut [aes::Block]);

impl BlockSizeUser for Blocks<'_> {
    type BlockSize = U16;
}

impl BlockCipherEncClosure for Blocks<'_> {
    #[inline(always)]
    fn call<B: BlockCipherEncBackend<BlockSize = U16>>(self, backend: &B) {
        let (groups, rest) = Array::<_, B::ParBlocksSize>::slice_as_chunks_mut(self.0);
        for group in groups {
            backend.encrypt_par_blocks_inplace(group);
        }
        if const { !WIDTH.is_multiple_of(B::ParBlocksSize::USIZE) } {
            for block in rest {
                backend.encrypt_block_inplace(block);
            }
        }
    }
}

impl BlockCipherDecClosure for Blocks<'_> {
    #[inline(always)]
    fn call<B: BlockCipherDecBackend<BlockSize = U16>>(self, backend: &B) {
        let (groups, rest) = Array::<_, B::ParBlocksSize>::slice_as_chunks_mut(self.0);
        for group in groups {
            backend.decrypt_par_blocks_inplace(group);
        }
        if const { !WIDTH.is_multiple_of(B::ParBlocksSize::USIZE) } {
            for block in rest {
                backend.decrypt_block_inplace(block);
            }
        }
    }
}
