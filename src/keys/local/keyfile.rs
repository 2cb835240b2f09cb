//! A key file, version 1:
//!
//! ```json
//! {"version":1,"name":"default","created":SECONDS,"current":"ID","materials":[
//!   {"id":"ID","created":SECONDS,"key":"BASE64"}]}
//! ```
//!
//! `current` wraps, all materials unwrap; a rotation adds one. Version 2 has besides, where they apply, `"state"`
//! (`"disabled"`, or `"pending-deletion"` with `"deletion":SECONDS`), and `"passphrase"`, after which each key is
//! encrypted (`guard.rs`):
//!
//! ```json
//! {"kdf":"argon2id","memory_kib":65536,"passes":3,"lanes":4,"salt":"BASE64","check":"BASE64"}
//! ```
//!
//! The key of a scratch volume (`scratch.rs`) has one material and no passphrase, and may have `"volume_path"`, where
//! its volume was made, percent-encoded.
//!
//! Version 2 is written only for keys that have one of these, which a reader of version 1 must not pass over.
//!
//! The text holds keys, so no part of a well-formed file is copied into memory that is not wiped: it is parsed in
//! place, its strings borrowed. The parser's messages, which quote what they do not like, are not passed on.

pub use super::guard::Fault;
use super::{
    super::{ErrorClass, ProviderError, Secret, envelope::scratch_volume_of, new_uuid},
    dir::MAX_FILE,
    guard::{Guard, Lock, SEALED, decode},
    passphrase::Passphrase,
    state::{State, now},
};
use base64ct::{Base64, Encoding};
use serde::{Deserialize, Serialize};
use std::{
    io::Cursor,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The version of files that need nothing newer.
const PLAIN: u64 = 1;
/// The version of files with a state, a passphrase, or the path of a scratch volume.
const GUARDED: u64 = 2;
/// What guarded materials are bound to begins with this.
const LABEL: &[u8] = b"atrest key file v2 material";
/// The most materials in one key.
pub const MAX_MATERIALS: usize = 256;

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
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    state: Option<&'a str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deletion: Option<u64>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    passphrase: Option<Guard<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    volume_path: Option<&'a str>,
    pub(super) current: &'a str,
    #[serde(borrow)]
    pub(super) materials: Vec<MaterialText<'a>>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MaterialText<'a> {
    pub id: &'a str,
    pub created: u64,
    pub key: &'a str,
}

/// One material of a key.
pub struct Material {
    pub id: String,
    pub created: u64,
    pub key: Secret<32>,
}

/// Which material is wanted.
pub enum Which<'a> {
    Current,
    Id(&'a str),
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
        if !(PLAIN..=GUARDED).contains(&version) {
            let why = format!("it has version {version}, and this build reads versions 1 and 2");
            return Err(Fault::Malformed(why));
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
        if State::from_fields(file.state, file.deletion).is_none() {
            return Err(malformed("it has a state that this build does not know"));
        }
        if let Some(guard) = &file.passphrase {
            guard.parameters()?;
        }
        if version == PLAIN && !file.is_plain() {
            return Err(malformed("version 1 has neither states nor passphrases nor paths"));
        }
        if scratch_volume_of(name).is_some() {
            if file.materials.len() > 1 || file.passphrase.is_some() {
                return Err(malformed("the key of a scratch volume has one material and no passphrase"));
            }
        } else if file.volume_path.is_some() {
            return Err(malformed("only the key of a scratch volume tells where its volume is"));
        }
        Ok(file)
    }

    /// The file of a new key, before it has materials.
    pub fn new(name: &'a str, created: u64, current: &'a str) -> KeyFile<'a> {
        let (state, deletion) = State::Enabled.to_fields();
        KeyFile {
            version: PLAIN,
            name,
            created,
            state,
            deletion,
            passphrase: None,
            volume_path: None,
            current,
            materials: vec![],
        }
    }

    /// Whether the key can be used.
    pub fn state(&self) -> State {
        State::from_fields(self.state, self.deletion).expect("checked when it was parsed")
    }

    pub fn set_state(&mut self, state: State) {
        (self.state, self.deletion) = state.to_fields();
        self.choose_version();
    }

    /// How a passphrase guards the key.
    pub fn guard(&self) -> Option<&Guard<'a>> {
        self.passphrase.as_ref()
    }

    pub fn set_guard(&mut self, guard: Option<Guard<'a>>) {
        self.passphrase = guard;
        self.choose_version();
    }

    /// Where the scratch volume of this key was made, percent-encoded.
    pub fn volume_path(&self) -> Option<&'a str> {
        self.volume_path
    }

    pub fn set_volume_path(&mut self, path: Option<&'a str>) {
        self.volume_path = path;
        self.choose_version();
    }

    /// What a description tells of the key of a scratch volume.
    pub fn describe_scratch(&self) -> Option<String> {
        let volume = scratch_volume_of(self.name)?;
        let place = self.volume_path.map(|path| format!(", made at {}", decoded(path).display()));
        Some(format!("of the scratch volume {volume} alone{}", place.unwrap_or_default()))
    }

    fn choose_version(&mut self) {
        self.version = if self.is_plain() { PLAIN } else { GUARDED };
    }

    /// Whether it has nothing that came with version 2.
    fn is_plain(&self) -> bool {
        self.state.is_none() && self.passphrase.is_none() && self.volume_path.is_none()
    }

    /// The key's name.
    pub fn name(&self) -> &'a str {
        self.name
    }

    /// The id of the material that wraps.
    pub fn current(&self) -> &str {
        self.current
    }

    /// When the key was created, in seconds since 1970.
    pub fn created(&self) -> u64 {
        self.created
    }

    /// What the passphrase of the key opens; `None` for a key that has none.
    pub fn unlock(&self, passphrase: Option<&Passphrase>) -> Result<Option<Lock>, Fault> {
        match (self.guard(), passphrase) {
            (None, _) => Ok(None),
            (Some(guard), Some(passphrase)) => guard.unlock(self.name, passphrase).map(Some),
            // Somebody gave it one after it was asked for.
            (Some(_), None) => Err(self.passphrase_required()),
        }
    }

    /// A passphrase guards the key, and there is none.
    pub fn passphrase_required(&self) -> Fault {
        let name = self.name;
        let message =
            format!("the local key {name} needs a passphrase, and this program has none for it: give it one");
        ProviderError::new(ErrorClass::PassphraseRequired, message).into()
    }

    /// Everything a guarded material is bound to; each text is preceded by its length.
    fn associated_data(&self, lock: &Lock, id: &str) -> Vec<u8> {
        let ((memory_kib, passes, lanes), salt) = lock.parameters();
        let mut data = LABEL.to_vec();
        for number in [memory_kib, passes, lanes, self.materials.len() as u32] {
            data.extend_from_slice(&number.to_le_bytes());
        }
        data.extend_from_slice(salt);
        let times =
            [self.created()].into_iter().chain(self.materials.iter().map(|material| material.created));
        times.for_each(|time| data.extend_from_slice(&time.to_le_bytes()));
        let ids = self.materials.iter().map(|material| material.id);
        for text in [self.name(), self.current(), id].into_iter().chain(ids) {
            data.extend_from_slice(&(text.len() as u32).to_le_bytes());
            data.extend_from_slice(text.as_bytes());
        }
        data
    }

    /// One material, decoded into secret memory; of a guarded key with what its passphrase opened.
    pub fn material(&self, which: Which<'_>, lock: Option<&Lock>) -> Result<Material, Fault> {
        let id = match which {
            Which::Current => self.current,
            Which::Id(id) => id,
        };
        let Some(found) = self.materials.iter().find(|material| material.id == id) else {
            return Err(Fault::NoMaterial(id.to_owned()));
        };
        let key = match lock {
            Some(lock) => {
                let sealed = decode::<SEALED>(found.key);
                let sealed = sealed
                    .ok_or_else(|| Fault::Malformed("a guarded key is not 60 bytes in base64".to_owned()))?;
                lock.open(&self.associated_data(lock, id), &sealed)?
            }
            None => {
                let mut key = Secret::new()?;
                // A constant-time decoder: one with tables would show the key to whoever shares the cache.
                match Base64::decode(found.key, key.expose_mut()) {
                    Ok(bytes) if bytes.len() == 32 => key,
                    _ => return Err(Fault::Malformed("a key is not 32 bytes in base64".to_owned())),
                }
            }
        };
        Ok(Material { id: id.to_owned(), created: found.created, key })
    }
}

fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// The longest text of a material: 60 bytes in padded base64.
const KEY_TEXT: usize = SEALED / 3 * 4;

/// The text of a key file, in memory that is wiped.
pub type Text = Zeroizing<Vec<u8>>;

/// The text of a new key's file, guarded by this lock; that of a scratch volume may tell where the volume is.
pub fn create(name: &str, lock: Option<&Lock>, volume_path: Option<&str>) -> Result<Text, Fault> {
    let material = new_material()?;
    let mut file = KeyFile::new(name, material.created, &material.id);
    file.set_volume_path(volume_path);
    text_of(file, std::slice::from_ref(&material), lock)
}

/// The text of the file with one more material, which is the current one.
pub fn rotate(file: KeyFile<'_>, lock: Option<&Lock>) -> Result<Text, Fault> {
    if file.materials.len() >= MAX_MATERIALS {
        let name = file.name();
        let message = format!(
            "the local key {name} has {MAX_MATERIALS} materials, and gets no more: create another key, and rewrap its \
             volumes under that"
        );
        return Err(ProviderError::new(ErrorClass::LimitExceeded, message).into());
    }
    let mut materials = materials(&file, lock)?;
    materials.push(new_material()?);
    // Its strings may live shorter now: the new ones do not outlive this call.
    let mut file: KeyFile<'_> = file;
    file.current = &materials.last().expect("just put there").id;
    text_of(file, &materials, lock)
}

/// The text of the file under another lock, or under none.
pub fn relock(file: KeyFile<'_>, old: Option<&Lock>, new: Option<&Lock>) -> Result<Text, Fault> {
    let materials = materials(&file, old)?;
    text_of(file, &materials, new)
}

/// All materials of the file.
fn materials(file: &KeyFile<'_>, lock: Option<&Lock>) -> Result<Vec<Material>, Fault> {
    file.materials.iter().map(|material| file.material(Which::Id(material.id), lock)).collect()
}

/// The text of the file with these materials instead of its own.
fn text_of(file: KeyFile<'_>, materials: &[Material], lock: Option<&Lock>) -> Result<Text, Fault> {
    // Here, too.
    let mut file: KeyFile<'_> = file;
    let guard_texts = lock.map(Lock::texts);
    file.materials.clear();
    for Material { id, created, .. } in materials {
        file.materials.push(MaterialText { id, created: *created, key: "" });
    }
    file.set_guard(lock.zip(guard_texts.as_ref()).map(|(lock, texts)| lock.guard(texts)));
    let mut buffers: Vec<_> = materials.iter().map(|_| Zeroizing::new([0; KEY_TEXT])).collect();
    let mut keys = Vec::with_capacity(materials.len());
    for (buffer, material) in buffers.iter_mut().zip(materials) {
        let text = match lock {
            None => Base64::encode(material.key.expose(), &mut **buffer),
            Some(lock) => Base64::encode(
                &lock.seal(&file.associated_data(lock, &material.id), &material.key)?,
                &mut **buffer,
            ),
        };
        keys.push(text.expect("80 characters hold 60 bytes"));
    }
    for (text, key) in file.materials.iter_mut().zip(keys) {
        text.key = key;
    }
    text(&file)
}

/// The text of a key file.
pub fn text(file: &KeyFile<'_>) -> Result<Text, Fault> {
    // Written into a buffer of a fixed size: one that grows leaves its former contents behind.
    let mut text = Zeroizing::new(vec![0; MAX_FILE]);
    let mut cursor = Cursor::new(&mut text[..]);
    serde_json::to_writer(&mut cursor, file)
        .map_err(|_| Fault::Malformed(format!("its changed text would be longer than {MAX_FILE} bytes")))?;
    let length = cursor.position() as usize;
    text.truncate(length);
    Ok(text)
}

fn new_material() -> Result<Material, Fault> {
    Ok(Material { id: new_uuid()?.to_string(), created: now(), key: Secret::random()? })
}

/// A path as key files have it: printable ASCII, which JSON need not escape.
pub fn encoded(path: &Path) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for &byte in path.as_os_str().as_encoded_bytes() {
        match byte {
            b'%' | b'"' | b'\\' => write!(text, "%{byte:02X}"),
            b' '..=b'~' => write!(text, "{}", char::from(byte)),
            _ => write!(text, "%{byte:02X}"),
        }
        .expect("writing to a string does not fail");
    }
    text
}

/// The path again; what is not encoded so is taken as it is.
pub fn decoded(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, others)) = rest.split_first() {
        let digits = others.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let byte = digits.filter(|_| first == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &others[2..] } else { others };
    }
    #[cfg(unix)]
    let path = <std::ffi::OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes).into();
    #[cfg(not(unix))]
    let path = String::from_utf8_lossy(&bytes).into_owned().into();
    path
}

#[cfg(test)]
pub fn round_trip(path: &Path) -> PathBuf {
    let text = encoded(path);
    assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\'));
    decoded(&text)
}
