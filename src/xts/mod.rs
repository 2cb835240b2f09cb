//! XTS-AES (IEEE Std 1619): keys, tweaks, data units and batches of sectors.
//!
//! ```
//! use atrest::xts::Key;
//!
//! let mut key_bytes = [0u8; 64]; // key1, then key2: from a key management service, never a constant
//! key_bytes[..32].fill(1);
//! let key = Key::new(&key_bytes)?;
//!
//! let mut data = [7u8; 8 * 4096];
//! key.encrypt_sectors(100, 4096, &mut data)?; // eight sectors, numbers 100 to 107, in place
//! assert_ne!(data[..16], [7; 16]);
//! key.decrypt_sectors(100, 4096, &mut data)?;
//! assert_eq!(data, [7; 8 * 4096]);
//! # Ok::<(), atrest::xts::Error>(())
//! ```
//!
//! XTS keeps data confidential; it does not detect changes. Whoever can write the ciphertext can garble a 16-byte
//! block or put an older one back, unnoticed.

mod answers;
mod choice;
mod error;
mod key;
#[cfg(feature = "rayon")]
mod parallel;
mod sectors;
mod selftest;
mod simd;
mod tweak;
mod unit;
mod vectored;

pub use error::Error;
pub use key::{Key, KeyOptions};
pub use selftest::selftest;
/// Not part of the API: it may change or go in any version.
#[cfg(feature = "unstable-limit")]
#[doc(hidden)]
pub use simd::limit;
pub use simd::{Backend, CounterWidth, Direction, MAX_UNIT_LEN, MIN_UNIT_LEN, Pieces, Schedule};
pub use tweak::{TweakSource, Tweaks};
pub use vectored::{Piece, PieceMut};
