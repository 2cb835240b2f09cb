//! What goes in comes out.

use std::fs::{self, File};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::process::Stdio;

use atrest::xts::Backend;

use super::common::noise;
use super::common::peers::{left_out, program, required};
use super::place::{ATREST, Place, text};

const LENGTHS: [usize; 11] =
    [0, 1, 511, 512, 513, 4095, 4096, 4097, (1 << 19) - 1, (1 << 20) + 13, (64 << 20) + 4095];

#[test]
fn a_file_goes_in_and_comes_out() {
    let place = Place::with_key();
    for length in LENGTHS {
        let content = noise(length, length as u64);
        place.put("in", &content);
        let sector_size = if length % 2 == 0 { "512" } else { "4096" };
        place.succeed(&["encrypt", "in", "v", "--sector-size", sector_size]);
        place.succeed(&["decrypt", "v", "out"]);
        assert!(place.read("out") == content, "{length}");
        assert_eq!(place.names(), ["in", "out", "v"]);
        let sectors = length.next_multiple_of(sector_size.parse().unwrap());
        assert_eq!(fs::metadata(place.path("v")).unwrap().len(), (16 << 20) + sectors as u64);
        for name in ["v", "out"] {
            fs::remove_file(place.path(name)).unwrap();
        }
    }
}

#[test]
fn a_stream_goes_in_and_comes_out() {
    let place = Place::with_key();
    for length in LENGTHS {
        let content = noise(length, 1);
        let output = place.feed(&["encrypt", "-", "v"], &content);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let output = place.succeed(&["decrypt", "v", "-"]);
        assert!(output.stdout == content, "{length}");
        assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
        fs::remove_file(place.path("v")).unwrap();
    }
}

#[test]
fn a_redirected_file_is_read_from_where_it_stands() {
    let place = Place::with_key();
    place.put("in", &noise(10_000, 1));
    let mut input = File::open(place.path("in")).unwrap();
    std::io::Seek::seek(&mut input, std::io::SeekFrom::Start(1234)).unwrap();
    assert!(place.command(&["encrypt", "-", "v"]).stdin(Stdio::from(input)).status().unwrap().success());
    assert!(place.succeed(&["decrypt", "v", "-"]).stdout == noise(10_000, 1)[1234..]);
}

#[test]
fn nothing_of_the_input_is_in_the_volume() {
    let place = Place::with_key();
    let content = [b'A'; 100_000];
    place.put("in", &content);
    place.succeed(&["encrypt", "in", "v"]);
    let volume = place.read("v");
    assert!(!volume.windows(16).any(|window| window == &content[..16]));
    // Equal sectors become different ones.
    let sectors: std::collections::HashSet<&[u8]> = volume[16 << 20..].chunks(4096).collect();
    assert_eq!(sectors.len(), 100_000_usize.div_ceil(4096));
}

#[test]
fn the_first_use_makes_the_key_and_says_so() {
    let place = Place::new();
    place.put("in", b"data");
    let first = place.succeed(&["encrypt", "in", "v"]);
    let lines: Vec<&str> = text(&first.stderr).lines().collect();
    let home = place.home();
    let [made, done, pin] = lines[..] else { panic!("{lines:?}") };
    assert!(
        made.starts_with("created the key local:default in ") && made.contains(home.to_str().unwrap()),
        "{made}"
    );
    assert!(made.contains("back up that directory"), "{made}");
    assert!(
        done.starts_with("encrypted in into v: 4 bytes in ") && done.ends_with(", key local:default"),
        "{done}"
    );
    let backend = done.split(", ").nth(2).unwrap();
    assert!(Backend::ALL.iter().any(|known| known.name() == backend), "{done}");

    let second = place.succeed(&["encrypt", "in", "w"]);
    assert_eq!(text(&second.stderr).lines().count(), 2);
    // The pin is what later opens take.
    let pin = pin.strip_prefix("pin, for --expect: ").unwrap();
    place.succeed(&["decrypt", "v", "out", "--expect", pin]);
    place.refuses(&["decrypt", "w", "other", "--expect", pin], &["is expected", &pin[..36]]);
}

#[test]
fn force_replaces_a_file_and_keeps_its_mode() {
    let place = Place::with_key();
    place.put("in", b"new");
    place.put("v", b"old");
    fs::set_permissions(place.path("v"), fs::Permissions::from_mode(0o4640)).unwrap();
    std::os::unix::fs::symlink("v", place.path("link")).unwrap();
    place.succeed(&["encrypt", "in", "link", "--force"]);
    assert!(fs::symlink_metadata(place.path("link")).unwrap().is_symlink());
    assert_eq!(fs::metadata(place.path("v")).unwrap().mode() & 0o7777, 0o640);
    place.put("out", b"old and longer");
    place.succeed(&["decrypt", "v", "out", "--force"]);
    assert_eq!(place.read("out"), b"new");
    // A file can become its own volume: it goes when the volume is complete.
    place.succeed(&["encrypt", "out", "out", "--force"]);
    assert_eq!(place.succeed(&["decrypt", "out", "-"]).stdout, b"new");
    assert_eq!(place.names(), ["in", "link", "out", "v"]);
}

#[test]
fn plain_text_is_for_its_owner_alone() {
    let place = Place::with_key();
    place.put("in", b"secret");
    place.succeed(&["encrypt", "in", "v"]);
    place.succeed(&["decrypt", "v", "out"]);
    let mode = |name: &str| fs::metadata(place.path(name)).unwrap().mode() & 0o7777;
    assert_eq!(mode("out"), 0o600);
    // Whatever it replaces, and whatever leads there.
    fs::hard_link(place.path("in"), place.path("linked")).unwrap();
    std::os::unix::fs::symlink("linked", place.path("link")).unwrap();
    for bits in [0o644, 0o666, 0o4777, 0o2775, 0o400] {
        fs::set_permissions(place.path("linked"), fs::Permissions::from_mode(bits)).unwrap();
        place.succeed(&["decrypt", "v", "link", "--force"]);
        assert_eq!((mode("linked"), place.read("linked")), (0o600, b"secret".to_vec()), "{bits:o}");
    }
    assert_eq!(mode("in"), 0o644, "another name of the file that was replaced");
    // A stricter umask is obeyed.
    let mut shell = place.program("sh");
    shell.args(["-c", "umask 0277; exec \"$0\" decrypt v strict", ATREST]);
    assert!(shell.status().unwrap().success());
    assert_eq!(mode("strict"), 0o400);
}

/// Only the superuser meets such files; for others there is nothing to test.
#[test]
fn what_others_made_decides_nothing() {
    const OTHER: u32 = 12345;
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::with_key();
    place.put("in", b"secret");
    place.succeed(&["encrypt", "in", "v"]);
    let theirs = |name: &str, mode: u32| {
        place.put(name, b"theirs");
        std::os::unix::fs::chown(place.path(name), Some(OTHER), Some(OTHER)).unwrap();
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    for (command, from, mode) in [("decrypt", "v", 0o600), ("encrypt", "in", 0o644)] {
        theirs("out", 0o6777);
        let mut shell = place.program("sh");
        shell.args(["-c", "umask 022; exec \"$0\" \"$@\"", ATREST, command, from, "out", "--force"]);
        assert!(shell.status().unwrap().success());
        let out = fs::metadata(place.path("out")).unwrap();
        assert_eq!(
            (out.mode() & 0o7777, out.uid(), out.gid()),
            (mode, 0, rustix::process::getegid().as_raw())
        );
    }
    // A link leads to what its owner would like to see replaced.
    place.put("mine", b"mine");
    for to in ["mine", "missing"] {
        std::os::unix::fs::symlink(to, place.path("link")).unwrap();
        std::os::unix::fs::lchown(place.path("link"), Some(OTHER), Some(OTHER)).unwrap();
        std::os::unix::fs::symlink("link", place.path("chain")).unwrap();
        for name in ["link", "chain"] {
            for arguments in [&["decrypt", "v", name, "--force"][..], &["encrypt", "in", name, "--force"]] {
                place.refuses(arguments, &[name, "symbolic link that another user made"]);
            }
        }
        for name in ["link", "chain"] {
            fs::remove_file(place.path(name)).unwrap();
        }
    }
    assert_eq!(place.read("mine"), b"mine");
}

#[test]
fn zeros_become_holes_where_asked() {
    let place = Place::with_key();
    for length in [0, 1, 4096, (3 << 20) + 5, 8 << 20] {
        // Data in few places, one of them a part of a block, and zeros to the end.
        let mut content = vec![0; length];
        for at in [0, 4095, 700_000, 1 << 20, (2 << 20) - 1] {
            if let Some(byte) = content.get_mut(at) {
                *byte = 1;
            }
        }
        place.put("in", &content);
        place.succeed(&["encrypt", "in", "v"]);
        place.succeed(&["decrypt", "--sparse", "v", "out"]);
        assert!(place.read("out") == content, "{length}");
        let blocks = fs::metadata(place.path("out")).unwrap().blocks();
        assert!(blocks * 512 <= 128 << 10, "{length}: {blocks} blocks");
        place.succeed(&["decrypt", "v", "dense"]);
        assert!(fs::metadata(place.path("dense")).unwrap().blocks() * 512 >= length as u64);
        for name in ["v", "out", "dense"] {
            fs::remove_file(place.path(name)).unwrap();
        }
    }
    place.succeed(&["encrypt", "in", "v"]);
    place.refuses(&["decrypt", "--sparse", "v", "-"], &["--sparse", "standard output"]);
    if let Some(device) = Loop::attach(&place, 8 << 20) {
        let arguments = ["decrypt", "--sparse", "--force", "v", &device.0];
        place.refuses(&arguments, &["--sparse", "block device"]);
    }
}

#[test]
fn a_sparse_image_stays_sparse_where_asked() {
    let place = Place::with_key();
    let image = File::create(place.path("in")).unwrap();
    image.set_len((64 << 20) + 5).unwrap();
    for (at, length) in [(0, 5000), (10_000_000, 1), (40 << 20, 200_000)] {
        std::os::unix::fs::FileExt::write_all_at(&image, &noise(length, at), at).unwrap();
    }
    let blocks = |name: &str| fs::metadata(place.path(name)).unwrap().blocks() * 512;
    if blocks("in") > 4 << 20 {
        return left_out("the file system has no holes");
    }
    let said = place.succeed(&["encrypt", "in", "dense"]).stderr;
    assert!(text(&said).starts_with("in is mostly holes (63.8 MiB), and "), "{}", text(&said));
    assert!(text(&said).contains("--sparse") && blocks("dense") >= 64 << 20);

    let said = place.succeed(&["encrypt", "--sparse", "in", "v"]).stderr;
    assert!(!text(&said).contains("mostly holes"), "{}", text(&said));
    // Wrapped anew, and with a header that was put back, it is the same.
    place.succeed(&["key", "create", "local:other"]);
    place.succeed(&["header", "backup", "v", "backup"]);
    for change in
        [&["rewrap", "v", "--key", "local:other"][..], &["header", "restore", "v", "backup", "--force"]]
    {
        assert!(blocks("v") < 4 << 20);
        place.succeed(&["decrypt", "v", "out"]);
        assert!(place.read("out") == place.read("in") && blocks("out") >= 64 << 20);
        fs::remove_file(place.path("out")).unwrap();
        place.succeed(&["decrypt", "--sparse", "v", "out"]);
        assert!(place.read("out") == place.read("in") && blocks("out") < 4 << 20);
        fs::remove_file(place.path("out")).unwrap();
        place.succeed(change);
    }
    place.succeed(&["decrypt", "v", "out"]);
    assert!(place.read("out") == place.read("in"));

    // Others would read noise, and are told.
    assert!(text(&place.succeed(&["info", "v"]).stdout).contains("atrest-holes"));
    let key = place.succeed(&["volume-key", "v"]);
    assert!(text(&key.stderr).contains("noise") && key.stdout.len() == 64);
    place.put("key", &key.stdout);
    place.put("passphrase", b"words");
    if let Some(cryptsetup) = required("cryptsetup") {
        let add_key = |volume: &str| {
            let mut command = place.program(&cryptsetup);
            command.args(["luksAddKey", "--batch-mode", "--key-size", "512", "--volume-key-file", "key"]);
            command.args(["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000", volume, "passphrase"]);
            command.output().unwrap()
        };
        let refused = add_key("v");
        let said = text(&refused.stderr);
        assert!(!refused.status.success() && said.contains("requirement"), "{said}");
        place.put("key", &place.succeed(&["volume-key", "dense"]).stdout);
        assert!(add_key("dense").status.success());
    }
    // A stream whose end is within a block.
    let content = [noise(5000, 1), vec![0; 300_000], noise(3, 2), vec![0; 99]].concat();
    assert!(place.feed(&["encrypt", "--sparse", "-", "stream"], &content).status.success());
    assert!(place.succeed(&["decrypt", "stream", "-"]).stdout == content);
    let Some(device) = Loop::attach(&place, 18 << 20) else { return };
    place.put("content", &content);
    place.succeed(&["encrypt", "content", &device.0, "--force"]);
    place.succeed(&["encrypt", "--sparse", "content", &device.0, "--force"]);
    assert!(place.succeed(&["decrypt", &device.0, "-"]).stdout == content);
}

#[test]
fn a_key_of_ones_own_wraps() {
    let place = Place::new();
    place.put("in", b"data");
    place.succeed(&["key", "create", "local:backup-2"]);
    place.succeed(&["encrypt", "in", "v", "--key", "local:backup-2"]);
    assert_eq!(text(&place.succeed(&["key", "list"]).stdout), "local:backup-2\tenabled\n");
    assert_eq!(place.succeed(&["decrypt", "v", "-"]).stdout, b"data");
}

#[test]
fn a_created_volume_has_its_size() {
    let place = Place::with_key();
    place.succeed(&["create", "v", "--size", "3MiB", "--sector-size", "512"]);
    let file = fs::metadata(place.path("v")).unwrap();
    assert_eq!(file.len(), 19 << 20);
    assert!(file.blocks() * 512 < 1 << 20, "it is sparse");
    assert_eq!(place.succeed(&["decrypt", "v", "-"]).stdout.len(), 3 << 20);
}

#[test]
fn a_block_device_is_written_in_place() {
    let place = Place::with_key();
    let Some(device) = Loop::attach(&place, 18 << 20) else {
        return left_out("no loop device can be attached");
    };
    let content = noise(2 << 20, 3);
    place.put("in", &content);
    place.refuses(&["encrypt", "in", &device.0], &[&device.0, "block device", "--force"]);
    place.succeed(&["encrypt", "in", &device.0, "--force"]);
    assert!(place.succeed(&["decrypt", &device.0, "-"]).stdout == content);
    place.refuses(&["encrypt", &device.0, &device.0, "--force"], &["same device"]);
    place.refuses(&["decrypt", &device.0, &device.0, "--force"], &["same device"]);

    place.put("long", &noise((2 << 20) + 1, 3));
    place.refuses(&["encrypt", "long", &device.0, "--force"], &[&device.0, "18874368 bytes"]);
    // As an input, and as the place for what was decrypted.
    place.succeed(&["encrypt", &device.0, "whole"]);
    place.succeed(&["decrypt", "whole", &device.0, "--force"]);
    assert!(place.succeed(&["decrypt", &device.0, "-"]).stdout == content);
}

/// A loop device over the file `disk`, detached at the end.
pub struct Loop(pub String);

impl Loop {
    pub fn attach(place: &Place, size: u64) -> Option<Loop> {
        File::create(place.path("disk")).unwrap().set_len(size).unwrap();
        let output = place.program(program("losetup")?).args(["--find", "--show", "disk"]).output().unwrap();
        output.status.success().then(|| Loop(text(&output.stdout).trim().into()))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        if let Some(losetup) = program("losetup") {
            let _ = std::process::Command::new(losetup).args(["--detach", &self.0]).status();
        }
    }
}
