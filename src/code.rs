//! What every failure is called: one list of codes, which the errors of all layers, C's statuses and JSON share.

use core::{ffi::CStr, fmt};

/// Each row: what it means, its variant, its number, its name, and a sentence about it for people.
macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $number:literal, $name:literal, $text:literal;)*) => {
        /// What kind of outcome something has, in a form that stays the same from version to version: a number, which is
        /// C's status, and a name. Several errors may share one. Later versions may add some.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(i32)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[doc = $doc])* $variant = $number,)*
        }

        impl Code {
            /// All of them, in order of their numbers.
            pub const ALL: &[Code] = &[$(Code::$variant),*];

            /// The number: C's `ATREST_OK` or `ATREST_ERROR_...`, which never changes.
            #[must_use]
            pub const fn number(self) -> i32 {
                self as i32
            }

            /// The name, as JSON has it: `key_not_found`. C's has `ATREST_ERROR_` in front, in capitals.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Code::$variant => $name,)*
                }
            }

            /// A sentence about it, in English, without a full stop.
            #[must_use]
            pub const fn text(self) -> &'static CStr {
                match self {
                    $(Code::$variant => match CStr::from_bytes_with_nul(concat!($text, "\0").as_bytes()) {
                        Ok(text) => text,
                        Err(_) => panic!("a text holds no NUL"),
                    },)*
                }
            }

            /// What it means, as the documentation says: for those that generate other documentation.
            #[doc(hidden)]
            #[must_use]
            pub const fn meaning(self) -> &'static [&'static str] {
                match self {
                    $(Code::$variant => &[$($doc),*],)*
                }
            }
        }
    };
}

codes! {
    /// The call did what it says.
    Ok = 0, "ok", "success";
    /// A pointer that must not be NULL is NULL.
    Null = 1, "null", "a pointer that must not be NULL is NULL";
    /// The key is not 32 or 64 bytes long, or its halves are not 16 or 32.
    KeyLength = 2, "key_length", "the XTS key takes 32 bytes (AES-128) or 64 bytes (AES-256): key1, then key2";
    /// key1 equals key2.
    EqualHalves = 3, "equal_halves", "key1 and key2 are equal; an XTS key needs two independent halves";
    /// The sector size is below 16 bytes or above 2^20 blocks (16777216 bytes); or it is no multiple of 512 where
    /// tweaks count units of 512 bytes.
    SectorSize = 4, "sector_size", "the sector size takes 16 to 16777216 bytes; a multiple of 512 where tweaks count 512-byte units";
    /// The length is not a whole number of sectors.
    DataLength = 5, "data_length", "the data is not a whole number of sectors long";
    /// The data unit is shorter than 16 bytes or longer than 2^20 blocks (16777216 bytes).
    UnitLength = 6, "unit_length", "the data unit takes 16 to 16777216 bytes";
    /// The buffer is too short for the call's result; or its length is above PTRDIFF_MAX, or it would wrap around the end of
    /// the address space.
    BufferLength = 7, "buffer_length", "the buffer is too short, longer than PTRDIFF_MAX, or wraps around the address space";
    /// Source and destination overlap without being the same buffer.
    Overlap = 8, "overlap", "source and destination overlap; they take the same buffer or two apart";
    /// The last sector's number does not fit into its tweak.
    SectorNumber = 9, "sector_number", "the last sector's number does not fit into its tweak";
    /// There is no backend of that name, neither the argument's nor, without one, that of ATREST_BACKEND.
    UnknownBackend = 10, "unknown_backend", "no backend has that name (one is given, or in ATREST_BACKEND)";
    /// This processor does not run that backend.
    UnsupportedBackend = 11, "unsupported_backend", "this processor does not run that backend";
    /// No memory.
    NoMemory = 12, "no_memory", "no memory";
    /// A defect in the library, which any call may return instead of what it documents: what it was to write is then
    /// undefined. Please report it.
    Internal = 13, "internal", "a defect in atrest; please report it";
    /// The pieces of source and destination are not equally long in all.
    LengthMismatch = 14, "length_mismatch", "the pieces of source and destination are not equally long in all";
    /// The tweaks have a layout or width that is unknown, a number beyond it, or a reserved field that is not 0.
    Tweaks = 15, "tweaks", "the tweaks have an unknown layout or width, a number beyond it, or a reserved field that is not 0";
    /// The memory for a key is too small, or not aligned as a key needs.
    Memory = 16, "memory", "the memory for the key is too small or misaligned";
    /// A flag that this version does not know.
    Flags = 17, "flags", "this version does not know one of the flags";
    /// A backend gives wrong answers on this machine.
    SelfTest = 18, "selftest", "a backend gives wrong answers on this machine; do not use it";
    /// A list of tweaks has not one for each sector.
    TweakCount = 19, "tweak_count", "the list of tweaks has not one for each sector";
    /// Reading or writing the file failed: the system said so.
    Io = 32, "io", "reading or writing the file failed";
    /// There is no room left for what was written: on the disk, in the quota or below the largest file.
    NoSpace = 33, "no_space", "no room left on the disk, in the quota or in the file";
    /// There is no file of that name.
    NotFound = 34, "not_found", "there is no such file";
    /// The file for a new volume exists, or is not empty.
    Exists = 35, "exists", "the file for the new volume exists or is not empty";
    /// The system does not let this process open the file so.
    Permission = 36, "permission", "the system does not let this process open the file so";
    /// The file is neither a regular file nor a block device.
    FileType = 37, "file_type", "the file is neither a regular file nor a block device";
    /// The descriptor is not open, or open for appending.
    Descriptor = 38, "descriptor", "the descriptor is not open, or open for appending";
    /// The file is not an encrypted volume, or one of another tool without atrest's token.
    NotAVolume = 39, "not_a_volume", "the file is not a volume of atrest";
    /// Both copies of the volume's header are damaged, or do not read back as written.
    Damaged = 40, "damaged", "both copies of the header are damaged; restore a backup";
    /// The header asks for what this library does not open, another cipher for example.
    Refused = 41, "refused", "the header asks for what is not opened here";
    /// The header was changed by someone without the volume's keys.
    Forged = 42, "forged", "the header was changed by someone without the volume's keys";
    /// The volume's file is shorter than its header says.
    Truncated = 43, "truncated", "the volume's file was cut off";
    /// The size of a new volume is above the limit, or larger than the device.
    VolumeSize = 44, "volume_size", "the volume is too large for a file or for its device";
    /// The sector size of a volume is not 512, 1024, 2048 or 4096 bytes.
    VolumeSectorSize = 45, "volume_sector_size", "the sector size of a volume takes 512, 1024, 2048 or 4096 bytes";
    /// The range reaches beyond the volume's end.
    OutOfBounds = 46, "out_of_bounds", "the range reaches beyond the volume's end";
    /// The volume, or its descriptor, is open for reading only.
    ReadOnly = 47, "read_only", "the volume or its file is open for reading only";
    /// The volume was opened without discards.
    DiscardOff = 48, "discard_off", "discards are off for this open volume";
    /// The system, the file system, the device or the key provider cannot do that.
    Unsupported = 49, "unsupported", "the system, the device or the key provider cannot do that";
    /// The volume was in use by another thread when this process was forked, or the providers were made before: open
    /// it again in this process, with new providers.
    Forked = 50, "forked", "not after this fork; open the volume again in this process";
    /// Another process is changing the volume's header.
    Busy = 51, "busy", "another process is changing the volume's header; try again";
    /// The system gave no random bytes.
    Random = 52, "random", "the system gave no random bytes";
    /// The volume was rechecked, and has closed itself: its key was withdrawn, or nobody could be asked for too long.
    Withdrawn = 53, "withdrawn", "the key of the open volume was withdrawn, or could not be checked for too long; open it again";
    /// The call would destroy or bring back something that one may want to keep as it is, unless it is forced.
    NeedsForce = 54, "needs_force", "that would destroy or bring back something, and is done only where it is forced";
    /// The label of a volume is longer than 47 bytes, or has a NUL in it.
    Label = 55, "label", "the label of a volume takes at most 47 bytes without NUL";
    /// The volume's key is no longer the one that its root key gives: another tool exchanged it, and the data is encrypted with
    /// that now.
    Reencrypted = 56, "reencrypted", "another tool exchanged the volume's key; what its root key opens would be noise";
    /// The volume, or a key that wraps its own, is not the expected one.
    Unexpected = 57, "unexpected", "the volume, or the key that it is under, is not the expected one";
    /// Nothing vouches for the header: what is expected has to be said, before the volume is written or changed.
    NoExpectation = 58, "no_expectation", "say which volume or keys are expected, or any, before it is written or changed";
    /// The text is no pin, and says nothing else that can be expected.
    Expectation = 59, "expectation", "the text is no pin and no expectation";
    /// The text names no key, or no key that this call takes.
    KeyName = 64, "key_name", "the text names no key, or none that this call takes";
    /// The key's owner does not let the caller do this with it.
    NotAuthorised = 65, "not_authorised", "not authorised to use the key; ask its owner";
    /// There is no key of that name.
    KeyNotFound = 66, "key_not_found", "there is no such key";
    /// There is a key of that name already.
    KeyExists = 67, "key_exists", "there is a key of that name already";
    /// The key's owner disabled it, and can enable it again.
    KeyDisabled = 68, "key_disabled", "the key is disabled; its owner can enable it";
    /// The key waits for its deletion, which its owner can still cancel.
    KeyPendingDeletion = 69, "key_pending_deletion", "the key is pending deletion; its owner can cancel that";
    /// Another key than the stated one wrapped this, or another key answered.
    WrongKey = 70, "wrong_key", "the wrong key";
    /// The wrapped key was changed, or belongs to another volume.
    ContextMismatch = 71, "context_mismatch", "the wrapped key was changed, or belongs to another volume";
    /// The key service got too many requests: try again later.
    Throttled = 72, "throttled", "the key service got too many requests; try again later";
    /// The key service cannot be reached, or no provider for it was added.
    Unreachable = 73, "unreachable", "the key service cannot be reached, or has no provider here";
    /// The key provider did not answer in time.
    TimedOut = 74, "timed_out", "the key provider did not answer in time";
    /// No credentials for the key service were found, or they have expired.
    NoCredentials = 75, "no_credentials", "no valid credentials for the key service";
    /// The key is none for wrapping: it must be symmetric and for encryption.
    WrongKeyType = 76, "wrong_key_type", "the key is none for wrapping: it must be symmetric and for encryption";
    /// The provider's answer, or a file of the keystore, is not what its format says.
    MalformedAnswer = 77, "malformed_answer", "the key provider's answer or key file is malformed";
    /// The local keystore is open to other users, or is not the caller's own.
    KeystorePermissions = 78, "keystore_permissions", "the keystore is open to other users or not the caller's own";
    /// Reading or writing the local keystore failed, or there is none at that path.
    KeystoreIo = 79, "keystore_io", "reading or writing the keystore failed";
    /// No memory for secrets, or none that this process may read after a fork.
    SecretMemory = 80, "secret_memory", "no memory for secrets, or none after a fork";
    /// The document is not an envelope that this version reads.
    Envelope = 81, "envelope", "the document is not an envelope that this version reads";
    /// The key cannot be used now: it waits for its material, or for the store that holds it.
    KeyUnavailable = 82, "key_unavailable", "the key cannot be used now";
    /// A quota of the key service is used up.
    LimitExceeded = 83, "limit_exceeded", "a quota of the key service is used up";
    /// The key service does not take the request: a name or number out of its range.
    InvalidRequest = 84, "invalid_request", "the key service does not take the request";
    /// The envelope has no such slot, or has that very wrapping in another one.
    Slot = 85, "slot", "the envelope has no such slot, or that wrapping in another";
    /// A passphrase guards the key, and none was given.
    PassphraseRequired = 86, "passphrase_required", "a passphrase guards the key, and none was given";
    /// The passphrase is not the key's.
    WrongPassphrase = 87, "wrong_passphrase", "the passphrase is not the key's";
}

impl Code {
    /// The code with this number.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Code> {
        Code::ALL.iter().copied().find(|code| code.number() == number)
    }
}

impl fmt::Display for Code {
    /// The [name](Code::name).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn numbers_and_names_are_distinct_and_in_order() {
        for pair in Code::ALL.windows(2) {
            assert!(pair[0].number() < pair[1].number(), "{} and {}", pair[0], pair[1]);
        }
        for (i, code) in Code::ALL.iter().enumerate() {
            assert!(Code::ALL[..i].iter().all(|other| other.name() != code.name()), "{code}");
            assert!(
                code.name()
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            );
            assert_eq!(Code::from_number(code.number()), Some(*code));
            assert!(!code.text().is_empty() && !code.text().to_bytes().ends_with(b"."));
        }
        assert_eq!(Code::from_number(-1), None);
    }
}
