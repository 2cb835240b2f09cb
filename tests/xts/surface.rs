//! What keys, backends and errors show of themselves.

use atrest::xts::{Backend, Error, Key, MAX_UNIT_LEN, Schedule, selftest};

use crate::data::{Subject, keys};

pub fn names_round_trip() {
    for &backend in Backend::ALL {
        assert_eq!(backend.to_string(), backend.name());
        assert_eq!(backend.name().parse(), Ok(backend));
        assert_eq!(backend.c_name().to_str(), Ok(backend.name()));
        assert_eq!(backend.schedules().first(), Some(&Schedule::Tiles));
        assert_eq!(backend.needs().is_empty(), backend == Backend::Soft, "{backend}");
        assert_eq!(Backend::ALL.iter().filter(|other| other.name() == backend.name()).count(), 1);
    }
    assert!(Backend::supported().eq(Backend::ALL.iter().copied().filter(|backend| backend.is_supported())));
    for name in ["", "Soft", "soft ", " soft", "vaes", "vaes256\0", "fastest"] {
        assert_eq!(name.parse::<Backend>(), Err(Error::UnknownBackend), "{name:?}");
    }
    // `Display` honours the width, for tables.
    assert_eq!(format!("{:>8}|", Backend::Soft), "    soft|");
}

pub fn keys_show_no_secret() {
    // Bytes whose decimal and hexadecimal forms occur nowhere else in the output.
    let mut key_bytes = [0xd7; 64];
    key_bytes[40] = 0xe9;
    for subject in Subject::all().filter(|subject| subject.backend.is_supported()) {
        let (key, backend) = (subject.options().build(&key_bytes).expect("a good key"), subject.backend);
        let shown = format!("{key:?} {key:#?}").to_lowercase();
        assert!(shown.contains("256") && shown.contains(&format!("{backend:?}").to_lowercase()), "{shown}");
        for secret in ["215", "d7", "233", "e9"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Key>();
}

/// One line each, with the value that was wrong and the limit.
pub fn error_messages() {
    let longest = MAX_UNIT_LEN.to_string();
    let names: Vec<&str> =
        Backend::ALL.iter().map(|backend| backend.name()).chain(["ATREST_BACKEND"]).collect();
    let cases: [(Error, &[&str]); 13] = [
        (Error::KeyLength { len: 33 }, &["33", "32", "64"]),
        (Error::HalfLengths { key1: 17, key2: 33 }, &["17", "33", "16", "32"]),
        (Error::EqualHalves, &["key1", "key2"]),
        (Error::SectorSize { size: 8 }, &["sector size", "8", "16", &longest]),
        (Error::UnitLength { len: 15 }, &["15", "16", &longest]),
        (Error::DataLength { len: 700, sector_size: 512 }, &["700", "512"]),
        (Error::LengthMismatch { src: 12, dst: 34 }, &["12", "34"]),
        (Error::SectorNumberOverflow, &["sector"]),
        (Error::TweakCount { tweaks: 12, sectors: 34 }, &["12", "34"]),
        (Error::SectorSizeNot512 { size: 520 }, &["520", "multiple of 512"]),
        (Error::UnknownBackend, &names),
        (Error::UnsupportedBackend(Backend::Vaes512), &["vaes512"]),
        (Error::SelfTest(Backend::Aesni), &["aesni", "wrong"]),
    ];
    for (error, words) in cases {
        let message = error.to_string();
        assert!(!message.contains('\n') && message.len() < 200, "{message}");
        for word in words {
            assert!(message.contains(word), "{word:?} is missing in {message:?}");
        }
    }
    // What a caller sees who boxes it.
    let boxed: Box<dyn std::error::Error> = Key::new(&keys()[0][..31]).expect_err("31 bytes").into();
    assert_eq!(boxed.to_string(), Error::KeyLength { len: 31 }.to_string());
}

pub fn selftest_passes() {
    assert_eq!(selftest(), Ok(()));
}
