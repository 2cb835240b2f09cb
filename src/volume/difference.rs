//! In what a backup of a header can differ from the header that it is to replace, as far as that matters to those who use
//! the volume.

use core::fmt;

use crate::keys::Uuid;

/// Why a backup of a header is not restored without force.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HeaderDifference {
    /// It is a backup of another volume.
    Uuid {
        /// The UUID in the backup.
        backup: Uuid,
        /// That of the volume.
        volume: Uuid,
    },
    /// Its data lies elsewhere, or is encrypted in another way.
    Layout {
        /// What differs.
        what: &'static str,
        /// What the backup says.
        backup: String,
        /// What the volume's header says.
        volume: String,
    },
    /// The header was changed since the backup was made.
    Older {
        /// The backup's sequence number.
        backup: u64,
        /// That of the volume's header.
        volume: u64,
    },
    /// Something opens the volume again that opens it no more.
    BringsBack(String),
    /// Something opens the volume no more that opens it now.
    TakesAway(String),
    /// No header is there, and the backup does not say where its volume's data lies, for this reason: nothing tells that
    /// it belongs there.
    Unplaced(String),
    /// The file has another length than the backup's volume.
    Length {
        /// What that volume takes, in bytes.
        needed: u64,
        /// What the file has, in bytes.
        length: u64,
    },
}

impl fmt::Display for HeaderDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HeaderDifference::Uuid { backup, volume } => {
                write!(f, "it is of another volume (UUID {backup}, not {volume})")
            }
            HeaderDifference::Layout { what, backup, volume } => {
                write!(f, "it has another {what} ({backup}, not {volume})")
            }
            HeaderDifference::Older { backup, volume } => {
                write!(
                    f,
                    "it is older than the header (sequence number {backup}, and the header has {volume})"
                )
            }
            HeaderDifference::BringsBack(what) => {
                write!(f, "it brings back {what}, which was removed or changed since")
            }
            HeaderDifference::TakesAway(what) => write!(f, "it takes away {what}"),
            HeaderDifference::Unplaced(why) => write!(
                f,
                "no header is there to compare it with, and nothing tells that it belongs there, since its own data \
                 cannot be found ({why})"
            ),
            HeaderDifference::Length { needed, length } => {
                write!(f, "its volume takes {needed} bytes, and the file has {length}")
            }
        }
    }
}
