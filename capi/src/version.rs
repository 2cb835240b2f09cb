//! Version

use core::ffi::{CStr, c_char};

/// The version of this header. Before 1.0.0, docs/abi.md says what may change; from then on this number rises with what
/// breaks programs.
pub const ATREST_VERSION_MAJOR: u32 = 0;
/// This one rises with every call, type or status that is added.
pub const ATREST_VERSION_MINOR: u32 = 2;
/// And this one with all else.
pub const ATREST_VERSION_PATCH: u32 = 0;

/// The version of the library, which may be later than the header's: "MAJOR.MINOR.PATCH", a static string.
#[unsafe(no_mangle)]
pub extern "C" fn atrest_version() -> *const c_char {
    const VERSION: &CStr =
        match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
            Ok(version) => version,
            Err(_) => panic!("a version holds no NUL"),
        };
    VERSION.as_ptr()
}

/// The same as one number, MAJOR * 1000000 + MINOR * 1000 + PATCH: later versions have larger ones.
#[unsafe(no_mangle)]
pub extern "C" fn atrest_version_number() -> u32 {
    ATREST_VERSION_MAJOR * 1_000_000 + ATREST_VERSION_MINOR * 1000 + ATREST_VERSION_PATCH
}

#[cfg(test)]
mod tests {
    use super::*;

    /// cbindgen copies literals alone, so that the header's version cannot come from Cargo.toml by itself.
    #[test]
    fn versions_are_those_of_cargo_toml() {
        let numbers = [ATREST_VERSION_MAJOR, ATREST_VERSION_MINOR, ATREST_VERSION_PATCH];
        assert_eq!(numbers.map(|number| number.to_string()).join("."), env!("CARGO_PKG_VERSION"));
    }
}
