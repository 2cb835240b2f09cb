//! Encryption at rest for storage software: an AES-XTS kernel that runs as fast as the processor's AES units allow, and
//! volume keys that a key service wraps.
//!
//! | module | feature | what it is |
//! |---|---|---|
//! | [`xts`] | | XTS-AES (IEEE Std 1619) over data units and batches of sectors |
#![cfg_attr(feature = "keys", doc = "| [`keys`] | `keys` | a volume's root key, wrapped by key providers |")]
#![cfg_attr(feature = "volume", doc = "| [`volume`] | `volume` | encrypted volumes in LUKS2 containers |")]
//!
//! Each is useful alone and knows nothing of those below it in this table. Without the feature `std` (a default one) the
//! crate is `no_std`; it then still detects the processor's instructions, but reads no environment variable.
//!
//! XTS keeps data confidential; it does not detect changes.
#![cfg_attr(not(feature = "std"), no_std)]
// docs.rs marks what a feature brings.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

#[cfg(all(feature = "volume", not(unix)))]
compile_error!("the feature `volume` needs a Unix: positioned reads and writes, and file locks");

mod code;
#[cfg(feature = "std")]
pub mod environment;
#[cfg(feature = "keys")]
mod fork;
#[cfg(feature = "keys")]
pub mod keys;
#[cfg(feature = "volume")]
pub mod luks2;
#[cfg(feature = "keys")]
mod stack;
#[cfg(feature = "volume")]
pub mod storage;
#[cfg(feature = "keys")]
pub mod text;
#[cfg(feature = "volume")]
pub mod volume;
pub mod xts;

pub use code::Code;
#[cfg(feature = "keys")]
pub use fork::Process;

/// Not part of the API: it may change or go in any version.
#[cfg(feature = "unstable-limit")]
#[doc(hidden)]
pub use xts::limit;

/// The README's example compiles and runs with the tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
