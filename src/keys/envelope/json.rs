//! The envelope as JSON, version 1:
//!
//! ```json
//! {"version":1,"volume":"UUID","class":"persistent","commitment":"BASE64","slots":[
//!   {"provider":"local","key":"default","material":"ID","context":{"NAME":"VALUE"},"wrapped":"BASE64"}]}
//! ```
//!
//! Fields are written in this order and without white space, `material` only where there is one. They are read
//! in any order, since other tools may rewrite the document that carries the envelope.

use super::{
    super::{EncryptionContext, Uuid, WrappedKey},
    Class, Envelope, EnvelopeFormatError,
    error::{MAX_JSON, MAX_SLOTS},
};
use crate::text::excerpt;
use base64ct::{Base64, Encoding};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
    ser::SerializeMap,
};
use std::fmt;

const VERSION: u64 = 1;

/// What every version has, past or future: enough to say which one it is.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u64,
    volume: CanonicalUuid,
    class: ClassName,
    commitment: Bytes,
    #[serde(deserialize_with = "slots")]
    slots: Vec<Slot>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Slot {
    provider: String,
    key: String,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    material: Option<String>,
    context: Pairs,
    wrapped: Bytes,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ClassName {
    Persistent,
    Scratch,
}

impl Envelope {
    /// Reads an envelope. Everything is checked before it is believed: the document's length, the version
    /// first, then each field, with no field missing, unknown or given twice.
    ///
    /// # Errors
    /// [`EnvelopeFormatError::TooLong`] above [`Envelope::MAX_JSON`], [`EnvelopeFormatError::Version`] for any version but
    /// 1, [`EnvelopeFormatError::Json`] and [`EnvelopeFormatError::Field`] for the rest.
    pub fn from_json(document: &[u8]) -> Result<Envelope, EnvelopeFormatError> {
        if document.len() > MAX_JSON {
            return Err(EnvelopeFormatError::TooLong(document.len()));
        }
        let Versioned { version } = serde_json::from_slice(document).map_err(|error| invalid(&error))?;
        if version != VERSION {
            return Err(EnvelopeFormatError::Version(version));
        }
        let document: Document = serde_json::from_slice(document).map_err(|error| invalid(&error))?;
        let commitment = document.commitment.0.try_into().map_err(|_| EnvelopeFormatError::Field {
            field: "commitment",
            rule: "32 bytes in standard base64 with padding",
        })?;
        let class = match document.class {
            ClassName::Persistent => Class::Persistent,
            ClassName::Scratch => Class::Scratch,
        };
        let slots = document.slots.into_iter().map(|slot| WrappedKey {
            provider: slot.provider,
            key: slot.key,
            material: slot.material,
            context: slot.context.0,
            wrapped: slot.wrapped.0,
        });
        let envelope = Envelope { volume: document.volume.0, class, commitment, slots: slots.collect() };
        envelope.check()?;
        Ok(envelope)
    }

    /// The document: equal envelopes give equal bytes, without white space, so that it can be authenticated.
    #[must_use]
    pub fn to_json(&self) -> String {
        let slot = |slot: &WrappedKey| Slot {
            provider: slot.provider.clone(),
            key: slot.key.clone(),
            material: slot.material.clone(),
            context: Pairs(slot.context.clone()),
            wrapped: Bytes(slot.wrapped.clone()),
        };
        let document = Document {
            version: VERSION,
            volume: CanonicalUuid(self.volume),
            class: match self.class {
                Class::Persistent => ClassName::Persistent,
                Class::Scratch => ClassName::Scratch,
            },
            commitment: Bytes(self.commitment.to_vec()),
            slots: self.slots.iter().map(slot).collect(),
        };
        serde_json::to_string(&document).expect("strings, numbers and maps with string keys always serialise")
    }
}

/// The parser's message as part of one line: it quotes what it does not know, which may be long or hold anything.
fn invalid(error: &serde_json::Error) -> EnvelopeFormatError {
    const MOST: usize = 160;
    let message = error.to_string();
    let text = excerpt(&message, MOST);
    if message.chars().nth(MOST).is_none() {
        return EnvelopeFormatError::Json(text);
    }
    EnvelopeFormatError::Json(format!("{text} at line {} column {}", error.line(), error.column()))
}

/// At most as many slots as an envelope has: the list ends there, before more is kept.
fn slots<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Slot>, D::Error> {
    struct Slots;

    impl<'de> Visitor<'de> for Slots {
        type Value = Vec<Slot>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of slots")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<Slot>, A::Error> {
            let mut slots = Vec::new();
            while let Some(slot) = list.next_element()? {
                if slots.len() == MAX_SLOTS {
                    return Err(de::Error::custom("more than 8 slots"));
                }
                slots.push(slot);
            }
            Ok(slots)
        }
    }

    deserializer.deserialize_seq(Slots)
}

/// A material that is given is a string: `null` would be a second way to write that there is none.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// Standard base64 (RFC 4648 section 4), padded, without stray bits: one text for each value.
struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Base64::encode_string(&self.0))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(deserializer)?;
        Base64::decode_vec(&text)
            .map(Bytes)
            .map_err(|_| de::Error::custom("not standard base64 with padding"))
    }
}

/// A UUID in lower case with hyphens, and in no other of its spellings.
struct CanonicalUuid(Uuid);

impl Serialize for CanonicalUuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self.0.as_hyphenated())
    }
}

impl<'de> Deserialize<'de> for CanonicalUuid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CanonicalUuid, D::Error> {
        let text = String::deserialize(deserializer)?;
        match Uuid::try_parse(&text) {
            Ok(uuid) if uuid.as_hyphenated().to_string() == text => Ok(CanonicalUuid(uuid)),
            _ => Err(de::Error::custom("not a UUID in lower case with hyphens")),
        }
    }
}

/// A context as a JSON object; unlike a map of serde's own, it takes no name twice.
struct Pairs(EncryptionContext);

impl Serialize for Pairs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.iter().len()))?;
        for (name, value) in &self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an encryption context")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Pairs, A::Error> {
                let mut context = EncryptionContext::new();
                while let Some((name, value)) = object.next_entry::<String, String>()? {
                    context.insert(&name, &value).map_err(de::Error::custom)?;
                }
                Ok(Pairs(context))
            }
        }

        deserializer.deserialize_map(Object)
    }
}
