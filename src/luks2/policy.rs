//! Which headers are opened: an allow-list. A LUKS2 header can ask for `cipher_null`, and then what looks like an
//! encrypted volume is plain text; whatever is not known to be right is refused.

use super::error::NotSupported;
use super::json::escaped;
use super::metadata::{CIPHER, Metadata, Segment, SegmentCipher};

/// What other readers must know of a volume whose holes are zeros ([`Token::holes`](super::Token::holes)): dm-crypt does
/// not, so that cryptsetup refuses the volume.
pub(super) const HOLES: &str = "atrest-holes";

/// The one segment with the volume's data, and how it is encrypted. `headers` is the length of both copies of the header.
pub(super) fn data_segment(
    metadata: &Metadata,
    headers: u64,
) -> Result<(&Segment, &SegmentCipher), NotSupported> {
    let refuse = |why: String| Err(NotSupported(why));
    // Whether it is so the token says, which is authenticated.
    if let Some(requirement) = metadata.requirements.iter().find(|requirement| *requirement != HOLES) {
        return refuse(format!(
            "it requires \"{}\"; finish what cryptsetup began, for example with `cryptsetup reencrypt --resume-only`",
            escaped(requirement)
        ));
    }
    let [segment] = &metadata.segments[..] else {
        return refuse(format!("it has {} segments, and exactly one is supported", metadata.segments.len()));
    };
    let Some(cipher) = &segment.cipher else {
        return refuse(format!("its segment has type \"{}\", not \"crypt\"", escaped(&segment.kind)));
    };
    if cipher.encryption != CIPHER {
        return refuse(format!("its cipher is \"{}\", and only {CIPHER} is", escaped(&cipher.encryption)));
    }
    if let Some(other) = segment.other.first() {
        return refuse(format!("its segment has the field \"{}\", which is not supported", escaped(other)));
    }
    if segment.offset < headers.saturating_add(metadata.keyslots_size) {
        return refuse(format!(
            "its data begins at {}, within the header: this is a detached header, whose data is in another file",
            segment.offset
        ));
    }
    // Sector numbers are 64 bits, in units of 512 bytes; the largest file leaves room for any sane start.
    if cipher.iv_tweak.checked_add(u64::MAX / 512).is_none() {
        return refuse(format!("its iv_tweak of {} makes sector numbers overflow", cipher.iv_tweak));
    }
    Ok((segment, cipher))
}
