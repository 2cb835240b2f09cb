//! One AES-XTS loop, instantiated for each instruction set; the only place with SIMD.
//!
//! [`table`] lists the backends. [`cipher`] is a key expanded for one of them, and takes a [`Job`] there. The files of
//! [`x86_64`] and [`aarch64`] are a backend each: its vector, its key expansion where it has one, and its shells, the
//! functions that carry the processor features. Into them the whole loop is inlined: that of [`aes`] where there are AES
//! instructions, that of [`sliced`] where there are none. [`soft`] is for every other processor.
//!
//! Callers check lengths before they make a [`Job`]; nothing here can fail. Nothing here knows of the rest of `xts`.
//!
//! # Words
//! Those of the field (data unit, sector, tweak, stealing) stand as the standards have them. Beside them:
//!
//! - *number*: a sector's number as a block; encrypted, it is the tweak of the sector's first block.
//! - *vector*: a register of one, two or four blocks.
//! - *group*: eight vectors, the AES units' work in flight; blockwise ciphers have *passes* instead.
//! - *tile*: the groups whose tweaks are made together, while the tile before is encrypted: one group, or two of 256-bit
//!   vectors; 512 bytes with `vaes256` and `vaes512`, 128 with the others.
//! - *row*: tiles that one run of assembler does, of one sector or of many. A key *in rows* takes them.
//! - *lap*: three tiles of a row on 256-bit vectors, which are four groups of twelve.
//! - *stream*: the whole vectors behind sectors' tiles, one after the other across the sectors' borders.
//! - *ends*: what is left of sectors behind tiles and vectors: up to three blocks, and the tail that stealing takes. They
//!   are gathered from many sectors; in rows *plane* by plane, all sectors' first blocks first.
//! - *shell*: a function that carries a backend's processor features.
//! - *piece*: a part of scattered memory, as of a `struct iovec`, cut anywhere. *Place*: where a sector comes from and goes
//!   to.
//! - *far*: said of data that is more than caches hold.
#![allow(unsafe_code)]
// What is there for backends that this build does not have is dead, and is not in what is built.
#![cfg_attr(any(omitted, not(hardware)), allow(dead_code, unused_imports, unused_macros))]

mod backend;
mod blocks;
mod blockwise;
mod cipher;
mod detect;
mod job;
mod pieces;
#[cfg(test)]
pub(crate) mod planted;
mod soft;
mod table;

#[cfg(all(hardware, target_arch = "aarch64"))]
mod aarch64;
#[cfg(hardware)]
mod aes;
#[cfg(feature = "unstable-limit")]
pub mod limit;
#[cfg(hardware)]
mod sliced;
#[cfg(all(hardware, target_arch = "x86_64"))]
mod x86_64;

pub(crate) use backend::Runnable;
pub use backend::{Backend, Schedule};
pub(crate) use cipher::Cipher;
pub(crate) use job::{ByteOrder, Job, Numbers, Sequence};
pub use job::{CounterWidth, Direction, MAX_UNIT_LEN, MIN_UNIT_LEN};
pub use pieces::Pieces;
pub(crate) use pieces::run_in_pieces;
