//! Key files as they are written: new ones, and those of keys that change.

use super::{
    super::{ErrorClass, ProviderError, Secret, new_uuid},
    MAX_FILE,
    keyfile::{Fault, KeyFile, MAX_MATERIALS, MaterialText},
    state::now,
};
use base64ct::{Base64, Encoding};
use std::io::Cursor;
use zeroize::Zeroizing;

/// 32 bytes in padded base64.
const KEY_TEXT: usize = 44;

/// The text of a key file, in memory that is wiped.
pub type Text = Zeroizing<Vec<u8>>;

/// The text of a new key's file.
pub fn create(name: &str) -> Result<Text, Fault> {
    let (id, created) = (new_id()?, now());
    let mut key = Zeroizing::new([0; KEY_TEXT]);
    let material = new_material(&id, created, &mut key)?;
    text(&KeyFile::new(name, created, &id, vec![material]))
}

/// The text of the file with one more material, which is the current one.
pub fn rotate(file: KeyFile<'_>) -> Result<Text, Fault> {
    if file.materials.len() >= MAX_MATERIALS {
        let name = file.name();
        let message = format!(
            "the local key {name} has {MAX_MATERIALS} materials, and gets no more: create another key, and rewrap its \
             volumes with `atrest rewrap VOLUME --key`"
        );
        return Err(ProviderError::new(ErrorClass::LimitExceeded, message).into());
    }
    let id = new_id()?;
    let mut key = Zeroizing::new([0; KEY_TEXT]);
    // Its strings may live shorter now: the new one's do not outlive this call.
    let mut file: KeyFile<'_> = file;
    file.materials.push(new_material(&id, now(), &mut key)?);
    file.current = &id;
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

fn new_id() -> Result<String, Fault> {
    Ok(new_uuid()?.to_string())
}

/// A new random material, whose key is written as `text`.
fn new_material<'a>(
    id: &'a str,
    created: u64,
    text: &'a mut [u8; KEY_TEXT],
) -> Result<MaterialText<'a>, Fault> {
    let key = Secret::<32>::random()?;
    let key = Base64::encode(key.expose(), text).expect("44 characters hold 32 bytes");
    Ok(MaterialText { id, created, key })
}
