//! Key files as they are written: new ones, and those of keys that change.

use super::{
    super::{ErrorClass, ProviderError, Secret, new_uuid},
    MAX_FILE,
    guard::{Lock, SEALED},
    keyfile::{Fault, KeyFile, MAX_MATERIALS, Material, MaterialText, Which},
    state::now,
};
use base64ct::{Base64, Encoding};
use std::io::Cursor;
use zeroize::Zeroizing;

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
            Some(lock) => Base64::encode(&lock.seal(&file, &material.id, &material.key)?, &mut **buffer),
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
