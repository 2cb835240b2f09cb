//! How a backup of a header differs from the header that it is to replace, as far as that matters to those who use the
//! volume.

use core::fmt;

use serde_json::Value;

use super::header::Header;
use super::io::Geometry;
use super::json::escaped;
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

/// All of them in one line.
pub(super) fn joined(differences: &[HeaderDifference]) -> String {
    differences.iter().map(HeaderDifference::to_string).collect::<Vec<_>>().join("; ")
}

/// Whether the backup is one of this volume.
pub(super) fn uuid(backup: &Header, volume: Uuid) -> Option<HeaderDifference> {
    let backup = backup.uuid();
    (backup != volume).then_some(HeaderDifference::Uuid { backup, volume })
}

/// What differs from a header that can be read. A backup that is newer than the header takes nothing back that its
/// owner did since, so that what opens the volume is compared for older ones alone.
pub(super) fn between(backup: &Header, current: &Header) -> Vec<HeaderDifference> {
    let mut found = Vec::new();
    found.extend(uuid(backup, current.uuid()));
    let layouts = layout(backup).into_iter().zip(layout(current));
    for ((what, backup), (_, volume)) in layouts.filter(|(backup, volume)| backup != volume) {
        found.push(HeaderDifference::Layout { what, backup, volume });
    }
    let (old, new) = (backup.sequence(), current.sequence());
    if old > new {
        return found;
    }
    if old < new {
        found.push(HeaderDifference::Older { backup: old, volume: new });
    }
    // A token that is damaged says nothing of wrappings.
    let wrappings = backup.envelope().is_ok() && current.envelope().is_ok();
    let [then, now] = [backup, current].map(|header| openers(header, wrappings));
    let only = |these: &[Opener], others: &[Opener]| -> Vec<String> {
        these.iter().filter(|opener| !others.contains(opener)).map(|opener| opener.name.clone()).collect()
    };
    found.extend(only(&then, &now).into_iter().map(HeaderDifference::BringsBack));
    found.extend(only(&now, &then).into_iter().map(HeaderDifference::TakesAway));
    found
}

/// Whether the file has the length of the backup's volume: that very length, or at least as much.
pub(super) fn length(backup: &Header, length: u64, exact: bool) -> Option<HeaderDifference> {
    let (segment, cipher) = backup.data_cipher().ok()?;
    let own = backup.size().ok().flatten();
    let geometry = Geometry {
        offset: segment.offset,
        size: own.or(segment.size).unwrap_or(0),
        sector_size: cipher.sector_size as usize,
        iv_tweak: cipher.iv_tweak,
    };
    let needed = geometry.file_length().unwrap_or(u64::MAX);
    // Volumes of other tools reach to the end of whatever they are in.
    let fits = if exact && own.is_some() { length == needed } else { length >= needed };
    (!fits).then_some(HeaderDifference::Length { needed, length })
}

/// What decides where data lies and how it is read.
fn layout(header: &Header) -> [(&'static str, String); 4] {
    let segments = header.segments().iter().map(|segment| {
        let size = segment.size.map_or("to the end".to_owned(), |size| format!("{size} bytes"));
        let cipher = segment.cipher.as_ref().map(|cipher| {
            let encryption = escaped(&cipher.encryption);
            format!(", {encryption} in sectors of {} from {}", cipher.sector_size, cipher.iv_tweak)
        });
        format!("from byte {}, {size}{}", segment.offset, cipher.unwrap_or_default())
    });
    let size = header.size().ok().flatten().map_or("not known".to_owned(), |size| format!("{size} bytes"));
    [
        ("header size", format!("{} bytes", header.copy_size())),
        ("area for keyslots", format!("{} bytes", header.keyslots_size())),
        ("place for its data", segments.collect::<Vec<_>>().join(" and ")),
        ("size", size),
    ]
}

/// Something that opens a volume.
#[derive(PartialEq)]
struct Opener {
    name: String,
    /// What tells it from another of that name.
    detail: Value,
}

/// The wrappings of the root key, if they are asked for, and the keyslots of cryptsetup's.
fn openers(header: &Header, wrappings: bool) -> Vec<Opener> {
    let mut all = Vec::new();
    if let (true, Ok(Some(envelope))) = (wrappings, header.envelope()) {
        for slot in envelope.slots() {
            let material = slot.material.as_ref().map(|id| format!(" (material {id})")).unwrap_or_default();
            let name = format!("the wrapping by {}:{}{material}", slot.provider, slot.key);
            all.push(Opener { name, detail: Value::Null });
        }
    }
    for keyslot in header.keyslots() {
        let name = format!("cryptsetup's keyslot {}", keyslot.id);
        all.push(Opener { name, detail: header.keyslot_json(keyslot.id) });
    }
    all
}
