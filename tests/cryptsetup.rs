//! cryptsetup, e2fsprogs and blkid read what is written here, and what cryptsetup writes is read here.
//!
//! These programs are not part of the project: where one is missing a test prints so and passes, unless
//! `ATREST_REQUIRE_PEERS` is set. No device mapper and no privileges are needed.
#![cfg(feature = "volume")]

mod common;

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use atrest::keys::Expect;
use atrest::luks2::{HeaderCopy, ParseError, TokenError, VolumeKeyError, Warning};
use atrest::volume::{
    CreateOptions, DestroyOptions, Header, HeaderBackup, Mode, OpenError, SectorCipher, Volume,
};
use common::peers::required;
use common::{COPY, DATA_OFFSET, Place, header_of, noise, put_header, read_all, read_only, read_write};

fn run(program: &Path, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).env("LC_ALL", "C").output().unwrap()
}

/// Runs a program that must succeed, and gives its output.
fn succeed(program: &Path, arguments: &[&str]) -> String {
    let output = run(program, arguments);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{} {arguments:?}: {}\n{out}{err}", program.display(), output.status);
    out.into_owned()
}

/// cryptsetup, and files beside the volume for it.
struct Peer {
    place: Place,
    cryptsetup: PathBuf,
}

const FAST_PBKDF: [&str; 4] = ["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"];

impl Peer {
    fn new() -> Option<Peer> {
        let cryptsetup = required("cryptsetup")?;
        let place = Place::new();
        fs::write(place.path("passphrase"), "correct horse").unwrap();
        fs::write(place.path("wrong-key"), [1; 64]).unwrap();
        Some(Peer { place, cryptsetup })
    }

    fn file(&self, name: &str) -> String {
        self.place.path(name).to_str().unwrap().into()
    }

    /// Arguments that begin with `@` name files in the place.
    fn arguments(&self, arguments: &[&str]) -> Vec<String> {
        let file = |argument: &&str| match argument.strip_prefix('@') {
            Some(name) => self.file(name),
            None => (*argument).into(),
        };
        ["--batch-mode"].iter().chain(arguments).map(file).collect()
    }

    fn output(&self, arguments: &[&str]) -> Output {
        Command::new(&self.cryptsetup).args(self.arguments(arguments)).env("LC_ALL", "C").output().unwrap()
    }

    fn succeed(&self, arguments: &[&str]) -> String {
        let arguments = self.arguments(arguments);
        succeed(&self.cryptsetup, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    }

    /// A new volume at `v` with `content`, and its key at `key`.
    fn volume(&self, content: &[u8], sector_size: usize) {
        let keys = self.place.volume_of("v", content, sector_size);
        fs::write(self.place.path("key"), keys.xts_key()).unwrap();
    }

    fn add_passphrase(&self, volume: &str) {
        let key = ["luksAddKey", volume, "--volume-key-file", "@key", "--key-size", "512", "@passphrase"];
        self.succeed(&[&key[..], &FAST_PBKDF].concat());
    }
}

/// An ext4 file system of 8 MiB with real files in it.
fn ext4(peer: &Peer) -> Option<Vec<u8>> {
    let mkfs = required("mkfs.ext4")?;
    let root = peer.place.path("root");
    fs::create_dir_all(root.join("deep/er")).unwrap();
    fs::write(root.join("manifest"), include_str!("../Cargo.toml")).unwrap();
    fs::write(root.join("deep/er/noise"), noise(1_500_000, 4)).unwrap();
    fs::write(root.join("deep/empty"), "").unwrap();
    std::os::unix::fs::symlink("../manifest", root.join("deep/link")).unwrap();
    let image = peer.place.path("image");
    common::new_file(&image).set_len(8 << 20).unwrap();
    let (root, image) = (root.to_str().unwrap(), image.to_str().unwrap());
    succeed(&mkfs, &["-q", "-b", "4096", "-d", root, image]);
    Some(fs::read(image).unwrap())
}

#[test]
fn cryptsetup_accepts_the_header_and_the_key() {
    let Some(peer) = Peer::new() else { return };
    for sector_size in [512, 1024, 2048, 4096] {
        let _ = fs::remove_file(peer.place.path("v"));
        peer.volume(&noise(100_000, 1), sector_size);
        let before = fs::read(peer.place.path("v")).unwrap();

        let dump = peer.succeed(&["luksDump", "@v"]);
        for line in [
            "Version:       \t2",
            "cipher: aes-xts-plain64",
            "offset: 16777216 [bytes]",
            "0: atrest",
            "0: pbkdf2",
        ] {
            assert!(dump.contains(line), "no {line:?} in\n{dump}");
        }
        assert!(dump.contains(&format!("sector: {sector_size} [bytes]")), "{dump}");
        peer.succeed(&["isLuks", "--type", "luks2", "@v"]);
        let test = ["open", "--test-passphrase", "@v", "--key-size", "512", "--volume-key-file"];
        peer.succeed(&[&test[..], &["@key"]].concat());
        assert!(
            !peer.output(&[&test[..], &["@wrong-key"]].concat()).status.success(),
            "the digest checks nothing"
        );
        // A recovery would have written: both copies are as cryptsetup wants them.
        assert!(fs::read(peer.place.path("v")).unwrap() == before);
    }
}

#[test]
fn an_empty_volume_is_one_to_cryptsetup_too() {
    let Some(peer) = Peer::new() else { return };
    peer.volume(b"", 4096);
    peer.succeed(&["luksDump", "@v"]);
    peer.succeed(&["open", "--test-passphrase", "@v", "--key-size", "512", "--volume-key-file", "@key"]);
}

#[test]
fn cryptsetup_decrypts_a_file_system_bit_for_bit() {
    let Some(peer) = Peer::new() else { return };
    let (Some(image), Some(e2fsck)) = (ext4(&peer), required("e2fsck")) else { return };
    for sector_size in [512, 4096] {
        for name in ["v", "decrypted", "header"] {
            let _ = fs::remove_file(peer.place.path(name));
        }
        peer.volume(&image, sector_size);
        peer.add_passphrase("@v");
        peer.succeed(&["open", "--test-passphrase", "@v", "--key-file", "@passphrase"]);

        fs::copy(peer.place.path("v"), peer.place.path("decrypted")).unwrap();
        let decrypt = ["reencrypt", "--decrypt", "--force-offline-reencrypt", "--header", "@header"];
        peer.succeed(&[&decrypt[..], &["--key-file", "@passphrase", "@decrypted"]].concat());
        let decrypted = fs::read(peer.place.path("decrypted")).unwrap();
        assert!(decrypted[..image.len()] == image, "sectors of {sector_size}");
        read_write(&peer.place.path("decrypted")).set_len(image.len() as u64).unwrap();
        succeed(&e2fsck, &["-fn", &peer.file("decrypted")]);

        // After all that cryptsetup added, the volume is still ours.
        let volume = peer.place.open("v").unwrap();
        assert_eq!((volume.header().keyslots().len(), volume.warnings()), (1, &[][..]));
        assert!(read_all(&volume) == image);
    }
}

#[test]
fn a_partial_last_sector_is_padded_with_zeros() {
    let Some(peer) = Peer::new() else { return };
    let content = noise(50_001, 1);
    peer.volume(&content, 4096);
    peer.add_passphrase("@v");
    let decrypt = ["reencrypt", "--decrypt", "--force-offline-reencrypt", "--header", "@header"];
    peer.succeed(&[&decrypt[..], &["--key-file", "@passphrase", "@v"]].concat());
    let decrypted = fs::read(peer.place.path("v")).unwrap();
    assert!(decrypted[..50_001] == content);
    assert!(decrypted[50_001..53_248].iter().all(|&byte| byte == 0));
}

#[test]
fn what_cryptsetup_encrypts_is_read_with_the_volume_key() {
    let Some(peer) = Peer::new() else { return };
    let content = noise(3 << 20, 8);
    for (bits, sector_size) in [(512, "512"), (512, "4096"), (256, "4096")] {
        let path = peer.place.path("foreign");
        fs::write(&path, &content).unwrap();
        read_write(&path).set_len((3 << 20) + (32 << 20)).unwrap();
        let key = noise(bits / 8, 77);
        fs::write(peer.place.path("key"), &key).unwrap();
        let size = bits.to_string();
        let encrypt = ["reencrypt", "--encrypt", "--type", "luks2", "--reduce-device-size", "32M"];
        let cipher = ["--cipher", "aes-xts-plain64", "--key-size", &size, "--sector-size", sector_size];
        let keys = [
            "--force-offline-reencrypt",
            "--volume-key-file",
            "@key",
            "--key-file",
            "@passphrase",
            "@foreign",
        ];
        peer.succeed(&[&encrypt[..], &cipher, &FAST_PBKDF, &keys].concat());

        let open = |key: &[u8], mode| Volume::open_with_volume_key(read_write(&path), key, mode);
        let volume = open(&key, Mode::ReadWrite).unwrap();
        assert_eq!((volume.sector_size().to_string(), volume.warnings()), (sector_size.into(), &[][..]));
        // cryptsetup shifts the data by half of what it was given; the rest of that is left as it was.
        let all = read_all(&volume);
        assert_eq!(all.len(), (3 << 20) + (16 << 20));
        assert!(all[..content.len()] == content);
        // Without I/O of the library's: the same, from the bytes of the header and the key.
        let bytes = fs::read(&path).unwrap();
        let (header, _) = Header::parse(&bytes).unwrap();
        let cipher = SectorCipher::with_volume_key(&header, &key, bytes.len() as u64).unwrap();
        assert_eq!((cipher.size(), cipher.sector_size().to_string()), (volume.size(), sector_size.into()));
        let mut sectors = bytes[cipher.position(0) as usize..].to_vec();
        cipher.decrypt(0, &mut sectors).unwrap();
        assert!(sectors == all);

        // What is written here comes out of cryptsetup.
        volume.write_at(b"written here", 1_000_001).unwrap();
        volume.flush().unwrap();
        let _ = fs::remove_file(peer.place.path("header"));
        let mut wrong = key.clone();
        wrong[0] ^= 1;
        assert!(matches!(open(&wrong, Mode::ReadOnly), Err(OpenError::VolumeKey(VolumeKeyError::WrongKey))));
        let ours = Volume::open(read_only(&path), &peer.place.providers(), &Expect::any(), Mode::ReadOnly);
        assert!(matches!(&ours, Err(OpenError::Token(TokenError::Missing))), "{ours:?}");
        let decrypt = ["reencrypt", "--decrypt", "--force-offline-reencrypt", "--header", "@header"];
        peer.succeed(&[&decrypt[..], &["--key-file", "@passphrase", "@foreign"]].concat());
        let mut expected = content.clone();
        expected[1_000_001..][..12].copy_from_slice(b"written here");
        assert!(fs::read(&path).unwrap()[..content.len()] == expected);
    }
}

#[test]
fn cryptsetups_changes_to_the_header_are_followed() {
    let Some(peer) = Peer::new() else { return };
    let content = noise(10_000, 5);
    peer.volume(&content, 4096);
    let good = || {
        let volume = peer.place.open("v").unwrap();
        assert!(read_all(&volume) == content);
        assert_eq!(volume.warnings(), []);
        volume.header().clone()
    };
    peer.add_passphrase("@v");
    peer.add_passphrase("@v");
    peer.succeed(&["config", "@v", "--label", "backup", "--subsystem", "tests"]);
    let header = good();
    assert_eq!(
        (header.label(), header.subsystem(), header.keyslots().len()),
        ("backup".into(), "tests".into(), 2)
    );
    peer.succeed(&["luksKillSlot", "@v", "1"]);
    peer.succeed(&["token", "add", "@v", "--key-description", "some:key"]);
    let header = good();
    assert_eq!((header.keyslots().len(), header.tokens().len()), (1, 2));

    // A backup of the header restores a volume whose header was lost.
    peer.succeed(&["luksHeaderBackup", "@v", "--header-backup-file", "@backup"]);
    let backup = fs::read(peer.place.path("backup")).unwrap();
    assert_eq!(Header::parse(&backup).unwrap().0.uuid(), header.uuid());
    put_header(&peer.place.path("v"), &[0; 2 * COPY]);
    assert!(matches!(peer.place.open("v"), Err(OpenError::Header(ParseError::NotLuks))));
    peer.succeed(&["luksHeaderRestore", "@v", "--header-backup-file", "@backup"]);
    good();

    // Erasing the keyslots takes away passphrases, not the token.
    peer.succeed(&["luksErase", "@v"]);
    assert_eq!(good().keyslots(), []);

    // Another UUID is another volume's.
    peer.succeed(&["luksUUID", "@v", "--uuid", "11111111-2222-3333-4444-555555555555"]);
    let error = peer.place.open("v").unwrap_err();
    assert!(matches!(error, OpenError::Uuid(found) if found.envelope == header.uuid()), "{error}");
    peer.succeed(&["luksUUID", "@v", "--uuid", &header.uuid().to_string()]);
    good();
}

#[test]
fn backups_of_headers_go_both_ways() {
    let Some(peer) = Peer::new() else { return };
    let content = noise(10_000, 5);
    peer.volume(&content, 4096);
    peer.add_passphrase("@v");
    let path = peer.place.path("v");
    peer.succeed(&["luksHeaderBackup", "@v", "--header-backup-file", "@theirs"]);
    let (ours, warnings) = HeaderBackup::take(&read_only(&path)).unwrap();
    assert!(fs::read(peer.place.path("theirs")).unwrap() == ours.as_bytes() && warnings.is_empty());
    fs::write(peer.place.path("ours"), ours.as_bytes()).unwrap();
    let (theirs, _) = HeaderBackup::read(&read_only(&peer.place.path("theirs"))).unwrap();

    let lose = || put_header(&path, &noise(DATA_OFFSET as usize, 6));
    let opens = || {
        peer.succeed(&["open", "--test-passphrase", "@v", "--key-file", "@passphrase"]);
        let volume = peer.place.open("v").unwrap();
        assert!(read_all(&volume) == content && volume.warnings().is_empty());
    };
    lose();
    let restored = theirs.restore(&read_write(&path), &Expect::any(), false).unwrap();
    assert!(!restored.compared);
    opens();
    lose();
    peer.succeed(&["luksHeaderRestore", "@v", "--header-backup-file", "@ours"]);
    opens();

    // What cryptsetup changed since is seen: a keyslot that came, and one that went.
    peer.add_passphrase("@v");
    let refused = |parts: &[&str]| {
        let before = fs::read(&path).unwrap();
        let line = ours.restore(&read_write(&path), &Expect::any(), false).unwrap_err().to_string();
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
        assert!(fs::read(&path).unwrap() == before);
    };
    refused(&["older", "takes away cryptsetup's keyslot 1"]);
    peer.succeed(&["luksKillSlot", "@v", "0", "--key-file", "@passphrase"]);
    refused(&["brings back cryptsetup's keyslot 0", "takes away cryptsetup's keyslot 1"]);
    let restored = ours.restore(&read_write(&path), &Expect::any(), true).unwrap();
    assert!(restored.compared && restored.differences.len() == 3, "{:?}", restored.differences);
    opens();
}

#[test]
fn what_is_destroyed_is_none_to_cryptsetup_and_passphrases_in_copies_are_told() {
    let Some(peer) = Peer::new() else { return };
    peer.volume(&noise(10_000, 5), 4096);
    peer.add_passphrase("@v");
    fs::copy(peer.place.path("v"), peer.place.path("copy")).unwrap();
    let file = read_write(&peer.place.path("v"));
    let options = DestroyOptions::new(Expect::any()).force(true);
    let destroyed =
        Volume::destroy(&file, Some(&peer.place.keystore), &peer.place.providers(), &options).unwrap();
    assert_eq!((destroyed.keyslots, destroyed.key_erased, destroyed.overwritten), (1, false, DATA_OFFSET));
    assert!(!peer.output(&["isLuks", "@v"]).status.success());
    assert!(!peer.output(&["repair", "@v"]).status.success());
    peer.succeed(&["open", "--test-passphrase", "@copy", "--key-file", "@passphrase"]);
}

#[test]
fn our_update_and_cryptsetups_repair_agree() {
    let Some(peer) = Peer::new() else { return };
    peer.volume(b"content", 4096);
    peer.add_passphrase("@v");
    let path = peer.place.path("v");
    let (mut header, _) = Header::read(&read_only(&path)).unwrap();
    header.update(&read_write(&path)).unwrap();
    peer.succeed(&["open", "--test-passphrase", "@v", "--key-file", "@passphrase"]);

    // cryptsetup mends what is damaged, and what it finds is what we found.
    for (base, damaged) in [(0, HeaderCopy::First), (COPY, HeaderCopy::Second)] {
        let mut bytes = header_of(&path);
        bytes[base + 5000] ^= 1;
        put_header(&path, &bytes);
        let (_, warnings) = Header::read(&read_only(&path)).unwrap();
        assert!(matches!(&warnings[..], [Warning::CopyDamaged { copy, .. }] if *copy == damaged));
        peer.succeed(&["repair", "@v"]);
        let (mended, warnings) = Header::read(&read_only(&path)).unwrap();
        assert_eq!((warnings, mended.keyslots().len()), (vec![], 1));
    }
    assert_eq!(read_all(&peer.place.open("v").unwrap()), b"content");
}

#[test]
fn a_volume_amid_reencryption_is_refused() {
    let Some(peer) = Peer::new() else { return };
    peer.volume(&noise(1 << 20, 1), 4096);
    peer.add_passphrase("@v");
    let reencrypt =
        ["reencrypt", "--init-only", "--force-offline-reencrypt", "--key-file", "@passphrase", "@v"];
    peer.succeed(&[&reencrypt[..], &FAST_PBKDF].concat());
    let error = peer.place.open("v").unwrap_err();
    assert!(matches!(&error, OpenError::NotSupported(why) if why.0.contains("reencrypt")), "{error}");
    let (header, _) = Header::read(&read_only(&peer.place.path("v"))).unwrap();
    assert!(!header.requirements().is_empty() && header.segments().len() > 1);
}

#[test]
fn volumes_of_other_kinds_are_named() {
    let Some(peer) = Peer::new() else { return };
    let path = peer.place.path("other");
    let format = |arguments: &[&str]| {
        let _ = fs::remove_file(&path);
        common::new_file(&path).set_len(DATA_OFFSET + (1 << 20)).unwrap();
        peer.succeed(
            &[&["luksFormat"], arguments, &FAST_PBKDF, &["--key-file", "@passphrase", "@other"]].concat(),
        );
    };
    let open = || {
        Volume::open(read_only(&path), &peer.place.providers(), &Expect::any(), Mode::ReadOnly).unwrap_err()
    };
    format(&["--type", "luks1"]);
    assert!(matches!(open(), OpenError::Header(ParseError::Luks1)));
    format(&["--type", "luks2", "--cipher", "aes-cbc-essiv:sha256", "--key-size", "256"]);
    assert!(matches!(open(), OpenError::NotSupported(why) if why.0.contains("essiv")));
    format(&["--type", "luks2", "--luks2-metadata-size", "64k"]);
    assert!(matches!(open(), OpenError::Token(TokenError::Missing)));
    // The second copy of a larger header is found where it stands.
    put_header(&path, &[0; 4096]);
    let (header, warnings) = Header::read(&read_only(&path)).unwrap();
    assert_eq!((header.copy_size(), header.used_copy(), warnings.len()), (65536, HeaderCopy::Second, 1));
}

#[test]
fn blkid_sees_luks() {
    let (Some(blkid), place) = (required("blkid"), Place::new()) else { return };
    let (volume, _) = place.create("v", &CreateOptions::new(1 << 20).label("my-label"));
    let shown = succeed(&blkid, &["-p", place.path("v").to_str().unwrap()]);
    for part in
        [format!("UUID=\"{}\"", volume.header().uuid()), "crypto_LUKS".into(), "LABEL=\"my-label\"".into()]
    {
        assert!(shown.contains(&part), "no {part} in {shown}");
    }
    let mut zeros = vec![1; 512];
    read_only(&place.path("v")).read_exact_at(&mut zeros, DATA_OFFSET).unwrap();
    assert_eq!(zeros, [0; 512], "the data area is sparse");
}
