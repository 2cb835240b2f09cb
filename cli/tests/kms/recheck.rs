//! Open volumes, and what the service says of their key meanwhile.

use std::time::{Duration, Instant};

use atrest::keys::{
    Class, Envelope, ErrorClass, Expect, LocalKeystore, Providers, RootKeyCache, block_on, new_uuid,
};
use atrest::volume::{
    CreateOptions, Mode, OpenError, ReadError, Recheck, Volume, Withdrawal, WrappingChange,
};
use atrest_aws_kms::AwsKms;
use serde_json::json;

use crate::Own;
use crate::common::{new_file, noise, read_all, read_only, read_write};
use crate::fake::{Fake, Fault};
use crate::server::Server;

pub const OWN: &[(&str, Own)] = &[
    ("a_withdrawn_key_closes_a_volume_that_rechecks", a_withdrawn_key_closes_a_volume_that_rechecks),
    ("an_outage_is_survived_within_the_grace", an_outage_is_survived_within_the_grace),
    ("a_cache_spares_decrypt_and_no_recheck", a_cache_spares_decrypt_and_no_recheck),
];

const INTERVAL: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(3600);

struct Bench {
    _dir: tempfile::TempDir,
    server: Server,
    fake: Fake,
    key: String,
    path: std::path::PathBuf,
    content: Vec<u8>,
    providers: Providers,
}

impl Bench {
    fn new() -> Bench {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("v");
        let (server, fake) = Server::fake();
        let (kms, key) = (server.provider(), server.key());
        let content = noise(100_000, 1);
        let create = Envelope::create(&kms, &key, new_uuid().unwrap(), Class::Persistent);
        let (envelope, keys) = block_on(create).unwrap();
        let options = CreateOptions::new(content.len() as u64);
        Volume::create(new_file(&path), &options, envelope, &keys).unwrap().write_at(&content, 0).unwrap();
        let mut options = server.options();
        (options.attempts, options.attempt_timeout) = (1, Duration::from_secs(2));
        let providers = Providers::new().with(AwsKms::new(options).unwrap());
        Bench { _dir: dir, server, fake, key, path, content, providers }
    }

    fn open(&self) -> Result<Volume, OpenError> {
        // To read: several are open at once.
        Volume::open(read_only(&self.path), &self.providers, &Expect::any(), Mode::ReadOnly)
    }

    fn rechecked(&self, grace: Duration) -> Volume {
        let mut volume = self.open().unwrap();
        volume.recheck(&self.providers, Recheck::new(INTERVAL, grace)).unwrap();
        volume
    }

    /// A volume that was opened while the service still answered.
    fn rechecked_in_outage(&self) -> Volume {
        let fault = self.fake.state().fault.take();
        let mut volume = self.open().unwrap();
        self.fake.state().fault = fault;
        volume.recheck(&self.providers, Recheck::new(INTERVAL, Duration::from_millis(300))).unwrap();
        volume
    }

    /// A request of the key's owner.
    fn owner(&self, operation: &str) {
        self.server.call(operation, &json!({ "KeyId": self.key, "PendingWindowInDays": 7 }));
    }

    /// Waits for so many Decrypt requests from now on.
    fn checks(&self, count: usize) {
        self.fake.calls();
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.fake.state().calls.iter().filter(|call| *call == "Decrypt").count() < count {
            assert!(Instant::now() < deadline, "the key is not checked");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[track_caller]
fn closes(volume: &Volume) -> Withdrawal {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        match volume.read_at(&mut [0; 100], 0) {
            Err(ReadError::Withdrawn(why)) => return *why,
            Ok(()) => assert!(Instant::now() < deadline, "the volume stays open"),
            Err(error) => panic!("{error}"),
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn a_withdrawn_key_closes_a_volume_that_rechecks() {
    let bench = Bench::new();
    let plain = bench.open().unwrap();
    let both: [(&str, ErrorClass, &[&str]); 2] = [
        ("DisableKey", ErrorClass::KeyDisabled, &["EnableKey"]),
        ("ScheduleKeyDeletion", ErrorClass::KeyPendingDeletion, &["CancelKeyDeletion", "EnableKey"]),
    ];
    for (withdraw, class, give_back) in both {
        let volume = bench.rechecked(LONG);
        bench.checks(3);
        assert!(read_all(&volume) == bench.content);
        bench.owner(withdraw);
        let why = closes(&volume);
        assert_eq!((why.class, why.lapsed), (class, false), "{why}");
        assert!(why.reason.contains(&bench.key) && why.reason.contains("AWS KMS"), "{why}");
        assert!(bench.open().is_err());
        for operation in give_back {
            bench.owner(operation);
        }
        // The key is back, and the volume is not; another one opens.
        assert!(read_all(&bench.open().unwrap()) == bench.content);
        assert_eq!(closes(&volume), why);
    }
    assert!(read_all(&plain) == bench.content, "a volume without rechecks goes on");
    // A wrapping of a provider that is not there is not asked, and holds nothing up: a recovery key in a safe, say.
    let home = tempfile::tempdir().unwrap();
    let keystore = LocalKeystore::open_or_create(home.path().join("keys")).unwrap();
    keystore.ensure_key("recovery").unwrap();
    let change = WrappingChange::Add { provider: "local", key: "recovery" };
    let both = bench.providers.clone().with(keystore);
    Volume::change_wrappings(&read_write(&bench.path), change, &both, &Expect::any()).unwrap();
    let volume = bench.rechecked(LONG);
    bench.owner("DisableKey");
    let why = closes(&volume);
    assert_eq!((why.class, why.lapsed), (ErrorClass::KeyDisabled, false), "{why}");
    bench.owner("EnableKey");
    // Denied from now on.
    let volume = bench.rechecked(LONG);
    bench.fake.fault("Decrypt", Fault::Code("AccessDeniedException"), usize::MAX);
    assert_eq!(closes(&volume).class, ErrorClass::NotAuthorised);
}

fn an_outage_is_survived_within_the_grace() {
    let bench = Bench::new();
    let volume = bench.rechecked(LONG);
    for fault in
        [Fault::Unavailable, Fault::Reset, Fault::Code("ThrottlingException"), Fault::Html, Fault::Hang]
    {
        bench.fake.fault("Decrypt", fault, 2);
        // The first one that hangs ends with its attempt.
        bench.checks(4);
        assert!(read_all(&volume) == bench.content, "{fault:?}");
    }
    bench.fake.fault("Decrypt", Fault::Unavailable, usize::MAX);
    let volume = bench.rechecked_in_outage();
    let why = closes(&volume);
    assert_eq!((why.class, why.lapsed), (ErrorClass::Unreachable, true), "{why}");
    bench.fake.state().fault = None;
    assert_eq!(closes(&volume), why);
    assert!(read_all(&bench.open().unwrap()) == bench.content);
}

fn a_cache_spares_decrypt_and_no_recheck() {
    let mut bench = Bench::new();
    bench.providers = bench.providers.clone().with_cache(RootKeyCache::new(4, LONG).unwrap());
    bench.fake.calls();
    for _ in 0..5 {
        bench.open().unwrap();
    }
    assert_eq!(bench.fake.calls(), ["Decrypt"]);
    std::thread::scope(|scope| {
        bench.providers.cache().unwrap().clear();
        for _ in 0..8 {
            scope.spawn(|| bench.open().unwrap());
        }
    });
    assert_eq!(bench.fake.calls(), ["Decrypt"]);
    let volume = bench.rechecked(LONG);
    bench.checks(2);
    bench.owner("DisableKey");
    assert_eq!(closes(&volume).class, ErrorClass::KeyDisabled);
    assert!(bench.open().is_err(), "the cache let go of the key");
}
