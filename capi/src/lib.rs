//! The C ABI: `include/atrest.h`, which tests/header.rs writes from these modules.
//!
//! The header shows the modules in this order, and of each its `//!` and its items as they stand there: what is read first
//! comes first. No panic crosses into C: `boundary.rs` has the one boundary. Pointers become references in `pointer.rs`
//! alone.
#![cfg_attr(not(any(feature = "std", test)), no_std)]
#![allow(unsafe_code)]

#[cfg(all(not(unix), not(feature = "std")))]
compile_error!(
    "without the feature `std` the C library takes memory and the environment from a POSIX C library"
);

mod boundary;
mod pointer;
#[cfg(not(feature = "std"))]
mod without_std;

// Apart, so that rustfmt keeps their order.
mod version;

mod status;

mod key;

mod sectors;

mod key_options;

mod iov;

mod tweaks;

mod backends;

#[cfg(feature = "volume")]
mod error;
#[cfg(feature = "volume")]
mod fork;
#[cfg(feature = "volume")]
mod handle;

#[cfg(feature = "volume")]
mod providers;

#[cfg(feature = "volume")]
mod cache;

#[cfg(feature = "volume")]
mod volume;

#[cfg(feature = "volume")]
mod sector_cipher;

#[cfg(feature = "volume")]
mod envelope;

// Whole modules, so that no call can be forgotten; what is not for C is `pub(crate)` there.
pub use {backends::*, iov::*, key::*, key_options::*, sectors::*, status::*, tweaks::*, version::*};
#[cfg(feature = "volume")]
pub use {cache::*, envelope::*, providers::*, sector_cipher::*, volume::*};
