//! The root key that the service tells, and where it must not be seen.

use std::sync::LazyLock;

use base64ct::{Base64, Encoding as _};

/// A root key: text, for it to be found if somebody writes it as text. No input holds it, see [`is_in`].
pub const ROOT: [u8; 32] = *b"q7Zr)wLx2%Yt9Kd(Vn4@Hs8!Gm3#Bp6^";

/// Pieces of it as text, in base64, in hexadecimal, and as `{:?}` writes bytes.
static PIECES: LazyLock<Vec<String>> = LazyLock::new(|| {
    let windows = |text: &str, len: usize| -> Vec<String> {
        text.as_bytes().windows(len).map(|piece| String::from_utf8_lossy(piece).into_owned()).collect()
    };
    let hex: String = ROOT.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut pieces = windows(&String::from_utf8_lossy(&ROOT), 8);
    pieces.extend(windows(&Base64::encode_string(&ROOT), 10));
    pieces.extend(windows(&hex, 14));
    pieces.extend(windows(&hex.to_uppercase(), 14));
    pieces.extend(ROOT.windows(5).map(|bytes| format!("{bytes:?}").trim_matches(['[', ']']).to_owned()));
    pieces
});

/// Whether a part of the root key can be read in the text.
pub fn is_in(text: &str) -> bool {
    PIECES.iter().any(|piece| text.contains(piece.as_str()))
}
