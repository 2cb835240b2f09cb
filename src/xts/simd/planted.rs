//! Backends that are made to compute wrongly, in a process of the tests.

use std::env;

use super::backend::Backend;

/// Names them, with spaces between.
pub(crate) const VARIABLE: &str = "ATREST_TEST_WRONG_BACKENDS";

/// The key that a backend takes for `key`: another one, if it is to compute wrongly. What it encrypts it then decrypts, as
/// an emulator's backend may that is wrong in both directions.
pub(super) fn taken_for(key: &[u8], backend: Backend) -> [u8; 32] {
    let mut taken = [0; 32];
    taken[..key.len()].copy_from_slice(key);
    let wrong = env::var(VARIABLE).unwrap_or_default();
    if wrong.split(' ').any(|name| name == backend.name()) {
        taken[0] ^= 1;
    }
    taken
}
