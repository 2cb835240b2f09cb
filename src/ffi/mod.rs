//! The C ABI: `include/atrest.h`.
//!
//! No panic crosses into C: `status.rs` has the one boundary. Pointers become references in `pointer.rs` alone.
//! The modules stand in the order in which the header shows them: keys, data, pieces of data, tweaks, information.
#![allow(unsafe_code)]

mod pointer;

mod status;

mod key;

mod place;

mod xts;

mod iov;

mod tweaks;

mod info;

pub use info::{
    ATREST_VERSION_MAJOR, ATREST_VERSION_MINOR, ATREST_VERSION_PATCH, atrest_backend_name, atrest_selftest,
    atrest_usable_backend, atrest_version, atrest_version_number,
};
pub use iov::{atrest_xts_decrypt_iov, atrest_xts_encrypt_iov, iovec};
pub use key::{
    atrest_xts, atrest_xts_free, atrest_xts_new, atrest_xts_new_allowing_equal_halves,
    atrest_xts_new_with_backend,
};
pub use place::{
    ATREST_XTS_ALLOW_EQUAL_HALVES, atrest_xts_alignment, atrest_xts_deinit, atrest_xts_init, atrest_xts_size,
};
pub use status::{StatusValue, atrest_status, atrest_status_message};
pub use tweaks::{
    LayoutValue, atrest_layout, atrest_tweaks, atrest_xts_decrypt_iov_tweaks,
    atrest_xts_decrypt_sectors_tweaks, atrest_xts_encrypt_iov_tweaks, atrest_xts_encrypt_sectors_tweaks,
};
pub use xts::{
    atrest_xts_decrypt_sectors, atrest_xts_decrypt_unit, atrest_xts_encrypt_sectors, atrest_xts_encrypt_unit,
};
