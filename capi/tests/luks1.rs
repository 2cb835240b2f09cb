//! LUKS1 volumes, whose payload qemu and our C calls read and write. What is LUKS1 in it (the header, the keyslot, the
//! anti-forensic splitter) is here, from its specification: On-Disk Format, version 1.2.3.
//!
//! cryptsetup formats them, for it can be told the number of iterations; qemu measures the processor, and where that is
//! busy gives up.
//!
//! Neither is part of the project: without them the test prints so and passes, unless `ATREST_REQUIRE_PEERS` is set.
#![cfg(unix)]

#[path = "../../tests/common/library.rs"]
mod library;
#[path = "../../tests/common/peers.rs"]
mod peers;

use std::ffi::c_void;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::Command;

use libloading::Library;
use peers::required;
use sha2::{Digest as _, Sha256};

type New = unsafe extern "C" fn(*const u8, usize, *mut *mut c_void) -> i32;
type Free = unsafe extern "C" fn(*mut c_void);
type Sectors = unsafe extern "C" fn(*const c_void, u64, usize, *const u8, *mut u8, usize) -> i32;

/// A key of the shared library.
struct Xts {
    library: Library,
    key: *mut c_void,
}

impl Xts {
    fn new(key: &[u8]) -> Xts {
        let path = &library::library("").shared;
        let mut xts = core::ptr::null_mut();
        // SAFETY: the types are those of include/atrest.h; the key is as long as it says.
        let library = unsafe {
            let library = Library::new(path).unwrap();
            let new = *library.get::<New>(b"atrest_xts_new\0").unwrap();
            assert_eq!(new(key.as_ptr(), key.len(), &mut xts), 0);
            library
        };
        Xts { library, key: xts }
    }

    /// Encrypts or decrypts sectors of 512 bytes in place, from sector 0 on.
    fn run(&self, call: &str, data: &mut [u8]) {
        // SAFETY: as above; in place.
        unsafe {
            let call = *self.library.get::<Sectors>(call.as_bytes()).unwrap();
            assert_eq!(call(self.key, 0, 512, data.as_ptr(), data.as_mut_ptr(), data.len()), 0);
        }
    }

    fn encrypt(&self, data: &mut [u8]) {
        self.run("atrest_xts_encrypt_sectors", data);
    }

    fn decrypt(&self, data: &mut [u8]) {
        self.run("atrest_xts_decrypt_sectors", data);
    }
}

impl Drop for Xts {
    fn drop(&mut self) {
        // SAFETY: made by `new`, freed once.
        unsafe { (*self.library.get::<Free>(b"atrest_xts_free\0").unwrap())(self.key) }
    }
}

fn number(header: &[u8], at: usize) -> usize {
    u32::from_be_bytes(header[at..at + 4].try_into().unwrap()) as usize
}

fn text(header: &[u8], at: usize) -> &str {
    core::str::from_utf8(&header[at..at + 32]).unwrap().trim_end_matches('\0')
}

fn pbkdf2(secret: &[u8], salt: &[u8], iterations: usize, length: usize) -> Vec<u8> {
    let mut derived = vec![0; length];
    pbkdf2::pbkdf2_hmac::<Sha256>(secret, salt, iterations as u32, &mut derived);
    derived
}

/// Section 2.4: AFmerge, whose H1 hashes each block of a digest's length under its number.
fn merge(material: &[u8], length: usize) -> Vec<u8> {
    let mut merged = vec![0; length];
    let mut stripes = material.chunks(length).peekable();
    while let Some(stripe) = stripes.next() {
        merged.iter_mut().zip(stripe).for_each(|(byte, other)| *byte ^= other);
        if stripes.peek().is_some() {
            for (i, block) in merged.chunks_mut(32).enumerate() {
                let hash =
                    Sha256::new().chain_update((i as u32).to_be_bytes()).chain_update(&*block).finalize();
                let length = block.len();
                block.copy_from_slice(&hash[..length]);
            }
        }
    }
    merged
}

/// The payload's key, and where the payload begins.
fn unlock(path: &Path, passphrase: &[u8]) -> (Vec<u8>, u64) {
    let image = fs::read(path).unwrap();
    assert_eq!(&image[..8], b"LUKS\xba\xbe\0\x01");
    assert_eq!((text(&image, 8), text(&image, 40), text(&image, 72)), ("aes", "xts-plain64", "sha256"));
    let (payload, length) = (number(&image, 104), number(&image, 108));
    let slot =
        (0..8).map(|i| &image[208 + 48 * i..][..48]).find(|slot| number(slot, 0) == 0x00ac_71f3).unwrap();
    let (offset, stripes) = (number(slot, 40) * 512, number(slot, 44));
    let mut material = image[offset..][..length * stripes].to_vec();
    Xts::new(&pbkdf2(passphrase, &slot[8..40], number(slot, 4), length)).decrypt(&mut material);
    let key = merge(&material, length);
    let digest = pbkdf2(&key, &image[132..164], number(&image, 164), 20);
    assert_eq!(digest, image[112..132], "the key that came out is not the volume's");
    (key, payload as u64 * 512)
}

#[test]
fn payloads_of_qemu_are_read_and_written() {
    let (Some(cryptsetup), Some(qemu_io)) = (required("cryptsetup"), required("qemu-io")) else { return };
    const SIZE: usize = 3 << 20;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("luks");
    let secret = ["--object", "secret,id=s,data=correct horse"];
    let run = |command: &mut Command| {
        let output = command.output().unwrap();
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !said.contains("failed"), "{command:?}: {said}");
    };
    let passphrase = directory.path().join("passphrase");
    fs::write(&passphrase, "correct horse").unwrap();
    File::create(&path).unwrap().set_len((2 << 20) + SIZE as u64).unwrap();
    run(Command::new(cryptsetup)
        .args(["luksFormat", "--batch-mode", "--type", "luks1", "--align-payload", "4096"])
        .args(["--cipher", "aes-xts-plain64", "--key-size", "512", "--hash", "sha256"])
        .args(["--pbkdf-force-iterations", "1000", "--key-file"])
        .args([&passphrase, &path]));
    let qemu_io = |commands: &[&str]| {
        let image = format!("driver=luks,key-secret=s,file.filename={}", path.display());
        let mut command = Command::new(&qemu_io);
        command.args(secret).args(["--image-opts", &image]);
        for line in commands {
            command.args(["-c", line]);
        }
        run(&mut command);
    };

    // qemu writes, and we read.
    qemu_io(&["write -P 0x5a 0 1M", "write -P 0xa5 1M 512", "write -P 0x77 2M 1M", "flush"]);
    let (key, offset) = unlock(&path, b"correct horse");
    assert_eq!(key.len(), 64);
    let (xts, file) = (Xts::new(&key), File::options().read(true).write(true).open(&path).unwrap());
    let mut payload = vec![0; SIZE];
    file.read_exact_at(&mut payload, offset).unwrap();
    xts.decrypt(&mut payload);
    for (range, byte) in [(0..1 << 20, 0x5a), (1 << 20..(1 << 20) + 512, 0xa5), (2 << 20..3 << 20, 0x77)] {
        assert!(payload[range].iter().all(|&found| found == byte), "{byte:x}");
    }

    // We write, and qemu reads.
    for (i, sector) in payload.chunks_mut(512).enumerate() {
        sector.fill(if i < 3000 { 0x21 } else { 0x43 });
    }
    xts.encrypt(&mut payload);
    file.write_all_at(&payload, offset).unwrap();
    qemu_io(&["read -P 0x21 0 1536000", "read -P 0x43 1536000 1609728"]);
}
