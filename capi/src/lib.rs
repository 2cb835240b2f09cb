//! The C ABI: `include/atrest.h`.
//!
//! No panic crosses into C: `status.rs` has the one boundary. Pointers become references in `pointer.rs` alone.
//! The modules stand in the order in which the header shows them: keys, data, pieces of data, tweaks and lists of them, information;
//! then providers, volumes and envelopes.
#![allow(unsafe_code)]

mod pointer;

mod status;

mod key;

mod place;

mod xts;

mod iov;

mod tweaks;

mod sequence;

mod list;

mod info;

#[cfg(feature = "volume")]
mod failure;
#[cfg(feature = "volume")]
mod fork;
#[cfg(feature = "volume")]
mod object;

#[cfg(feature = "volume")]
mod providers;

#[cfg(feature = "volume")]
mod cache;

#[cfg(feature = "volume")]
mod volume;

#[cfg(feature = "volume")]
mod envelope;

#[cfg(feature = "volume")]
pub use cache::{atrest_providers_clear_cache, atrest_providers_set_cache};
#[cfg(feature = "volume")]
pub use envelope::{
    atrest_envelope, atrest_envelope_create, atrest_envelope_free, atrest_envelope_json, atrest_envelope_key,
    atrest_envelope_parse, atrest_envelope_rewrap, atrest_envelope_unwrap, atrest_envelope_unwrap_key,
    atrest_envelope_uuid,
};
pub use info::{
    ATREST_VERSION_MAJOR, ATREST_VERSION_MINOR, ATREST_VERSION_PATCH, atrest_backend_name, atrest_selftest,
    atrest_usable_backend, atrest_version, atrest_version_number,
};
pub use iov::{atrest_xts_decrypt_iov, atrest_xts_encrypt_iov, iovec};
pub use key::{
    atrest_xts, atrest_xts_free, atrest_xts_new, atrest_xts_new_allowing_equal_halves,
    atrest_xts_new_from_halves, atrest_xts_new_with_backend,
};
pub use list::{
    atrest_xts_decrypt_iov_list, atrest_xts_decrypt_sectors_list, atrest_xts_encrypt_iov_list,
    atrest_xts_encrypt_sectors_list,
};
pub use place::{
    ATREST_XTS_ALLOW_EQUAL_HALVES, atrest_xts_alignment, atrest_xts_deinit, atrest_xts_init,
    atrest_xts_init_from_halves, atrest_xts_size,
};
#[cfg(all(feature = "volume", feature = "aws"))]
pub use providers::atrest_providers_add_aws;
#[cfg(feature = "volume")]
pub use providers::{
    atrest_local_create_key, atrest_providers, atrest_providers_add_local, atrest_providers_free,
    atrest_providers_new,
};
pub use sequence::{
    ATREST_SEQUENCE_BIG_ENDIAN, ATREST_SEQUENCE_IN_512, ATREST_SEQUENCE_WRAPS, atrest_tweak_sequence,
    atrest_xts_decrypt_iov_sequence, atrest_xts_decrypt_sectors_sequence, atrest_xts_encrypt_iov_sequence,
    atrest_xts_encrypt_sectors_sequence,
};
pub use status::{StatusValue, atrest_status, atrest_status_message};
pub use tweaks::{
    LayoutValue, atrest_layout, atrest_tweaks, atrest_xts_decrypt_iov_tweaks,
    atrest_xts_decrypt_sectors_tweaks, atrest_xts_encrypt_iov_tweaks, atrest_xts_encrypt_sectors_tweaks,
};
#[cfg(feature = "volume")]
pub use volume::{
    ATREST_FORCE, ATREST_VOLUME_DISCARD, ATREST_VOLUME_READ_ONLY, atrest_volume, atrest_volume_add_slot,
    atrest_volume_backup_header, atrest_volume_check_lease, atrest_volume_close, atrest_volume_create,
    atrest_volume_create_fd, atrest_volume_create_scratch, atrest_volume_destroy, atrest_volume_discard,
    atrest_volume_envelope, atrest_volume_flush, atrest_volume_open, atrest_volume_open_fd,
    atrest_volume_read, atrest_volume_recheck, atrest_volume_remove_slot, atrest_volume_restore_header,
    atrest_volume_rewrap, atrest_volume_rewrap_fd, atrest_volume_sector_size, atrest_volume_size,
    atrest_volume_uuid, atrest_volume_write, atrest_volume_write_zeros,
};
pub use xts::{
    atrest_xts_decrypt_sectors, atrest_xts_decrypt_unit, atrest_xts_encrypt_sectors, atrest_xts_encrypt_unit,
};
