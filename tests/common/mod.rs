//! What the tests of volumes share: keys, files, and headers edited as an attacker would.
#![allow(dead_code, reason = "each test program uses a part of it")]

pub mod elevated;
pub mod peers;

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use atrest::keys::{Class, Envelope, Expect, LocalKeystore, Providers, VolumeKeys, block_on, new_uuid};
use atrest::volume::{CreateOptions, Mode, OpenError, Volume};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

/// Where a new volume's data begins.
pub const DATA_OFFSET: u64 = 16 << 20;
/// The size of one copy of a new volume's header.
pub const COPY: usize = 16384;

/// A directory with a keystore in it.
pub struct Place {
    pub dir: TempDir,
    pub keystore: LocalKeystore,
}

impl Place {
    pub fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        let keystore = LocalKeystore::open_or_create(dir.path().join("keys")).unwrap();
        keystore.ensure_key("default").unwrap();
        Place { dir, keystore }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn providers(&self) -> Providers {
        Providers::new().with(LocalKeystore::open(self.keystore.path()).unwrap())
    }

    pub fn envelope(&self) -> (Envelope, VolumeKeys) {
        let volume = new_uuid().unwrap();
        block_on(Envelope::create(&self.keystore, "default", volume, Class::Persistent)).unwrap()
    }

    /// A new volume at `name`, and its keys.
    pub fn create(&self, name: &str, options: &CreateOptions) -> (Volume, VolumeKeys) {
        let (envelope, keys) = self.envelope();
        let volume = Volume::create(new_file(&self.path(name)), options, envelope, &keys).unwrap();
        (volume, keys)
    }

    pub fn open(&self, name: &str) -> Result<Volume, OpenError> {
        Volume::open(read_only(&self.path(name)), &self.providers(), &Expect::any(), Mode::ReadOnly)
    }

    /// A new volume with `content`, closed again.
    pub fn volume_of(&self, name: &str, content: &[u8], sector_size: usize) -> VolumeKeys {
        let options = CreateOptions::new(content.len() as u64).sector_size(sector_size);
        let (volume, keys) = self.create(name, &options);
        volume.write_at(content, 0).unwrap();
        volume.flush().unwrap();
        keys
    }
}

pub fn new_file(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).create_new(true).open(path).unwrap()
}

pub fn read_only(path: &Path) -> File {
    File::open(path).unwrap()
}

pub fn read_write(path: &Path) -> File {
    OpenOptions::new().read(true).write(true).open(path).unwrap()
}

pub fn read_all(volume: &Volume) -> Vec<u8> {
    let mut content = vec![0; volume.size() as usize];
    volume.read_at(&mut content, 0).unwrap();
    content
}

/// Bytes that do not repeat, the same for each seed.
pub fn noise(length: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Both copies of a header of the default size.
pub fn header_of(path: &Path) -> Vec<u8> {
    let mut bytes = vec![0; 2 * COPY];
    read_only(path).read_exact_at(&mut bytes, 0).unwrap();
    bytes
}

pub fn put_header(path: &Path, bytes: &[u8]) {
    read_write(path).write_all_at(bytes, 0).unwrap();
}

/// The JSON of the first copy.
pub fn json_of(header: &[u8]) -> Value {
    let area = &header[4096..COPY];
    let end = area.iter().position(|&byte| byte == 0).unwrap();
    serde_json::from_slice(&area[..end]).unwrap()
}

/// Puts text into the JSON areas of both copies and makes their checksums right again, as an attacker can.
pub fn with_json(header: &[u8], json: &[u8]) -> Vec<u8> {
    let mut header = header.to_vec();
    for copy in header.chunks_mut(COPY) {
        copy[4096..].fill(0);
        copy[4096..4096 + json.len()].copy_from_slice(json);
        fix_checksum(copy);
    }
    header
}

/// Edits the JSON of both copies.
pub fn edited(header: &[u8], edit: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut json = json_of(header);
    edit(&mut json);
    with_json(header, json.to_string().as_bytes())
}

pub fn fix_checksum(copy: &mut [u8]) {
    copy[448..512].fill(0);
    let sum = Sha256::digest(&*copy);
    copy[448..480].copy_from_slice(&sum);
}
