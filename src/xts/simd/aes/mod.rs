//! The AES-XTS loop for processors with AES instructions, written once over the traits of [`vector`]: [`kernel`] is the
//! way in, [`sectors`] takes sectors of any size apart, [`tiles`] and [`unit`] do what is in them, and [`group`] is the
//! rounds. What goes in rows instead is in rows.rs.
//!
//! Everything here is inlined into a backend's shells, the functions that carry its processor features.

pub(super) mod group;
pub(super) mod kernel;
pub(super) mod keys;
#[cfg(target_arch = "x86_64")]
pub(super) mod rows;
pub(super) mod sectors;
#[cfg(target_arch = "x86_64")]
pub(super) mod tiles;
pub(super) mod unit;
pub(super) mod vector;
