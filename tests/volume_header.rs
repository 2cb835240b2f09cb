//! Headers of volumes: damaged, forged, out of date, and changed by others with every right.
#![cfg(feature = "volume")]

mod common;

use std::fs;

use atrest::keys::{Envelope, Expect};
use atrest::luks2::{HeaderCopy, HeaderFault, ParseError, Warning};
use atrest::volume::{
    CreateOptions, Header, HeaderBackup, HeaderError, Mode, OpenError, ReadHeaderError, RestoreError,
    SetEnvelopeError, Truncated, Volume,
};
use common::{
    COPY, DATA_OFFSET, Place, edited, fix_checksum, header_of, json_of, noise, put_header, read_all,
};
use common::{read_only, read_write, with_json};
use proptest::prelude::*;
use serde_json::json;

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_parser_survives_any_edit(edits in prop::collection::vec((0usize..2 * COPY, any::<u8>()), 1..40), sums in any::<bool>()) {
        let mut header = sample_header().to_vec();
        for (at, byte) in edits {
            // In both copies: the parser would turn from one that is broken to the other.
            header[at % 13_000] = byte;
            header[COPY + at % 13_000] = byte;
        }
        if sums {
            header.chunks_mut(COPY).for_each(fix_checksum);
        }
        if let Ok((header, _)) = Header::parse(&header) {
            let _ = (header.data_segment().is_ok(), header.envelope().is_ok(), header.size().is_ok(), header.label());
        }
    }

    #[test]
    fn the_parser_survives_any_json(json in "[\\[\\]{}\":,0-9a-z\\\\]{0,400}") {
        let _ = Header::parse(&with_json(sample_header(), json.as_bytes()));
    }
}

fn sample_header() -> &'static [u8] {
    static HEADER: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| {
        let place = Place::new();
        place.volume_of("v", b"x", 512);
        header_of(&place.path("v"))
    });
    &HEADER
}

#[test]
fn files_that_are_no_volumes_are_named() {
    let place = Place::new();
    let error = |content: &[u8]| {
        fs::write(place.path("v"), content).unwrap();
        place.open("v").unwrap_err()
    };
    assert!(matches!(error(b""), OpenError::Header(ParseError::TooShort { length: 0 })));
    assert!(matches!(
        error(&sample_header()[..32767]),
        OpenError::Header(ParseError::TooShort { length: 32767 })
    ));
    assert!(matches!(error(&[0; 40_000]), OpenError::Header(ParseError::NotLuks)));
    assert!(matches!(error(&noise(5_000_000, 1)), OpenError::Header(ParseError::NotLuks)));
    let mut luks1 = vec![0; 40_000];
    luks1[..8].copy_from_slice(b"LUKS\xba\xbe\x00\x01");
    assert!(matches!(error(&luks1), OpenError::Header(ParseError::Luks1)));
    assert!(error(&luks1).to_string().contains("cryptsetup convert"));
    // The header alone: its data is missing.
    place.volume_of("whole", b"content", 4096);
    let cut = error(&header_of(&place.path("whole")));
    assert!(matches!(cut, OpenError::Truncated(Truncated { length: 32768, .. })), "{cut}");
}

#[test]
fn a_volume_cut_off_is_refused() {
    let place = Place::new();
    place.volume_of("v", &noise(10_000, 1), 4096);
    let file = read_write(&place.path("v"));
    file.set_len(DATA_OFFSET + 3 * 4096 - 1).unwrap();
    let error = place.open("v").unwrap_err();
    assert!(matches!(&error, OpenError::Truncated(cut) if cut.needed == DATA_OFFSET + 3 * 4096), "{error}");
    // More than the volume needs is fine: a partition is seldom as long as what lies on it.
    file.set_len(DATA_OFFSET + 3 * 4096 + 777).unwrap();
    assert_eq!(place.open("v").unwrap().size(), 10_000);
}

#[test]
fn one_damaged_copy_is_replaced_by_the_other_and_reported() {
    let place = Place::new();
    let content = noise(5000, 9);
    place.volume_of("v", &content, 4096);
    let good = header_of(&place.path("v"));
    // The binary header, its checksum, the JSON, the whole copy: wherever the damage is.
    let damage =
        [0..1, 6..8, 8..16, 72..80, 170..171, 256..264, 448..449, 512..4096, 4096..4097, 9000..9001, 0..COPY];
    for (copy, base) in [(HeaderCopy::First, 0), (HeaderCopy::Second, COPY)] {
        for range in damage.clone() {
            let mut header = good.clone();
            header[base + range.start..base + range.end].iter_mut().for_each(|byte| *byte ^= 0x55);
            put_header(&place.path("v"), &header);
            let volume = place.open("v").unwrap();
            let [Warning::CopyDamaged { copy: damaged, .. }] = volume.warnings() else {
                panic!("no warning")
            };
            assert_eq!(*damaged, copy);
            assert!(volume.warnings()[0].to_string().contains("cryptsetup repair"));
            assert_eq!(
                volume.header().used_copy(),
                if base == 0 { HeaderCopy::Second } else { HeaderCopy::First }
            );
            assert!(read_all(&volume) == content);
            assert_eq!(header_of(&place.path("v")), header, "opening must not write");
        }
    }
    let mut header = good.clone();
    header[5000] ^= 1;
    header[COPY + 5000] ^= 1;
    put_header(&place.path("v"), &header);
    let error = place.open("v").unwrap_err();
    let sum = HeaderFault::Checksum;
    let damaged = ParseError::Damaged { first: sum.clone(), second: sum };
    assert!(matches!(&error, OpenError::Header(error) if *error == damaged), "{error}");
    assert!(error.to_string().contains("backup"));
}

#[test]
fn each_fault_of_a_copy_is_named() {
    let fault = |at: usize, bytes: &[u8], sum: bool| {
        let mut header = sample_header().to_vec();
        header[at..at + bytes.len()].copy_from_slice(bytes);
        if sum {
            fix_checksum(&mut header[..COPY]);
        }
        // Without a second copy the first one's fault is told.
        header[COPY..].fill(0);
        match Header::parse(&header).unwrap_err() {
            ReadHeaderError::Header(ParseError::Damaged { first, second: HeaderFault::Magic }) => first,
            other => panic!("{other}"),
        }
    };
    assert_eq!(fault(6, &[0, 3], true), HeaderFault::Version(3));
    for size in [0, 4096, 16383, 24576, 1 << 23, 1 << 63, u64::MAX] {
        assert_eq!(fault(8, &u64::to_be_bytes(size), true), HeaderFault::Size(size));
    }
    assert_eq!(fault(8, &u64::to_be_bytes(1 << 22), true), HeaderFault::Truncated);
    assert_eq!(fault(256, &u64::to_be_bytes(4096), true), HeaderFault::Offset(4096));
    assert_eq!(fault(72, b"sha1\0\0\0", true), HeaderFault::ChecksumAlgorithm);
    assert_eq!(fault(5000, b"!", false), HeaderFault::Checksum);
    assert_eq!(fault(448, &[0; 8], false), HeaderFault::Checksum);
    assert_eq!(fault(168, b"not a uuid", true), HeaderFault::Uuid);
    assert_eq!(fault(168, &[0; 40], true), HeaderFault::Uuid);
    for (at, bytes) in
        [(COPY - 1, &b"x"[..]), (4096, b"["), (4096, b"\0"), (4100, b"\xff"), (4096, &[b'x'; COPY - 4096])]
    {
        assert!(matches!(fault(at, bytes, true), HeaderFault::Metadata(_)), "{at}");
    }
}

#[test]
fn the_newer_of_two_copies_is_used() {
    let place = Place::new();
    place.volume_of("v", b"content", 4096);
    let good = header_of(&place.path("v"));
    for (base, used) in [(0, HeaderCopy::First), (COPY, HeaderCopy::Second)] {
        let mut header = good.clone();
        header[base + 16..base + 24].copy_from_slice(&9u64.to_be_bytes());
        fix_checksum(&mut header[base..base + COPY]);
        put_header(&place.path("v"), &header);
        let volume = place.open("v").unwrap();
        assert_eq!((volume.header().used_copy(), volume.header().sequence()), (used, 9));
        assert!(matches!(volume.warnings(), [Warning::CopiesDiffer { .. }]));
    }
}

/// Whoever writes the highest number to a disk must not end all changes of the header with it.
#[test]
fn a_header_of_the_highest_number_is_changed() {
    let place = Place::new();
    place.volume_of("v", b"content", 4096);
    let path = place.path("v");
    let (before, _) = HeaderBackup::take(&read_only(&path)).unwrap();
    let mut header = header_of(&path);
    for base in [0, COPY] {
        header[base + 16..base + 24].copy_from_slice(&u64::MAX.to_be_bytes());
        fix_checksum(&mut header[base..base + COPY]);
    }
    put_header(&path, &header);
    let (mut read, _) = Header::read(&read_only(&path)).unwrap();
    read.update(&read_write(&path)).unwrap();
    assert_eq!(read.sequences(), [Some(1 << 63); 2]);
    let volume = place.open("v").unwrap();
    assert_eq!((volume.header().sequence(), volume.warnings()), (1 << 63, &[][..]));
    assert_eq!(read_all(&volume), b"content");
    // A power cut between the two copies: the header is as it was, and the next change goes through.
    let mut half = header_of(&path);
    half[..COPY].copy_from_slice(&header[..COPY]);
    put_header(&path, &half);
    let (mut read, _) = Header::read(&read_only(&path)).unwrap();
    assert_eq!((read.used_copy(), read.sequence()), (HeaderCopy::First, u64::MAX));
    read.update(&read_write(&path)).unwrap();
    assert_eq!(read.sequences(), [Some(1 << 63); 2]);
    // A backup from before is older than what is there now.
    let refused = before.restore(&read_write(&path), &Expect::any(), false).unwrap_err();
    assert!(matches!(refused, RestoreError::NotRestored(_)), "{refused}");
}

#[test]
fn a_forged_header_is_refused_before_any_data_is_read() {
    let place = Place::new();
    place.volume_of("v", &noise(100_000, 1), 4096);
    place.volume_of("other", &noise(100_000, 2), 4096);
    let good = header_of(&place.path("v"));
    let other = json_of(&header_of(&place.path("other")));
    let refused = |edit: &dyn Fn(&mut serde_json::Value), because: &str| {
        put_header(&place.path("v"), &edited(&good, edit));
        let error = place.open("v").unwrap_err().to_string();
        assert!(error.contains(because) && !error.contains('\n'), "wanted {because:?}: {error}");
    };
    let segment = |key: &'static str, value: serde_json::Value| {
        move |json: &mut serde_json::Value| json["segments"]["0"][key] = value.clone()
    };
    // The cipher replaced.
    refused(&segment("encryption", json!("cipher_null-ecb")), "only aes-xts-plain64");
    refused(&segment("encryption", json!("aes-cbc-essiv:sha256")), "only aes-xts-plain64");
    refused(&segment("encryption", json!("aes-xts-plain")), "only aes-xts-plain64");
    refused(&segment("type", json!("linear")), "not \"crypt\"");
    refused(&segment("integrity", json!({"type": "none"})), "integrity");
    refused(&segment("flags", json!(["in-reencryption"])), "flags");
    // The segment moved, or cut otherwise.
    refused(&segment("offset", json!("16781312")), "authentication code");
    refused(&segment("offset", json!("16384")), "detached header");
    refused(&segment("offset", json!("16777217")), "multiple of 512");
    refused(&segment("offset", json!("-16777216")), "decimal digits");
    refused(&segment("offset", json!("99999999999999999999")), "decimal digits");
    refused(&segment("offset", json!(16_777_216)), "a string");
    refused(&segment("offset", json!("18446744073709551104")), "authentication code");
    refused(&segment("size", json!("4096")), "authentication code");
    refused(&segment("size", json!("18446744073709547520")), "ends below 2^64");
    refused(&segment("iv_tweak", json!("1")), "authentication code");
    refused(&segment("iv_tweak", json!("18446744073709551615")), "overflow");
    for size in [512, 1024, 2048] {
        refused(&segment("sector_size", json!(size)), "authentication code");
    }
    for size in [0, 8, 3000, 8192] {
        refused(&segment("sector_size", json!(size)), "512, 1024, 2048 or 4096");
    }
    refused(&|json| json["segments"]["1"] = json["segments"]["0"].clone(), "2 segments");
    refused(&|json| json["segments"] = json!({}), "at least one segment");
    refused(
        &|json| json["config"]["requirements"] = json!({"mandatory": ["online-reencrypt-v2"]}),
        "online-reencrypt-v2",
    );
    // The token edited, exchanged, doubled, removed.
    refused(&|json| json["tokens"]["0"]["size"] = json!("99999"), "authentication code");
    refused(&|json| json["tokens"]["0"]["size"] = json!("0"), "authentication code");
    refused(&|json| json["tokens"]["0"]["authentication"] = json!(""), "authentication code");
    refused(&|json| json["tokens"]["0"]["authentication"] = json!("?"), "base64");
    refused(
        &|json| json["tokens"]["0"]["authentication"] = other["tokens"]["0"]["authentication"].clone(),
        "authentication code",
    );
    refused(&|json| json["tokens"]["0"] = other["tokens"]["0"].clone(), "luksUUID");
    refused(&|json| json["tokens"]["0"]["new"] = json!(1), "does not know");
    refused(&|json| json["tokens"]["0"]["envelope"]["class"] = json!("scratch"), "in a scratch volume");
    refused(&|json| json["tokens"]["1"] = json["tokens"]["0"].clone(), "several");
    refused(&|json| json["tokens"] = json!({}), "another tool");
    refused(&|json| json["tokens"]["0"]["type"] = json!("atrest2"), "cryptsetup open");
    // The UUID, in the binary header.
    let mut header = good.clone();
    for copy in header.chunks_mut(COPY) {
        copy[168] = if copy[168] == b'0' { b'1' } else { b'0' };
        fix_checksum(copy);
    }
    put_header(&place.path("v"), &header);
    assert!(matches!(place.open("v"), Err(OpenError::Uuid(_))));
    // The whole header exchanged with that of another volume under the same keystore is that volume's, and its
    // data is noise; put back, all is well.
    put_header(&place.path("v"), &good);
    assert!(read_all(&place.open("v").unwrap()) == noise(100_000, 1));
}

#[test]
fn every_flipped_bit_of_the_token_is_refused_or_harmless() {
    let place = Place::new();
    let content = noise(3000, 1);
    let keys = place.volume_of("v", &content, 4096);
    let path = place.path("v");
    let good = header_of(&path);
    let json = json_of(&good).to_string();
    let start = json.find("\"atrest\"").map(|at| json[..at].rfind("\"0\":{").unwrap()).unwrap();
    // The wrappings are not covered by the code, and need not be: a forged one does not open.
    let slots = json.find("\"slots\"").unwrap();
    let slots = slots..slots + json[slots..].find("}]").unwrap();
    let mut opened = 0;
    for at in start..json.len() {
        for bit in [0, 5] {
            let mut flipped = json.clone().into_bytes();
            flipped[at] ^= 1 << bit;
            put_header(&path, &with_json(&good, &flipped));
            let volume = match slots.contains(&at) {
                true => place.open("v"),
                // The keys are those of the true envelope: only the header's own checks stand in the way.
                false => Volume::open_with_keys(read_only(&path), &keys, &Expect::any(), Mode::ReadOnly),
            };
            if let Ok(volume) = volume {
                assert!(
                    read_all(&volume) == content,
                    "byte {at}, bit {bit}: {}",
                    String::from_utf8_lossy(&flipped)
                );
                opened += 1;
            }
        }
    }
    // Harmless are the token's number and a few letters of hexadecimal numbers in the other case.
    assert!(opened < 60, "{opened} edits were accepted");
}

#[test]
fn what_cryptsetup_changes_is_no_forgery() {
    let place = Place::new();
    place.volume_of("v", b"content", 4096);
    let good = header_of(&place.path("v"));
    let area = json!({"type": "raw", "offset": "32768", "size": "258048", "encryption": "aes-xts-plain64", "key_size": 64});
    let mut header = edited(&good, |json| {
        json["keyslots"]["0"] =
            json!({"type": "luks2", "key_size": 64, "area": area, "kdf": {"type": "pbkdf2"}});
        json["digests"]["0"]["keyslots"] = json!(["0"]);
        json["tokens"]["7"] = json!({"type": "systemd-tpm2", "keyslots": ["0"], "tpm2-pcrs": [7]});
        json["tokens"]["3"] = json["tokens"]["0"].take();
        json["tokens"].as_object_mut().unwrap().remove("0");
        json["tokens"]["3"]["keyslots"] = json!(["0"]);
        json["config"]["flags"] = json!(["allow-discards"]);
        json["config"]["requirements"] = json!({"mandatory": []});
    });
    let pretty = serde_json::to_string_pretty(&json_of(&header)).unwrap();
    header = with_json(&header, pretty.as_bytes());
    for copy in header.chunks_mut(COPY) {
        copy[16..24].copy_from_slice(&77u64.to_be_bytes());
        copy[24..29].copy_from_slice(b"label");
        copy[208..211].copy_from_slice(b"sub");
        fix_checksum(copy);
    }
    put_header(&place.path("v"), &header);
    let volume = place.open("v").unwrap();
    assert_eq!(read_all(&volume), b"content");
    let header = volume.header();
    assert_eq!((header.label(), header.subsystem(), header.sequence()), ("label".into(), "sub".into(), 77));
    assert_eq!((header.keyslots().len(), header.tokens().len(), header.tokens()[1].id), (1, 2, 7));
}

#[test]
fn keyslots_may_not_lie_on_headers_data_or_each_other() {
    let refused = |areas: &[(u64, u64)], because: &str| {
        let header = edited(sample_header(), |json| {
            for (i, (offset, size)) in areas.iter().enumerate() {
                let area = json!({"type": "raw", "offset": offset.to_string(), "size": size.to_string()});
                json["keyslots"][i.to_string()] = json!({"type": "luks2", "area": area});
            }
        });
        let error = Header::parse(&header).unwrap_err().to_string();
        assert!(error.contains(because), "{error}");
    };
    refused(&[(0, 4096)], "within bytes 32768 to 16777216");
    refused(&[(32767, 4096)], "within");
    refused(&[(32768, 16 << 20)], "within");
    refused(&[(u64::MAX, 2)], "within");
    refused(&[(32768, 8192), (36864, 8192)], "overlap");
    let header = edited(sample_header(), |json| json["config"]["keyslots_size"] = json!("16777216"));
    assert!(Header::parse(&header).unwrap().0.data_segment().is_err());
    let header =
        edited(sample_header(), |json| json["config"]["keyslots_size"] = json!("18446744073709547520"));
    assert!(Header::parse(&header).is_err());
    let header = edited(sample_header(), |json| json["config"]["json_size"] = json!("4096"));
    assert!(Header::parse(&header).is_err());
}

#[test]
fn an_envelope_is_replaced() {
    let place = Place::new();
    place.keystore.ensure_key("second").unwrap();
    let keys = place.volume_of("v", b"content", 4096);
    let path = place.path("v");
    let (mut header, _) = Header::read(&read_only(&path)).unwrap();
    let before = header.clone();

    // The same root key in two slots, as a rewrap leaves it.
    let mut doubled: serde_json::Value =
        serde_json::from_str(&header.envelope().unwrap().unwrap().to_json()).unwrap();
    let slots = doubled["slots"].as_array_mut().unwrap();
    slots.push(slots[0].clone());
    slots[1]["key"] = json!("second");
    let doubled = Envelope::from_json(doubled.to_string().as_bytes()).unwrap();
    header.set_envelope(doubled.clone(), &keys).unwrap();
    header.update(&read_write(&path)).unwrap();
    assert_eq!(header.sequence(), before.sequence() + 1);
    let volume = place.open("v").unwrap();
    assert_eq!(volume.header().envelope().unwrap().unwrap(), doubled);
    assert_eq!((read_all(&volume), volume.warnings()), (b"content".to_vec(), &[][..]));

    // The header that was read before is out of date.
    let after = header_of(&path);
    assert!(matches!(before.clone().update(&read_write(&path)), Err(HeaderError::Changed(_))));
    assert_eq!(header_of(&path), after);

    // One header may be updated again and again; a damaged copy is mended by it.
    header.update(&read_write(&path)).unwrap();
    for base in [0, COPY] {
        let mut damaged = header_of(&path);
        damaged[base + 5000] ^= 1;
        put_header(&path, &damaged);
        let (mut header, warnings) = Header::read(&read_only(&path)).unwrap();
        assert_eq!(warnings.len(), 1);
        header.update(&read_write(&path)).unwrap();
        header.update(&read_write(&path)).unwrap();
        assert_eq!(Header::read(&read_only(&path)).unwrap().1, []);
    }

    let (foreign, other_keys) = place.envelope();
    assert!(matches!(header.set_envelope(foreign.clone(), &keys), Err(SetEnvelopeError::Uuid(_))));
    assert!(matches!(header.set_envelope(foreign, &other_keys), Err(SetEnvelopeError::WrongKeys(_))));
}

#[test]
fn an_update_interrupted_at_any_write_leaves_a_valid_header() {
    // The copies as they are before, between and after the two writes of an update, and with either write torn.
    let place = Place::new();
    let keys = place.volume_of("v", b"content", 4096);
    let path = place.path("v");
    let before = header_of(&path);
    let (mut header, _) = Header::read(&read_only(&path)).unwrap();
    header.set_envelope(header.envelope().unwrap().unwrap(), &keys).unwrap();
    header.update(&read_write(&path)).unwrap();
    let after = header_of(&path);
    // The second copy is written first, for the first was in use.
    for torn in [0, 512, 4096, 5000, COPY] {
        let mut first = before.clone();
        first[COPY..COPY + torn].copy_from_slice(&after[COPY..COPY + torn]);
        let mut second = [&before[..COPY], &after[COPY..]].concat();
        second[..torn].copy_from_slice(&after[..torn]);
        for state in [first, second] {
            put_header(&path, &state);
            assert_eq!(read_all(&place.open("v").unwrap()), b"content", "torn at {torn}");
        }
    }
}

#[test]
fn an_update_waits_for_no_one_who_holds_the_lock_forever() {
    let place = Place::new();
    place.volume_of("v", b"content", 4096);
    let path = place.path("v");
    let holder = read_only(&path);
    holder.lock().unwrap();
    let before = header_of(&path);
    let (mut header, _) = Header::read(&read_only(&path)).unwrap();
    assert!(matches!(header.update(&read_write(&path)), Err(HeaderError::Busy(_))));
    assert_eq!(header_of(&path), before);
    holder.unlock().unwrap();
    header.update(&read_write(&path)).unwrap();
    // The lock is free again.
    holder.try_lock().unwrap();
}

#[test]
fn large_envelopes_get_a_larger_header() {
    let place = Place::new();
    let (envelope, keys) = place.envelope();
    let mut json: serde_json::Value = serde_json::from_str(&envelope.to_json()).unwrap();
    let slots = json["slots"].as_array_mut().unwrap();
    let slot = slots[0].clone();
    slots.extend(std::iter::repeat_n(slot, Envelope::MAX_SLOTS - 1));
    for (i, slot) in slots.iter_mut().enumerate() {
        slot["key"] = json!(format!("{i}{}", "k".repeat(1000)));
    }
    let envelope = Envelope::from_json(json.to_string().as_bytes()).unwrap();
    let volume =
        Volume::create(common::new_file(&place.path("v")), &CreateOptions::new(10), envelope.clone(), &keys);
    let volume = volume.unwrap();
    assert!(volume.header().copy_size() > COPY as u64);
    volume.write_at(b"0123456789", 0).unwrap();
    let opened =
        Volume::open_with_keys(read_only(&place.path("v")), &keys, &Expect::any(), Mode::ReadOnly).unwrap();
    assert_eq!((read_all(&opened), opened.warnings()), (b"0123456789".to_vec(), &[][..]));
    // The second copy is found where it stands, too.
    put_header(&place.path("v"), &[0; 4096]);
    let (header, warnings) = Header::read(&read_only(&place.path("v"))).unwrap();
    assert_eq!((header.used_copy(), warnings.len()), (HeaderCopy::Second, 1));
    assert_eq!(header.envelope().unwrap().unwrap(), envelope);
}
