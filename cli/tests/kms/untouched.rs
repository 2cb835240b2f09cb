//! Whatever goes wrong on the way: keystore and headers stay as they were, and no volume is begun.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use atrest::keys::{Class, Envelope, Expect, KeyProvider, LocalKeystore, Providers, block_on, new_uuid};
use atrest::volume::{CreateOptions, Volume, WrappingChange, WrappingError};
use atrest_aws_kms::{AwsKms, KmsOptions};

use crate::Own;
use crate::common::{header_of, new_file, noise, read_write};
use crate::fake::{Fault, HANG};
use crate::place::Place;
use crate::server::Server;

pub const OWN: &[(&str, Own)] = &[
    ("faults_leave_keystore_and_headers_as_they_were", faults_leave_keystore_and_headers_as_they_were),
    ("a_service_that_is_not_there_leaves_them_too", a_service_that_is_not_there_leaves_them_too),
    ("a_refused_key_leaves_no_volume", a_refused_key_leaves_no_volume),
];

const FAULTS: [Fault; 18] = [
    Fault::Reset,
    Fault::Hang,
    Fault::Slow,
    Fault::Truncated,
    Fault::Html,
    Fault::Empty,
    Fault::HalfJson,
    Fault::Internal,
    Fault::Unavailable,
    Fault::NoKey,
    Fault::WrongKey,
    Fault::Code("ThrottlingException"),
    Fault::Code("ExpiredTokenException"),
    Fault::Code("InvalidSignatureException"),
    Fault::Code("AccessDeniedException"),
    Fault::Code("DisabledException"),
    Fault::PlaintextLength(31),
    Fault::PlaintextLength(64),
];

/// Each file of a keystore: its content, its number and when it was written.
type Files = BTreeMap<PathBuf, (Vec<u8>, u64, i64)>;

fn files(directory: &Path) -> Files {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => {
                let about = path.metadata().unwrap();
                let content = std::fs::read(&path).unwrap();
                found.insert(path, (content, about.ino(), about.mtime_nsec()));
            }
        }
    }
    found
}

/// A keystore, a volume under a key in it, and a volume under a key of the service.
struct Stage {
    dir: tempfile::TempDir,
    keystore: LocalKeystore,
}

impl Stage {
    fn new(server: &Server, key: &str) -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let keystore = LocalKeystore::open_or_create(dir.path().join("home")).unwrap();
        keystore.ensure_key("default").unwrap();
        let create = |provider: &dyn KeyProvider, key: &str, name: &str| {
            let new = Envelope::create(provider, key, new_uuid().unwrap(), Class::Persistent);
            let (envelope, keys) = block_on(new).unwrap();
            let file = new_file(&dir.path().join(name));
            Volume::create(file, &CreateOptions::new(100), envelope, &keys).unwrap();
        };
        create(&keystore, "default", "local");
        create(&server.provider(), key, "aws");
        Stage { dir, keystore }
    }

    /// With a provider that has not met any key yet: what is known of one is not asked for again.
    fn change(
        &self,
        options: &KmsOptions,
        volume: &str,
        change: WrappingChange<'_>,
    ) -> Result<(), WrappingError> {
        let kms = AwsKms::new(options.clone()).unwrap();
        let providers = Providers::new().with(self.keystore.clone()).with(kms);
        let file = read_write(&self.dir.path().join(volume));
        Volume::change_wrappings(&file, change, &providers, &Expect::any()).map(drop)
    }

    /// Everything that a fault must leave alone.
    fn all(&self) -> (Vec<u8>, Vec<u8>, Files) {
        let path = |name| self.dir.path().join(name);
        (header_of(&path("local")), header_of(&path("aws")), files(&path("home")))
    }
}

/// What is tried on which volume, with the requests that it takes.
fn changes<'a>(
    key: &'a str,
    other: &'a str,
) -> [(&'static str, WrappingChange<'a>, &'static [&'static str]); 4] {
    let wrapping = ["DescribeKey", "Encrypt", "Decrypt"].as_slice();
    [
        ("local", WrappingChange::Add { provider: "aws", key }, wrapping),
        ("local", WrappingChange::Rewrap { slot: 0, provider: "aws", key: other }, wrapping),
        ("aws", WrappingChange::Add { provider: "local", key: "default" }, &["Decrypt"]),
        (
            "aws",
            WrappingChange::Rewrap { slot: 0, provider: "aws", key: other },
            &["DescribeKey", "ReEncrypt"],
        ),
    ]
}

fn faults_leave_keystore_and_headers_as_they_were() {
    let (server, fake) = Server::fake();
    let (key, other) = (server.key(), server.key());
    let stage = Stage::new(&server, &key);
    let before = stage.all();
    for fault in FAULTS {
        // The requests before the one that is meant have time enough, unless it is time that is tried.
        let takes_time = matches!(fault, Fault::Hang | Fault::Slow);
        let mut options = server.hasty();
        if !takes_time {
            (options.attempt_timeout, options.timeout) = (Duration::from_secs(10), Duration::from_secs(10));
        }
        for (volume, change, requests) in changes(&key, &other) {
            for request in requests {
                let fits = match fault {
                    Fault::Hang | Fault::Slow => Some(request) == requests.last(),
                    Fault::PlaintextLength(_) => *request == "Decrypt",
                    Fault::NoKey | Fault::WrongKey => *request != "DescribeKey",
                    _ => true,
                };
                if !fits {
                    continue;
                }
                fake.fault(request, fault, usize::MAX);
                fake.asked();
                let started = Instant::now();
                let error = stage.change(&options, volume, change).unwrap_err();
                assert!(fake.calls().contains(&(*request).to_owned()), "{request} {fault:?}: {error}");
                assert!(started.elapsed() < HANG, "{request} {fault:?}");
                assert!(stage.all() == before, "{request} {fault:?}");
            }
        }
    }
    // And without a fault all of it works.
    fake.state().fault = None;
    for (volume, change, _) in changes(&key, &other) {
        stage.change(&server.options(), volume, change).unwrap();
    }
    let after = stage.all();
    assert!(after.0 != before.0 && after.1 != before.1 && after.2 == before.2);
}

fn a_service_that_is_not_there_leaves_them_too() {
    let (server, _) = Server::fake();
    let (key, other) = (server.key(), server.key());
    let stage = Stage::new(&server, &key);
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nowhere = Server { endpoint: format!("http://127.0.0.1:{port}"), fake: None };
    let before = stage.all();
    for (volume, change, _) in changes(&key, &other) {
        let error = stage.change(&nowhere.hasty(), volume, change).unwrap_err();
        assert!(error.to_string().contains("check the network"), "{error}");
        assert!(stage.all() == before);
    }
    // The command neither begins a volume, nor makes a keystore on the way.
    let place = Place::new(&nowhere);
    std::fs::write(place.path("in"), noise(10_000, 3)).unwrap();
    place.fails(&["encrypt", "in", "v", "--key", "aws:alias/prod"], &["alias/prod", "check the network"]);
    assert_eq!(std::fs::read_dir(place.path(".")).unwrap().count(), 1, "only the file `in` is there");
}

fn a_refused_key_leaves_no_volume() {
    let (server, fake) = Server::fake();
    let place = Place::new(&server);
    let rsa = format!("aws:{}", server.key_of("RSA_2048", "ENCRYPT_DECRYPT"));
    place.fails(&["create", "v", "--size", "1M", "--key", &rsa], &["RSA_2048", "create a symmetric"]);
    place.fails(
        &["create", "v", "--size", "1M", "--key", "aws:alias/none"],
        &["alias/none", "NotFoundException"],
    );
    let key = format!("aws:{}", server.key());
    for fault in [Fault::Html, Fault::Empty, Fault::WrongKey, Fault::PlaintextLength(31)] {
        fake.fault("Decrypt", fault, usize::MAX);
        place.fails(&["create", "v", "--size", "1M", "--key", &key], &[&key]);
    }
    assert!(!place.path("v").exists());
}
