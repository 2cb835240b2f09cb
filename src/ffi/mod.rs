//! The C ABI: `include/atrest.h`.
//!
//! No panic crosses into C: `status.rs` has the one boundary. Pointers become references in `pointer.rs` alone.
#![allow(unsafe_code)]

mod iov;
mod pointer;
mod status;
mod xts;

pub use iov::{atrest_xts_decrypt_iov, atrest_xts_encrypt_iov, iovec};
pub use status::{StatusValue, atrest_status, atrest_status_message};
pub use xts::{
    atrest_backend_name, atrest_version, atrest_xts, atrest_xts_decrypt_sectors, atrest_xts_decrypt_unit,
    atrest_xts_encrypt_sectors, atrest_xts_encrypt_unit, atrest_xts_free, atrest_xts_new,
    atrest_xts_new_allowing_equal_halves, atrest_xts_new_with_backend,
};
