//! A key file, version 1:
//!
//! ```json
//! {"version":1,"name":"default","created":SECONDS,"current":"ID","materials":[
//!   {"id":"ID","created":SECONDS,"key":"BASE64"}]}
//! ```
//!
//! A key has one material now, and gets another with each rotation: `current` wraps, all of them unwrap.
//!
//! The text holds keys, so no part of a well-formed file is copied into memory that is not wiped: it is parsed in
//! place, its strings borrowed. The parser's messages, which quote what they do not like, are not passed on.

use super::{
    super::{ProviderError, Secret, SecretError, new_uuid},
    MAX_FILE,
};
use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};
use std::{
    io::Cursor,
    time::{SystemTime, UNIX_EPOCH},
};
use zeroize::Zeroizing;

const VERSION: u64 = 1;
/// 32 bytes in padded base64.
const KEY_TEXT: usize = 44;
/// Room for a new key's file: at most 64 bytes of name, 2 ids of 36, 44 of key, 2 numbers of 20, and field names.
const NEW_FILE: usize = 512;
/// The most materials in one key.
const MAX_MATERIALS: usize = 256;

/// What every version has, past or future.
#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

/// A key file's text, parsed and checked.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile<'a> {
    version: u64,
    name: &'a str,
    created: u64,
    current: &'a str,
    #[serde(borrow)]
    materials: Vec<MaterialText<'a>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MaterialText<'a> {
    id: &'a str,
    created: u64,
    key: &'a str,
}

/// One material of a key.
pub struct Material {
    pub id: String,
    pub key: Secret<32>,
}

/// Which material is wanted.
pub enum Which<'a> {
    Current,
    Id(&'a str),
}

/// Why a key file gives no key.
pub enum Fault {
    Malformed(String),
    NoMaterial(String),
    Secret(SecretError),
}

impl From<SecretError> for Fault {
    fn from(error: SecretError) -> Fault {
        Fault::Secret(error)
    }
}

impl<'a> KeyFile<'a> {
    /// Parses the file of the key `name`.
    pub fn parse(text: &'a [u8], name: &str) -> Result<KeyFile<'a>, Fault> {
        let malformed = |why: &str| Fault::Malformed(why.to_owned());
        let invalid = |error: serde_json::Error| {
            let (line, column) = (error.line(), error.column());
            Fault::Malformed(format!("its JSON is wrong at line {line} column {column}"))
        };
        // The parser unescapes strings in memory of its own. No key file needs an escape.
        if text.contains(&b'\\') {
            return Err(malformed("it has a backslash"));
        }
        let Versioned { version } = serde_json::from_slice(text).map_err(invalid)?;
        if version != VERSION {
            return Err(Fault::Malformed(format!(
                "it has version {version}, and this build reads version 1"
            )));
        }
        let file: KeyFile<'a> = serde_json::from_slice(text).map_err(invalid)?;
        if file.name != name {
            return Err(malformed("it is the file of another key"));
        }
        if !(1..=MAX_MATERIALS).contains(&file.materials.len()) {
            return Err(malformed("a key has 1 to 256 materials"));
        }
        for (i, material) in file.materials.iter().enumerate() {
            if !is_id(material.id) || file.materials[..i].iter().any(|other| other.id == material.id) {
                return Err(malformed("each material has its own id of 1 to 64 letters, digits and hyphens"));
            }
        }
        if !file.materials.iter().any(|material| material.id == file.current) {
            return Err(malformed("its current material is not there"));
        }
        Ok(file)
    }

    /// The id of the material that wraps.
    pub fn current(&self) -> &str {
        self.current
    }

    /// When the key was created, in seconds since 1970.
    pub fn created(&self) -> u64 {
        self.created
    }

    /// One material, decoded into secret memory.
    pub fn material(&self, which: Which<'_>) -> Result<Material, Fault> {
        let id = match which {
            Which::Current => self.current,
            Which::Id(id) => id,
        };
        let Some(found) = self.materials.iter().find(|material| material.id == id) else {
            return Err(Fault::NoMaterial(id.to_owned()));
        };
        let mut key = Secret::new()?;
        // A constant-time decoder: one with tables would show the key to whoever shares the cache.
        match Base64::decode(found.key, key.expose_mut()) {
            Ok(bytes) if bytes.len() == 32 => Ok(Material { id: id.to_owned(), key }),
            _ => Err(Fault::Malformed("a key is not 32 bytes in base64".to_owned())),
        }
    }
}

/// The text of a new key's file.
pub fn create(name: &str) -> Result<Zeroizing<Vec<u8>>, ProviderError> {
    let key = Secret::<32>::random()?;
    let mut key_text = Zeroizing::new([0; KEY_TEXT]);
    let key_text = Base64::encode(key.expose(), &mut *key_text).expect("44 characters hold 32 bytes");
    let id = new_uuid()?.to_string();
    let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let file = KeyFile {
        version: VERSION,
        name,
        created,
        current: &id,
        materials: vec![MaterialText { id: &id, created, key: key_text }],
    };
    // Written into a buffer of a fixed size: one that grows leaves its former contents behind.
    let mut text = Zeroizing::new(vec![0; NEW_FILE]);
    let mut cursor = Cursor::new(&mut text[..]);
    serde_json::to_writer(&mut cursor, &file).expect("the buffer is large enough for every name");
    let length = cursor.position() as usize;
    text.truncate(length);
    const { assert!(NEW_FILE <= MAX_FILE) };
    Ok(text)
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
