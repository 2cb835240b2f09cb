//! Encryption at rest for storage software.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]

mod backend;
#[cfg(feature = "envelope")]
pub mod envelope;
#[cfg(feature = "capi")]
pub mod ffi;
#[cfg(feature = "volume")]
pub mod volume;
pub mod xts;
