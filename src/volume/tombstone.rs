//! The note that stands in the place of a destroyed volume's header:
//!
//! ```text
//! atrest: this volume was destroyed
//! uuid 6ba7b810-9dad-41d1-80b4-00c04fd430c8
//! class scratch
//! area 16777216
//! ```
//!
//! and zeros. It lies within 256 bytes, so that it is there or not, even if a disk loses its power while it writes
//! them. Nothing in it is authenticated: it tells what became of the volume, and which key to look for.

use crate::Code;
use crate::keys::{Class, Uuid};

const TITLE: &str = "atrest: this volume was destroyed";
/// How much of the file is read to find it, in bytes.
pub(super) const LENGTH: usize = 256;
/// How much of the file is overwritten with it and the zeros behind it: the binary header of the first copy.
const BLOCK: usize = crate::luks2::BINARY_SIZE;

/// What is left to tell of a destroyed volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Tombstone {
    /// The volume's UUID.
    pub uuid: Uuid,
    /// Its class, where its header told.
    pub class: Option<Class>,
    /// How many bytes were overwritten, from the beginning of the file.
    pub area: u64,
}

impl Tombstone {
    /// What programs call it.
    #[must_use]
    pub const fn code(&self) -> Code {
        Code::NotAVolume
    }

    pub(super) fn to_bytes(self) -> Vec<u8> {
        let Tombstone { uuid, class, area } = self;
        let class = class.map_or("unknown", Class::name);
        let mut bytes =
            format!("{TITLE}\nuuid {}\nclass {class}\narea {area}\n", uuid.hyphenated()).into_bytes();
        debug_assert!(bytes.len() <= LENGTH);
        bytes.resize(BLOCK, 0);
        bytes
    }

    /// The note at the beginning of a file, if there is one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Tombstone> {
        let end = bytes.iter().position(|&byte| byte == 0)?;
        let mut lines = str::from_utf8(&bytes[..end]).ok()?.strip_suffix('\n')?.split('\n');
        if lines.next()? != TITLE {
            return None;
        }
        let uuid = Uuid::try_parse(lines.next()?.strip_prefix("uuid ")?).ok()?;
        let class = match lines.next()?.strip_prefix("class ")? {
            "scratch" => Some(Class::Scratch),
            "persistent" => Some(Class::Persistent),
            "unknown" => None,
            _ => return None,
        };
        let area = crate::luks2::decimal(lines.next()?.strip_prefix("area ")?)?;
        if lines.next().is_some() {
            return None;
        }
        Some(Tombstone { uuid, class, area })
    }
}

impl core::fmt::Display for Tombstone {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let uuid = self.uuid;
        match self.class {
            Some(Class::Scratch) => write!(
                f,
                "the scratch volume {uuid} was here, and was destroyed: without its key, which goes first, nothing \
                 brings its content back"
            ),
            _ => write!(
                f,
                "the volume {uuid} was here, and was destroyed: its header is overwritten, and only a backup of that \
                 brings its content back"
            ),
        }
    }
}

/// In the place of a volume's header: that is why it is not read.
impl std::error::Error for Tombstone {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_read_again_and_nothing_else_is() {
        let uuid = Uuid::from_bytes([0xab; 16]);
        for class in [Some(Class::Scratch), Some(Class::Persistent), None] {
            let note = Tombstone { uuid, class, area: u64::MAX };
            let bytes = note.to_bytes();
            assert_eq!(Tombstone::parse(&bytes[..LENGTH]), Some(note));
            for cut in 0..bytes.iter().position(|&byte| byte == 0).unwrap() {
                let mut torn = bytes.clone();
                torn[cut..].fill(0);
                assert_eq!(Tombstone::parse(&torn[..LENGTH]), None);
                torn[cut] = b'\xff';
                assert_eq!(Tombstone::parse(&torn[..LENGTH]), None);
            }
        }
        let text = |text: &str| Tombstone::parse(format!("{text}\0").as_bytes());
        assert_eq!(text(&format!("{TITLE}\nuuid {uuid}\nclass other\narea 1\n")), None);
        assert_eq!(text(&format!("{TITLE}\nuuid {uuid}\nclass scratch\narea 1\nmore\n")), None);
        assert_eq!(text(&format!("{TITLE}\nuuid x\nclass scratch\narea 1\n")), None);
        assert_eq!(text(""), None);
    }
}
