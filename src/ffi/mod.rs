//! The C ABI: `include/atrest.h`.
//!
//! No panic crosses into C: `status.rs` has the one boundary. Pointers become references in `pointer.rs` alone.
#![allow(unsafe_code)]

#[cfg(feature = "volume")]
mod envelope;
#[cfg(feature = "volume")]
mod failure;
#[cfg(feature = "volume")]
mod fork;
mod iov;
#[cfg(feature = "volume")]
mod object;
mod pointer;
#[cfg(feature = "volume")]
mod providers;
mod status;
#[cfg(feature = "volume")]
mod volume;
mod xts;

#[cfg(feature = "volume")]
pub use envelope::{
    atrest_envelope, atrest_envelope_create, atrest_envelope_free, atrest_envelope_json,
    atrest_envelope_parse, atrest_envelope_unwrap, atrest_envelope_unwrap_key, atrest_envelope_uuid,
};
pub use iov::{atrest_xts_decrypt_iov, atrest_xts_encrypt_iov, iovec};
#[cfg(all(feature = "volume", feature = "kms"))]
pub use providers::atrest_providers_add_aws;
#[cfg(feature = "volume")]
pub use providers::{
    atrest_local_create_key, atrest_providers, atrest_providers_add_local, atrest_providers_free,
    atrest_providers_new,
};
pub use status::{StatusValue, atrest_status, atrest_status_message};
#[cfg(feature = "volume")]
pub use volume::{
    ATREST_VOLUME_DISCARD, ATREST_VOLUME_READ_ONLY, atrest_volume, atrest_volume_close, atrest_volume_create,
    atrest_volume_create_fd, atrest_volume_discard, atrest_volume_envelope, atrest_volume_flush,
    atrest_volume_open, atrest_volume_open_fd, atrest_volume_read, atrest_volume_rewrap,
    atrest_volume_rewrap_fd, atrest_volume_sector_size, atrest_volume_size, atrest_volume_uuid,
    atrest_volume_write, atrest_volume_write_zeros,
};
pub use xts::{
    atrest_backend_name, atrest_version, atrest_xts, atrest_xts_decrypt_sectors, atrest_xts_decrypt_unit,
    atrest_xts_encrypt_sectors, atrest_xts_encrypt_unit, atrest_xts_free, atrest_xts_new,
    atrest_xts_new_allowing_equal_halves, atrest_xts_new_with_backend,
};
