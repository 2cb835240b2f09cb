//! Writes the seed corpora, `corpus/TARGET/`.

use std::{
    error::Error,
    fs::{self, File, OpenOptions},
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
};

use atrest::{
    keys::{Class, Envelope, LocalKeystore, VolumeKeys, block_on, new_uuid},
    volume::{CreateOptions, Header, Volume},
};
use atrest_fuzz::{
    cuts::{Cuts, beside_sector, bytes, sectors, times_256},
    sealed::{SEALED, UUID},
    sectors::{
        AES_256, BY_512, DECRYPT, IN_PLACE, LAYOUT_SHIFT, LIST, NAMED, NUMBER128, PLAIN64, PLAIN64_IN_512,
        PLAIN64BE, RAGGED, SEQUENCE, Sequence,
    },
};

type Anything<T> = Result<T, Box<dyn Error>>;

fn main() -> Anything<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let temp = tempfile::tempdir()?;
    let keystore = LocalKeystore::open_or_create(temp.path().join("keys"))?;
    keystore.ensure_key("default")?;
    let new_envelope = |class| -> Anything<(Envelope, VolumeKeys)> {
        Ok(match class {
            Class::Scratch => keystore.create_scratch(new_uuid()?, None)?,
            _ => block_on(Envelope::create(&keystore, "default", new_uuid()?, class))?,
        })
    };

    backends(&Seeds::new(&corpus, "backends")?)?;
    pieces(&Seeds::new(&corpus, "pieces")?)?;
    ffi(&Seeds::new(&corpus, "ffi")?)?;
    ffi_volume(&Seeds::new(&corpus, "ffi_volume")?)?;
    envelopes(&Seeds::new(&corpus, "envelope")?, &new_envelope)?;
    headers(&Seeds::new(&corpus, "luks2_header")?, temp.path(), &new_envelope)?;
    header_backups(&Seeds::new(&corpus, "header_backup")?, temp.path(), &new_envelope)?;
    key_files(&Seeds::new(&corpus, "key_file")?)?;
    settings(&Seeds::new(&corpus, "settings")?)?;
    sizes(&Seeds::new(&corpus, "size")?)
}

/// One target's directory.
struct Seeds(PathBuf);

impl Seeds {
    fn new(corpus: &Path, target: &str) -> Anything<Seeds> {
        let directory = corpus.join(target);
        fs::create_dir_all(&directory)?;
        Ok(Seeds(directory))
    }

    fn write(&self, name: &str, content: &[u8]) -> Anything<()> {
        Ok(fs::write(self.0.join(name), content)?)
    }
}

fn backends(seeds: &Seeds) -> Anything<()> {
    const UNIT: u8 = 0;
    let [plain64, plain64be, in_512, number128] =
        [PLAIN64, PLAIN64BE, PLAIN64_IN_512, NUMBER128].map(|layout| layout << LAYOUT_SHIFT);
    let cases: [(&str, u8, u16, u8, u128); 16] = [
        ("unit-16", UNIT, 16, 0, 1),
        ("unit-17", UNIT | AES_256, 17, 0, 2),
        ("unit-17-decrypt", UNIT | DECRYPT | IN_PLACE, 17, 0, 3),
        ("unit-4111", UNIT | AES_256 | DECRYPT, 4111, 0, 4),
        ("unit-too-short", UNIT, 15, 0, 5),
        ("sectors-16", plain64 | IN_PLACE, 16, 200, 6),
        ("sectors-48", plain64 | AES_256 | DECRYPT, 48, 41, 7),
        ("sectors-512", plain64 | AES_256, 512, 128, 8),
        ("sectors-520", plain64 | IN_PLACE | DECRYPT, 520, 33, 9),
        ("sectors-33", plain64 | AES_256 | IN_PLACE | DECRYPT, 33, 131, 10),
        ("carry-64", plain64, 512, 40, u64::MAX as u128 - 20),
        ("big-endian", plain64be | AES_256, 512, 9, 0x0102_0304_0506_0708),
        ("overflow", plain64be, 64, 9, u64::MAX as u128 - 3),
        ("luks2-4096", in_512 | AES_256 | BY_512, 8, 16, 800),
        ("number-128", number128 | AES_256, 100, 29, 1 << 100),
        ("ragged", number128 | RAGGED, 512, 3, 11),
    ];
    for (name, flags, size, sectors, first) in cases {
        seeds.write(name, &case(flags, size, sectors, first))?;
    }
    for (name, input) in stepping() {
        seeds.write(name, &input)?;
    }
    Ok(())
}

/// Sequences and lists of tweaks.
fn stepping() -> [(&'static str, Vec<u8>); 8] {
    const UPPER: i128 = 1 << 64;
    let [list, sequence, named] = [LIST, SEQUENCE, NAMED].map(|layout| layout << LAYOUT_SHIFT | AES_256);
    let wraps = Sequence::WRAPS;
    let cases: [(&str, u8, u16, u8, u128, i128, u8); 8] = [
        ("list", list, 512, 100, 1, 77, 0),
        ("list-too-long", list | DECRYPT, 520, 30, 2, 78, 1),
        ("sequence-upper", sequence, 512, 120, 1 << 100, UPPER, 2),
        ("sequence-wraps-32", sequence | IN_PLACE, 48, 140, (1 << 32) - 70, 1, wraps),
        ("sequence-down-64", sequence | DECRYPT, 512, 90, 9 << 64 | 40, -1, 1 | wraps | Sequence::BIG),
        ("sequence-refused", sequence, 600, 20, 3, 1 - UPPER, 2),
        ("upper64", named, 512, 128, 5, 0, 1),
        ("with-complement", named, 4096, 15, 5, 0, 3),
    ];
    cases.map(|(name, flags, size, sectors, first, step, how)| {
        // Behind the key.
        let mut input = case(flags, size, sectors, first);
        let pattern = input.split_off(1 + 2 + 4 + 16 + 64);
        input.extend(step.to_le_bytes());
        input.push(how);
        input.extend(pattern);
        (name, input)
    })
}

fn case(flags: u8, size: u16, sectors: u8, first: u128) -> Vec<u8> {
    let mut input = vec![flags];
    input.extend(size.to_le_bytes());
    input.extend([sectors, 7, 3, 61]);
    input.extend(first.to_le_bytes());
    input.extend((0..64).map(|i| i ^ flags));
    input.extend(*b"a pattern of 29 bytes for it.");
    input
}

fn pieces(seeds: &Seeds) -> Anything<()> {
    const UNIT: u8 = 0;
    let [plain64, plain64be, number128] =
        [PLAIN64, PLAIN64BE, NUMBER128].map(|layout| layout << LAYOUT_SHIFT);
    let every = |cut: u8| -> Cuts { [cut; 8] };
    let mixed = [
        sectors(3),
        beside_sector(-1),
        bytes(0),
        bytes(1),
        times_256(9),
        bytes(0),
        beside_sector(5),
        bytes(17),
    ];
    let cases: [(&str, Cuts, Cuts, u8, u16, u8, u128); 16] = [
        ("whole-sectors", every(sectors(1)), every(sectors(4)), plain64 | AES_256, 512, 128, 1),
        ("same-cuts", mixed, mixed, plain64 | DECRYPT, 512, 100, 2),
        ("other-cuts", mixed, every(times_256(1)), plain64 | AES_256 | DECRYPT, 520, 90, 3),
        ("bytes", every(bytes(1)), every(bytes(1)), plain64, 48, 40, 4),
        ("blocks-in-place", every(bytes(16)), mixed, plain64 | AES_256 | IN_PLACE, 512, 40, 5),
        ("stealing-in-place", every(bytes(7)), mixed, plain64 | IN_PLACE | DECRYPT, 17, 200, 6),
        ("beside-sectors", every(beside_sector(1)), every(beside_sector(-1)), plain64 | AES_256, 4096, 16, 7),
        ("empty", every(bytes(0)), every(bytes(0)), plain64, 512, 9, 8),
        ("long", every(times_256(16)), every(beside_sector(3)), plain64 | AES_256, 12288, 5, 9),
        ("long-stealing", mixed, every(times_256(33)), plain64 | DECRYPT, 12319, 5, 10),
        ("long-in-place", every(times_256(17)), mixed, plain64 | IN_PLACE, 8193, 7, 11),
        (
            "longest-in-place",
            every(bytes(61)),
            mixed,
            number128 | IN_PLACE | DECRYPT | AES_256,
            20_000,
            3,
            12,
        ),
        ("unit", every(bytes(5)), every(bytes(3)), UNIT | AES_256, 4111, 0, 13),
        ("carry-64", mixed, every(bytes(63)), plain64, 512, 40, u64::MAX as u128 - 20),
        ("overflow", mixed, mixed, plain64be, 64, 9, u64::MAX as u128 - 3),
        ("ragged", mixed, mixed, number128 | RAGGED, 512, 3, 14),
    ];
    for (name, src, dst, flags, size, sectors, first) in cases {
        seeds.write(name, &[&src, &dst, &case(flags, size, sectors, first)[..]].concat())?;
    }
    for (name, input) in stepping() {
        seeds.write(name, &[&mixed, &every(bytes(63)), &input[..]].concat())?;
    }
    Ok(())
}

/// One call of the target `ffi`: its number there, and what is odd about it.
#[derive(Clone, Copy, Default)]
struct Call {
    number: u8,
    sector_size: u16,
    len: u16,
    layout: u8,
    apart: Apart,
    key: Refused,
    told: Refused,
    src: Refused,
    tweaks: Refused,
}

#[derive(Clone, Copy, Default)]
enum Apart {
    #[default]
    InPlace,
    By(u16),
    Fully,
}

/// Whether an argument is one that must be refused.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Refused {
    #[default]
    No,
    Yes,
}

impl Call {
    /// In the order in which the target reads.
    fn input(self) -> Vec<u8> {
        let unless = |refused: Refused| u8::from(refused == Refused::No);
        let mut input: Vec<u8> = (0..65).map(|i| i ^ self.number).collect();
        // 64 bytes of key on any backend; or NULL.
        input.extend([64, 0, 0, 0, 0, 0, 0, 0, 0, if self.key == Refused::Yes { 2 } else { 3 }]);
        // Even: a plain number.
        input.push(0);
        input.extend(self.sector_size.to_le_bytes());
        input.extend(self.len.to_le_bytes());
        // The length as it is.
        input.push(0);
        input.extend(7_u64.to_le_bytes());
        input.extend(9_u64.to_le_bytes());
        input.extend([self.layout, 0, 0, 0, 0, 0, 0, 0]);
        // Reserved bytes are 0, and the upper half of the number, where a layout has none.
        input.push(1);
        if !matches!(self.layout, 3 | 4 | 9) {
            input.push(1);
        }
        match self.apart {
            Apart::InPlace => input.push(0),
            Apart::By(bytes) => {
                input.push(1);
                input.extend(bytes.to_le_bytes());
            }
            Apart::Fully => input.push(2),
        }
        // An odd address.
        input.push(13);
        if self.told == Refused::Yes {
            input.extend([1, 0, 16, 0]);
        } else {
            input.push(2);
        }
        input.extend([unless(self.src), 1, self.number, unless(self.tweaks)]);
        if self.number >= 8 {
            // A sequence of 128 bits from 5 on, in steps of 3; as many tweaks as sectors, outside of the data.
            input.extend([5_u64, 0, 3, 0].map(u64::to_le_bytes).as_flattened());
            input.extend([2, 0, 0, 0, 0, 0, 0, 1, 7, 1]);
        }
        input
    }
}

fn ffi(seeds: &Seeds) -> Anything<()> {
    use Refused::Yes;
    let sectors =
        |number| Call { number, sector_size: 512, len: 4096, apart: Apart::Fully, ..Call::default() };
    let cases = [
        ("encrypt-sectors", sectors(0)),
        ("decrypt-sectors-in-place", Call { apart: Apart::InPlace, ..sectors(1) }),
        ("encrypt-unit", Call { len: 4111, ..sectors(2) }),
        ("decrypt-unit", Call { len: 17, ..sectors(3) }),
        ("encrypt-tweaks-512", Call { layout: 2, sector_size: 1024, ..sectors(4) }),
        ("decrypt-tweaks-128", Call { layout: 4, sector_size: 520, len: 2600, ..sectors(5) }),
        ("encrypt-iov-tweaks", Call { layout: 1, ..sectors(6) }),
        ("decrypt-iov", Call { apart: Apart::InPlace, ..sectors(7) }),
        ("ragged", Call { len: 4097, ..sectors(0) }),
        ("sector-too-short", Call { sector_size: 15, len: 150, ..sectors(1) }),
        ("layout-unknown", Call { layout: 10, ..sectors(4) }),
        ("encrypt-tweaks-upper", Call { layout: 6, ..sectors(4) }),
        ("encrypt-sequence", sectors(8)),
        ("decrypt-iov-sequence", Call { apart: Apart::InPlace, ..sectors(11) }),
        ("encrypt-list", sectors(12)),
        ("decrypt-iov-list", Call { apart: Apart::InPlace, ..sectors(15) }),
        ("tweaks-null", Call { tweaks: Yes, ..sectors(5) }),
        ("overlap", Call { apart: Apart::By(100), ..sectors(0) }),
        ("iov-overlap", Call { apart: Apart::By(512), ..sectors(7) }),
        ("key-null", Call { key: Yes, ..sectors(0) }),
        ("source-null", Call { src: Yes, ..sectors(2) }),
        ("length-huge", Call { told: Yes, ..sectors(6) }),
    ];
    for (name, call) in cases {
        seeds.write(name, &call.input())?;
    }
    Ok(())
}

fn ffi_volume(seeds: &Seeds) -> Anything<()> {
    // A place is a choice and a number: of the edges, or up to 9000 bytes, or in units of 512.
    const EDGE: u8 = 0;
    const BYTES: u8 = 64;
    let [read, write, zeros, discard, flush] = [0, 2, 5, 6, 7];
    let call = |call: u8, [at, len]: [(u8, u16); 2]| -> Vec<u8> {
        let [at_low, at_high] = at.1.to_le_bytes();
        let [len_low, len_high] = len.1.to_le_bytes();
        let (pattern, buffer_at, not_null) = (0x35, 3, 1);
        vec![1, call, at.0, at_low, at_high, len.0, len_low, len_high, pattern, buffer_at, not_null]
    };
    let (start, unaligned, end, huge) = ((EDGE, 0), (BYTES, 777), (EDGE + 9, 0), (EDGE + 12, 0));
    let again = |flags: u8| vec![0, flags, 1, 1, 1, 255, 1];
    let cases = [
        ("write-read", 0, [call(write, [unaligned, (BYTES, 5000)]), call(read, [start, (BYTES, 8000)])]),
        ("last-byte", 3, [call(write, [end, (EDGE + 1, 0)]), call(read, [end, (EDGE + 1, 0)])]),
        ("beyond-the-end", 1, [call(write, [end, (BYTES, 2)]), call(read, [huge, huge])]),
        ("zeros-flush", 2, [call(zeros, [unaligned, (BYTES, 6000)]), call(flush, [start, start])]),
        ("discard", 3, [call(discard, [(BYTES, 1), (BYTES, 8191)]), call(write, [start, (BYTES, 4097)])]),
        ("again-read-only", 0, [again(3), call(write, [start, (BYTES, 1)])]),
        ("again-flags", 1, [again(4), again(0)]),
    ];
    for (name, volume, calls) in cases {
        seeds.write(name, &[&[volume], &calls.concat()[..]].concat())?;
    }
    Ok(())
}

fn envelopes(
    seeds: &Seeds,
    new_envelope: &impl Fn(Class) -> Anything<(Envelope, VolumeKeys)>,
) -> Anything<()> {
    let (persistent, _) = new_envelope(Class::Persistent)?;
    let (scratch, _) = new_envelope(Class::Scratch)?;
    let (persistent, scratch) = (persistent.to_json(), scratch.to_json());
    seeds.write("persistent.json", persistent.as_bytes())?;
    seeds.write("scratch.json", scratch.as_bytes())?;

    // The same slot as often as an envelope may have it, and once more.
    let (head, tail) = persistent.split_once(r#""slots":["#).ok_or("no slots")?;
    let slot = tail.trim_end_matches("]}");
    for (name, count) in [("slots-8.json", 8), ("slots-9.json", 9), ("slots-0.json", 0)] {
        let document = format!(r#"{head}"slots":[{}]}}"#, vec![slot; count].join(","));
        seeds.write(name, document.as_bytes())?;
    }
    // A key of AWS's, with the material's id and a long wrapped key.
    let kms = persistent
        .replace(r#""provider":"local""#, r#""provider":"aws""#)
        .replace(r#""key":"default""#, r#""key":"arn:aws:kms:eu-central-1:111122223333:key/1234abcd""#)
        .replace(r#""context""#, r#""material":"0d1c2b3a4f5e","context""#);
    seeds.write("kms.json", kms.as_bytes())?;
    seeds.write("spaced.json", persistent.replace(',', " ,\r\n\t").as_bytes())?;
    seeds.write("version-2.json", persistent.replace(r#""version":1"#, r#""version":2"#).as_bytes())?;
    seeds.write("class-unknown.json", persistent.replace("persistent", "eternal").as_bytes())?;
    seeds.write(
        "twice.json",
        persistent.replace(r#"{"version":1"#, r#"{"version":1,"version":1"#).as_bytes(),
    )?;
    seeds.write("escapes.json", scratch.replace("local", r"\u006cocal\ud83d\ude00").as_bytes())?;
    seeds.write("null.json", persistent.replace(r#""class":"persistent""#, r#""class":null"#).as_bytes())?;
    seeds.write("cut.json", &persistent.as_bytes()[..persistent.len() - 7])
}

fn headers(
    seeds: &Seeds,
    temp: &Path,
    new_envelope: &impl Fn(Class) -> Anything<(Envelope, VolumeKeys)>,
) -> Anything<()> {
    let ours = |name: &str, sector_size| -> Anything<Vec<u8>> {
        let path = temp.join(name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
        let (envelope, keys) = new_envelope(Class::Persistent)?;
        Volume::create(file, &CreateOptions::new(10_000).sector_size(sector_size), envelope, &keys)?;
        header_of(&path)
    };
    let ours_512 = ours("512", 512)?;
    seeds.write("raw-512", &[&[0], &ours_512[..]].concat())?;
    let json = json_of(&ours_512);
    seeds.write("ours-512", &sealed(0, [1, 1], NO_DAMAGE, &json))?;
    seeds.write("ours-4096", &sealed(0, [2, 1], NO_DAMAGE, &json_of(&ours("4096", 4096)?)))?;
    seeds.write("larger-copies", &sealed(1 << 5, [1, 1], NO_DAMAGE, &json))?;
    seeds.write("second-is-newer", &sealed(0, [1, 2], NO_DAMAGE, &json))?;
    seeds.write("first-is-damaged", &sealed(1 << 3, [1, 1], (5000, 1), &json))?;
    seeds.write("both-are-damaged", &sealed(3 << 3, [1, 1], (10, 0x80), &json))?;
    seeds.write("version-sealed-wrong", &sealed(3 << 1, [1, 1], (7, 3), &json))?;
    seeds.write("size-sealed-wrong", &sealed(1 << 1, [1, 1], (14, 0x40), &json))?;
    seeds.write("empty-object", &sealed(0, [1, 1], NO_DAMAGE, b"{}"))?;
    seeds.write(
        "numbers",
        &sealed(0, [1, 1], NO_DAMAGE, br#"{"config":{"json_size":1e309,"x":[-0.0,18446744073709551616]}}"#),
    )?;
    seeds.write("deep", &sealed(0, [1, 1], NO_DAMAGE, "[".repeat(200).as_bytes()))?;

    for (name, options) in [
        ("cryptsetup-pbkdf2", &["--pbkdf", "pbkdf2", "--pbkdf-force-iterations", "1000"][..]),
        (
            "cryptsetup-argon2id",
            &["--pbkdf", "argon2id", "--pbkdf-force-iterations", "4", "--pbkdf-memory", "32"],
        ),
    ] {
        let path = temp.join(name);
        File::create(&path)?.set_len(32 << 20)?;
        let passphrase = temp.join("passphrase");
        fs::write(&passphrase, "seed")?;
        let status = Command::new("cryptsetup")
            .args(["luksFormat", "--batch-mode", "--type", "luks2", "--uuid", UUID, "--key-file"])
            .arg(&passphrase)
            .args(options)
            .arg(&path)
            .status();
        if status.is_ok_and(|status| status.success()) {
            let header = header_of(&path)?;
            Header::parse(&header)?;
            seeds.write(name, &sealed(0, [1, 1], NO_DAMAGE, &json_of(&header)))?;
        } else {
            eprintln!("without cryptsetup {name} stays as it is");
        }
    }
    Ok(())
}

const NO_DAMAGE: (u16, u8) = (0, 0);

/// An input of `luks2_header` that is sealed.
fn sealed(shape: u8, sequences: [u8; 2], damage: (u16, u8), json: &[u8]) -> Vec<u8> {
    let [low, high] = damage.0.to_le_bytes();
    [&[SEALED | shape, sequences[0], sequences[1], low, high, damage.1], json].concat()
}

/// The JSON of the first copy.
fn json_of(header: &[u8]) -> Vec<u8> {
    const BEGIN: usize = 4096;
    header[BEGIN..].iter().copied().take_while(|&byte| byte != 0).collect()
}

/// Backups whose area for keyslots is small, so that it is cheap to make.
fn header_backups(
    seeds: &Seeds,
    temp: &Path,
    new_envelope: &impl Fn(Class) -> Anything<(Envelope, VolumeKeys)>,
) -> Anything<()> {
    let path = temp.join("backup");
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path)?;
    let (envelope, keys) = new_envelope(Class::Persistent)?;
    Volume::create(file, &CreateOptions::new(10_000), envelope, &keys)?;
    let json = String::from_utf8(json_of(&header_of(&path)?))?;
    let size = json.split_once("\"keyslots_size\":\"").ok_or("no keyslots_size")?.1;
    let size = size.split_once('"').ok_or("no end")?.0;
    let json = json.replace(&format!("\"keyslots_size\":\"{size}\""), "\"keyslots_size\":\"4096\"");
    let other = json.replace("\"provider\":\"local\"", "\"provider\":\"aws\"");
    let input = |volume: &[u8], backup: &[u8]| -> Vec<u8> {
        [&(volume.len() as u16).to_le_bytes(), volume, backup].concat()
    };
    let of = |sequence: u8, json: &str| sealed(0, [sequence; 2], NO_DAMAGE, json.as_bytes());
    seeds.write("same", &input(&of(1, &json), &of(1, &json)))?;
    seeds.write("older", &input(&of(3, &other), &of(1, &json)))?;
    seeds.write("newer", &input(&of(1, &other), &of(3, &json)))?;
    seeds.write("no-header", &input(&[0; 2000], &of(1, &json)))?;
    seeds.write("damaged", &input(&of(1, &json), &sealed(1 << 3, [1, 1], (5000, 1), json.as_bytes())))?;
    seeds.write("larger-copies", &input(&of(1, &json), &sealed(1 << 5, [1, 1], NO_DAMAGE, json.as_bytes())))
}

fn key_files(seeds: &Seeds) -> Anything<()> {
    let (id, key) = ("0b0e4c4e-7d0f-4f4a-9d0c-6d1f2a3b4c5d", "gIGCg4SFhoeIiYqLjI2Oj5CRkpOUlZaXmJmam5ydnp8=");
    let scratch = LocalKeystore::scratch_key_name("6ba7b810-9dad-41d1-80b4-00c04fd430c8".parse()?);
    let file = |version: u32, name: &str, more: &str, materials: &str| -> String {
        format!(
            r#"{{"version":{version},"name":"{name}","created":1{more},"current":"{id}","materials":[{materials}]}}"#
        )
    };
    let material = format!(r#"{{"id":"{id}","created":1,"key":"{key}"}}"#);
    let second = material.replace(id, "second");
    let guard = r#","passphrase":{"kdf":"argon2id","memory_kib":65536,"passes":3,"lanes":4,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","check":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}"#;
    for (seed, kind, text) in [
        ("plain", 0, file(1, "key", "", &material)),
        ("rotated", 0, file(1, "key", "", &format!("{second},{material}"))),
        ("disabled", 0, file(2, "key", r#","state":"disabled""#, &material)),
        ("deleted", 0, file(2, "key", r#","state":"pending-deletion","deletion":9"#, &material)),
        ("guarded", 0, file(2, "key", guard, &material)),
        ("no-current", 0, file(1, "key", "", &second)),
        ("scratch", 1, file(1, &scratch, "", &material)),
        ("scratch-path", 1, file(2, &scratch, r#","volume_path":"/srv/a%20b%C3%A9""#, &material)),
        ("spaced", 0, file(1, "key", "", &material).replace(',', " ,\n\t")),
        ("cut", 0, file(1, "key", "", "{")),
    ] {
        seeds.write(seed, &[&[kind], text.as_bytes()].concat())?;
    }
    Ok(())
}

fn settings(seeds: &Seeds) -> Anything<()> {
    for (name, text) in [
        ("local", r#"{"version":1,"default_key":"local:mine"}"#),
        ("aws", "{\n  \"version\": 1,\n  \"default_key\": \"aws:alias/prod\"\n}\n"),
        ("none", r#"{"version":1}"#),
        ("null", r#"{"version":1,"default_key":null}"#),
        ("later", r#"{"version":2,"default_keys":[]}"#),
        ("no-key", r#"{"version":1,"default_key":"local:../mine"}"#),
        ("scratch", r#"{"version":1,"default_key":"local:scratch-6ba7b810-9dad-41d1-80b4-00c04fd430c8"}"#),
    ] {
        seeds.write(name, text.as_bytes())?;
    }
    Ok(())
}

fn sizes(seeds: &Seeds) -> Anything<()> {
    for (i, text) in
        ["0", "4097B", "10G", "1KiB", "100GB", "15E", "16E", "18446744073709551615", "1.5G", "1KiBs"]
            .into_iter()
            .enumerate()
    {
        seeds.write(&format!("{i:02}"), text.as_bytes())?;
    }
    Ok(())
}

/// Both copies, 16 KiB each.
fn header_of(path: &Path) -> Anything<Vec<u8>> {
    let mut header = vec![0; 32 << 10];
    File::open(path)?.read_exact(&mut header)?;
    Ok(header)
}
