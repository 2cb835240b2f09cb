//! AArch64: a file for each kind of processor.

pub(super) mod armv8;
#[cfg(backend = "neon")]
pub(super) mod neon;
