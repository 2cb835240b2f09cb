//! The header of a volume: LUKS2 with an envelope in its token, read from storage.

use core::ops::Deref;
use std::io::ErrorKind;
use std::thread;
use std::time::{Duration, Instant};

use super::error::{
    AuthenticityError, ExpectedError, Forged, NeedsKeys, OtherEnvelope, ReadEnvelopeError, ReadHeaderError,
    Reencrypted, SetEnvelopeError, StorageError, UuidMismatch, WrongKeys,
};
use super::tombstone::{self, Tombstone};
use crate::keys::{Envelope, Expect, HeaderKey, Pin, Unexpected, VolumeKeys};
use crate::luks2::{self, Covered, Digest, Fill, ParseError, Token, TokenError, VolumeKeyError, Warning};
use crate::storage::Storage;
use crate::waiting;

/// A volume's header, as it was read: **nothing in it is authenticated** until the volume's keys are there
/// ([`Volume::open`](super::Volume::open), [`SectorCipher::new`](super::SectorCipher::new)). It serves to describe a
/// volume, and to replace its envelope.
///
/// It is a [`luks2::Header`], with all that this one tells.
#[derive(Clone, Debug)]
pub struct Header(luks2::Header);

impl Deref for Header {
    type Target = luks2::Header;

    fn deref(&self) -> &luks2::Header {
        &self.0
    }
}

impl From<luks2::Header> for Header {
    fn from(header: luks2::Header) -> Header {
        Header(header)
    }
}

/// The token of a volume of ours, and the envelope in it.
#[derive(Debug)]
pub(super) struct OwnToken {
    pub token: Token,
    pub envelope: Envelope,
}

impl OwnToken {
    /// Checks which volume it is, before anybody is asked for its keys.
    pub(super) fn check(&self, expect: &Expect) -> Result<(), Unexpected> {
        expect.check(self.envelope.volume(), self.envelope.commitment(), Some(self.token.version()))
    }
}

impl Header {
    /// Reads the header of a volume, each byte of it once, and at most 8 MiB. Where one copy is damaged or unreadable the
    /// other is used, and where both are sound the one with the higher sequence number; the warnings say so. While
    /// somebody [changes it](Storage::is_changing) such a header is read again, for ten seconds at most: no lock is taken.
    ///
    /// # Errors
    /// [`ReadHeaderError`].
    pub fn read<S: Storage + ?Sized>(storage: &S) -> Result<(Header, Vec<Warning>), ReadHeaderError> {
        let disagrees = |read: &Result<(Header, Vec<Warning>), ReadHeaderError>| match read {
            Ok((header, warnings)) => disagreement(header, warnings),
            Err(ReadHeaderError::Header(error)) => fault(error),
            Err(_) => None,
        };
        settled(storage, || Header::read_once(storage), disagrees)
    }

    /// The same, once, by whoever keeps others from changing it.
    pub(super) fn read_once<S: Storage + ?Sized>(
        storage: &S,
    ) -> Result<(Header, Vec<Warning>), ReadHeaderError> {
        let length = storage.len().map_err(StorageError::of("finding the length of the file"))?;
        let mut fill =
            |buffer: &mut [u8], offset: u64| storage.read_at(buffer, offset).map_err(|error| error.kind());
        Header::load(length, &mut fill)
    }

    /// Parses the header at the beginning of `bytes`: of a storage, or of a backup of its header. How many it takes
    /// [`Header::length`](luks2::Header::length) tells. It never panics and never allocates more at once than the two
    /// copies of the header take, whatever the bytes are.
    ///
    /// # Errors
    /// As for [`Header::read`], but for the storage's.
    ///
    /// ```
    /// use atrest::luks2::ParseError;
    /// use atrest::volume::{Header, ReadHeaderError};
    ///
    /// let parsed = Header::parse(&[0; 65536]);
    /// assert!(matches!(parsed, Err(ReadHeaderError::Header(ParseError::NotLuks))));
    /// ```
    pub fn parse(bytes: &[u8]) -> Result<(Header, Vec<Warning>), ReadHeaderError> {
        Header::load(bytes.len() as u64, &mut |buffer, offset| {
            let from = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
            let from = from.and_then(|from| from.get(..buffer.len())).ok_or(ErrorKind::UnexpectedEof)?;
            buffer.copy_from_slice(from);
            Ok(())
        })
    }

    /// How many bytes from the beginning of a storage hold both copies of its header, as far as the first 4096 tell; see
    /// [`luks2::Header::length`].
    #[must_use]
    pub fn length(beginning: &[u8]) -> u64 {
        luks2::Header::length(beginning)
    }

    fn load(length: u64, fill: Fill<'_>) -> Result<(Header, Vec<Warning>), ReadHeaderError> {
        let parsed = luks2::Header::load(length, fill);
        parsed.map(|(header, warnings)| (Header(header), warnings)).map_err(|error| {
            if let ParseError::TooShort { .. } | ParseError::Luks1 = error {
                return error.into();
            }
            let mut note = [0; tombstone::LENGTH];
            let note = fill(&mut note, 0).ok().and_then(|()| Tombstone::parse(&note));
            note.map_or_else(|| error.into(), ReadHeaderError::from)
        })
    }

    /// The envelope with the wrapped root key; `None` in a volume that another tool made.
    ///
    /// # Errors
    /// [`ReadEnvelopeError`] when the token or the envelope in it is malformed.
    pub fn envelope(&self) -> Result<Option<Envelope>, ReadEnvelopeError> {
        match self.token()? {
            Some(token) => Ok(Some(Envelope::from_json(token.envelope().as_bytes())?)),
            None => Ok(None),
        }
    }

    /// The volume's exact size in bytes as the atrest token has it; `None` in a volume that another tool made.
    ///
    /// # Errors
    /// [`TokenError`] when the token is malformed.
    pub fn size(&self) -> Result<Option<u64>, TokenError> {
        Ok(self.token()?.map(|token| token.size()))
    }

    /// Whether holes read as zeros ([`CreateOptions::holes`](super::CreateOptions::holes)); not in a volume that another
    /// tool made.
    ///
    /// # Errors
    /// [`TokenError`] when the token is malformed.
    pub fn holes(&self) -> Result<bool, TokenError> {
        Ok(self.token()?.is_some_and(|token| token.holes()))
    }

    /// The [pin](Pin) of this header's volume; `None` in a volume that another tool made. It vouches for what the header
    /// says: take it of a volume that has opened ([`Volume::header`](super::Volume::header)).
    ///
    /// # Errors
    /// As for [`Header::envelope`].
    pub fn pin(&self) -> Result<Option<Pin>, ReadEnvelopeError> {
        Ok(match self.token()? {
            Some(token) => Some(Envelope::from_json(token.envelope().as_bytes())?.pin(token.version())),
            None => None,
        })
    }

    /// Checks that this is an expected volume, as far as it can be said without its keys.
    pub(super) fn check(&self, expect: &Expect) -> Result<(), ExpectedError> {
        // A damaged token can be mended, where nothing is expected of it.
        if !expect.is_limited() {
            return Ok(());
        }
        match self.token()? {
            Some(_) => self.own_token()?.check(expect)?,
            None => expect.check_foreign(self.uuid())?,
        }
        Ok(())
    }

    /// The token of this volume, which must be ours.
    pub(super) fn own_token(&self) -> Result<OwnToken, ReadEnvelopeError> {
        let token = self.token()?.ok_or(TokenError::Missing)?;
        let envelope = Envelope::from_json(token.envelope().as_bytes())?;
        if envelope.volume() != self.uuid() {
            return Err(UuidMismatch { header: self.uuid(), envelope: envelope.volume() }.into());
        }
        Ok(OwnToken { token, envelope })
    }

    /// Checks with the volume's keys that nobody else changed what decides how the data is decrypted, and that the volume key
    /// is still the one that the root key gives. The very values that were parsed are checked, the header's
    /// [own token](Header::own_token) among them: nothing is read again.
    pub(super) fn authenticate(&self, own: &OwnToken, keys: &VolumeKeys) -> Result<(), AuthenticityError> {
        if !own.envelope.is_for(keys) {
            return Err(WrongKeys.into());
        }
        let message = message(&own.token, self, &own.envelope)?;
        let authentic = keys.verify(header_key(&own.token), &message, own.token.authentication());
        // Of a header that another tool changed, too: then this tells what it did.
        match (authentic, self.check_volume_key(keys.xts_key())) {
            (_, Err(VolumeKeyError::WrongKey)) => Err(Reencrypted.into()),
            (true, Err(VolumeKeyError::NotSupported(why))) => Err(why.into()),
            (true, Ok(())) => Ok(()),
            _ => Err(Forged.into()),
        }
    }

    /// Replaces the envelope, for example by one with the same root key wrapped under another key, and renews the
    /// authentication code. [`edit`](super::edit) and [`Header::update`] write it.
    ///
    /// # Errors
    /// [`SetEnvelopeError`]: what an open gives when the header as it stands is not authentic;
    /// [`WrongKeys`] when the new envelope is for another root key. The header is as it was then.
    pub fn set_envelope(&mut self, envelope: Envelope, keys: &VolumeKeys) -> Result<(), SetEnvelopeError> {
        let own = self.own_token()?;
        self.replace_envelope(&own, &envelope, keys)
    }

    pub(super) fn replace_envelope(
        &mut self,
        own: &OwnToken,
        envelope: &Envelope,
        keys: &VolumeKeys,
    ) -> Result<(), SetEnvelopeError> {
        self.authenticate(own, keys)?;
        if envelope.volume() != self.uuid() {
            return Err(UuidMismatch { header: self.uuid(), envelope: envelope.volume() }.into());
        }
        if !envelope.is_for(keys) {
            return Err(WrongKeys.into());
        }
        let generation = own.token.generation().saturating_add(1);
        let token = Token::new(own.token.id(), envelope.to_json(), own.token.size(), generation)
            .with_holes(own.token.holes());
        let message = message(&token, self, envelope)?;
        let code = keys.authenticate(header_key(&token), &message);
        Ok(self.0.put_token(&token.with_authentication(&code))?)
    }

    /// Replaces the envelope by one with other wrappings of the same root key, without that key: the authentication
    /// code stays, for it does not cover the wrappings, and is not checked. [`edit`](super::edit) and [`Header::update`]
    /// write it.
    ///
    /// # Errors
    /// [`SetEnvelopeError`]: [`OtherEnvelope`] when anything but the wrappings differs; [`NeedsKeys`] when the code is of
    /// the first version, which covers the wrappings ([`Header::set_envelope`] then serves).
    pub fn set_wrappings(&mut self, envelope: Envelope) -> Result<(), SetEnvelopeError> {
        let own = self.own_token()?;
        self.replace_wrappings(own, &envelope)
    }

    pub(super) fn replace_wrappings(
        &mut self,
        own: OwnToken,
        envelope: &Envelope,
    ) -> Result<(), SetEnvelopeError> {
        if !envelope.is_rewrapping_of(&own.envelope) {
            return Err(OtherEnvelope.into());
        }
        if own.token.covers_wrappings() {
            return Err(NeedsKeys.into());
        }
        Ok(self.0.put_token(&own.token.with_envelope(envelope.to_json()))?)
    }
}

/// What is wrong with a header, as far as it may be that it was read while somebody changed it; the same of the same
/// header.
pub(super) fn disagreement(header: &Header, warnings: &[Warning]) -> Option<String> {
    (!warnings.is_empty()).then(|| format!("{:?} {warnings:?}", header.revision()))
}

/// The same of bytes that are no header.
pub(super) fn fault(error: &ParseError) -> Option<String> {
    matches!(error, ParseError::Damaged { .. } | ParseError::NotLuks).then(|| error.to_string())
}

/// Reads until nothing [disagrees](disagreement), or nobody is at it who might have changed it meanwhile: it is read twice
/// then, with the same result.
pub(super) fn settled<S: Storage + ?Sized, T>(
    storage: &S,
    read: impl Fn() -> T,
    disagrees: impl Fn(&T) -> Option<String>,
) -> T {
    let deadline = Instant::now() + waiting::LIMIT;
    let mut before = None;
    let mut pause = Duration::from_micros(100);
    loop {
        let found = read();
        let Some(now) = disagrees(&found) else { return found };
        // What a storage cannot say does not hold anybody up.
        let changing = storage.is_changing().unwrap_or(false);
        if (!changing && before.as_ref() == Some(&now)) || Instant::now() >= deadline {
            return found;
        }
        before = (!changing).then_some(now);
        if changing {
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(5));
        }
    }
}

/// What is authenticated of a header and a token in it.
fn message(
    token: &Token,
    header: &luks2::Header,
    envelope: &Envelope,
) -> Result<Vec<u8>, luks2::NotSupported> {
    Ok(token_message(token, header.uuid(), header.data_segment()?, header.data_digest()?, envelope))
}

/// The key of a token's code.
pub(super) const fn header_key(token: &Token) -> HeaderKey {
    if token.version() < 3 { HeaderKey::First } else { HeaderKey::Third }
}

/// The same for a header that is not made yet.
pub(super) fn token_message(
    token: &Token,
    uuid: crate::keys::Uuid,
    segment: &luks2::Segment,
    digest: Option<&Digest>,
    envelope: &Envelope,
) -> Vec<u8> {
    let document = envelope.to_json();
    let covered = Covered {
        document: &document,
        class: envelope.class().name(),
        commitment: envelope.commitment(),
        salt: envelope.salt(),
    };
    token.message(uuid, segment, digest, &covered)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{RootKey, Uuid};
    use crate::luks2::Segment;

    const UUID: Uuid = Uuid::from_bytes([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);

    /// HKDF, HMAC and the messages, computed from their descriptions in Python. Whatever changes these makes every
    /// volume that exists unreadable.
    #[test]
    fn the_code_is_that_of_its_version() {
        let keys = RootKey::take(&mut [7; 32]).unwrap().derive(UUID).unwrap();
        let envelope = concat!(
            r#"{"version":1,"volume":"00010203-0405-0607-0809-0a0b0c0d0e0f","class":"persistent","#,
            r#""commitment":"bObZ3FyIM/LCd4ipxuoZZsiqycujZ0LcSzyJIskz/yc=","#,
            r#""slots":[{"provider":"local","key":"default","material":"m","#,
            r#""context":{"atrest:version":"1","atrest:volume":"00010203-0405-0607-0809-0a0b0c0d0e0f"},"#,
            r#""wrapped":"AAAA"}]}"#,
        );
        let envelope = Envelope::from_json(envelope.as_bytes()).unwrap();
        let segment = Segment::to_the_end(16 << 20, 4096);
        let hex = |code: &[u8]| code.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let code = |token: &Token| {
            let digest = Digest::of(&[7; 64], &[3; 32]);
            keys.authenticate(
                header_key(token),
                &token_message(token, UUID, &segment, Some(&digest), &envelope),
            )
        };
        let third = code(&Token::new(0, envelope.to_json(), 1000, 5));
        assert_eq!(hex(&third), "2da6132fdb5046531d7af496bfed462ded86a9d462e160993b42ffdb483e1dec");
        let second = code(&Token::of_version(2, 0, envelope.to_json(), 1000));
        assert_eq!(hex(&second), "e04fe57a7bce75285a60756dece46459b937b2ca5a007a4e06db35947a441cee");
        let first = code(&Token::of_version(1, 0, envelope.to_json(), 1000));
        assert_eq!(hex(&first), "820b131897c91e33797484e07cdae1af269f2584cca8db3db7192a42b3c19650");
    }
}
