//! LUKS2 headers as bytes: parsed, checked, authenticated and encoded. No file, and no key service.
//!
//! [`Header::parse`] takes the bytes from the beginning of a storage, as many as [`Header::length`] says;
//! [`Header::encode`] makes those of each copy. [`volume`](crate::volume) reads them from storage and writes them there,
//! and has the keys.
//!
//! ```
//! use atrest::luks2::{Header, ParseError};
//!
//! assert!(matches!(Header::parse(&[0; 65536]), Err(ParseError::NotLuks)));
//! assert!(matches!(Header::parse(b"LUKS"), Err(ParseError::TooShort { length: 4 })));
//! ```
//!
//! # A header on the disk
//! Two copies, one behind the other, of 16 KiB to 4 MiB each: 4096 bytes in binary (`copy.rs`), then JSON
//! (`metadata.rs`). LUKS2 itself authenticates nothing in it. A [`Token`] of type "atrest" does: it carries an envelope with
//! the wrapped key, which here is text that means nothing, and an authentication code over everything that decides how
//! data is decrypted.
//!
//! *LUKS2 On-Disk Format Specification*, version 1.1.1, <https://gitlab.com/cryptsetup/LUKS2-docs>.

mod copy;
mod digest;
mod error;
mod header;
mod json;
mod layout;
mod metadata;
mod policy;
mod token;

pub use error::{
    HeaderFault, HeaderFull, NotSupported, ParseError, PutTokenError, TokenError, VolumeKeyError, Warning,
};
pub(crate) use header::NewHeader;
pub use header::{Fill, Header, Revision};
pub use layout::HeaderCopy;
pub use metadata::{Digest, Keyslot, Segment, SegmentCipher, TokenSummary};
pub use token::{Covered, Token};

pub(crate) use copy::peek_uuid;
pub(crate) use json::{decimal, escaped};
pub(crate) use layout::{BINARY_SIZE, LABEL_SIZE, SIZES};
