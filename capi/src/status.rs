//! Statuses

use core::ffi::{CStr, c_char};

use atrest::{Code, xts};

/// The outcome of a call: ATREST_OK, which is 0, or one of the errors at the end of this header. Values never change their
/// meaning; later versions may add some, so a program must take a value that it does not know for an error.
//
// tests/header.rs makes the enumerators from `Code::ALL`. A number rather than an enum: what C passes may be any value,
// which a Rust enum must not hold, and the size depends on no compiler flag of the caller's (-fshort-enums).
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(non_camel_case_types)]
pub struct atrest_status(i32);

impl From<Code> for atrest_status {
    #[inline(always)]
    fn from(code: Code) -> atrest_status {
        atrest_status(code.number())
    }
}

impl PartialEq<Code> for atrest_status {
    fn eq(&self, code: &Code) -> bool {
        self.0 == code.number()
    }
}

impl From<xts::Error> for atrest_status {
    fn from(error: xts::Error) -> atrest_status {
        error.code().into()
    }
}

/// A sentence about a status, in English, without a full stop: a static string, never NULL, whatever the value.
#[unsafe(no_mangle)]
pub extern "C" fn atrest_status_message(status: atrest_status) -> *const c_char {
    status.text().as_ptr()
}

impl atrest_status {
    pub(crate) fn text(self) -> &'static CStr {
        Code::from_number(self.0).map_or(c"not a status of atrest", Code::text)
    }
}
