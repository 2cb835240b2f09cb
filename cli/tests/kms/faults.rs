//! What goes wrong on the way: each fault ends in time, in the right class, and changes nothing on the disk.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use atrest::keys::{
    Class, EncryptionContext, Envelope, EnvelopeChangeError, ErrorClass, Expect, KeyProvider as _,
    ProviderError, Providers, block_on, new_uuid,
};
use atrest::volume::{CreateOptions, Volume, WrappingChange, WrappingError};
use atrest_aws_kms::{AwsKms, KmsOptions};

use crate::Own;
use crate::common::{header_of, new_file, read_write};
use crate::fake::{Fault, HANG, REGION};
use crate::server::Server;

pub const OWN: &[(&str, Own)] = &[
    ("every_fault_has_its_class_and_ends_in_time", every_fault_has_its_class_and_ends_in_time),
    ("the_deadline_ends_all_attempts", the_deadline_ends_all_attempts),
    ("what_passes_is_tried_again", what_passes_is_tried_again),
    ("pauses_between_attempts_are_random", pauses_between_attempts_are_random),
    ("a_clock_that_is_wrong_is_put_right_or_told", a_clock_that_is_wrong_is_put_right_or_told),
    ("an_answer_without_end_is_not_read", an_answer_without_end_is_not_read),
    ("nobody_listens", nobody_listens),
    ("no_credentials", no_credentials),
    ("keys_do_not_cross_the_network_in_the_clear", keys_do_not_cross_the_network_in_the_clear),
    ("options_out_of_range_are_refused", options_out_of_range_are_refused),
];

fn every_fault_has_its_class_and_ends_in_time() {
    use ErrorClass as Class_;
    let faults: &[(Fault, ErrorClass)] = &[
        (Fault::Reset, Class_::Unreachable),
        (Fault::Hang, Class_::TimedOut),
        (Fault::Slow, Class_::TimedOut),
        (Fault::Endless, Class_::Malformed),
        (Fault::Html, Class_::Malformed),
        (Fault::HalfJson, Class_::Malformed),
        (Fault::Truncated, Class_::Malformed),
        (Fault::Empty, Class_::Malformed),
        (Fault::Internal, Class_::Unreachable),
        (Fault::Unavailable, Class_::Unreachable),
        (Fault::Code("ThrottlingException"), Class_::Throttled),
        (Fault::Code("ExpiredTokenException"), Class_::NoCredentials),
        (Fault::Code("InvalidSignatureException"), Class_::NoCredentials),
        (Fault::Code("RequestTimeTooSkewed"), Class_::NoCredentials),
        (Fault::Code("UnrecognizedClientException"), Class_::NoCredentials),
        (Fault::Code("AccessDeniedException"), Class_::NotAuthorised),
        (Fault::Code("KeyUnavailableException"), Class_::KeyUnavailable),
        (Fault::Code("DependencyTimeoutException"), Class_::TimedOut),
        (Fault::Code("InvalidCiphertextException"), Class_::ContextMismatchOrCorrupt),
        (Fault::Code("IncorrectKeyException"), Class_::WrongKey),
        (Fault::Code("SomethingNewException"), Class_::Malformed),
        (Fault::WrongKey, Class_::WrongKey),
        (Fault::NoKey, Class_::Malformed),
    ];
    let only_decrypt = [
        (Fault::PlaintextLength(0), Class_::Malformed),
        (Fault::PlaintextLength(16), Class_::Malformed),
        (Fault::PlaintextLength(33), Class_::Malformed),
        (Fault::PlaintextLength(4096), Class_::Malformed),
    ];
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("v");
    let (server, fake) = Server::fake();
    let (key, other) = (server.key(), server.key());
    let kms = AwsKms::new(server.hasty()).unwrap();
    let (envelope, keys) =
        block_on(Envelope::create(&kms, &key, new_uuid().unwrap(), Class::Persistent)).unwrap();
    Volume::create(new_file(&path), &CreateOptions::new(100), envelope.clone(), &keys).unwrap();
    let before = header_of(&path);
    let context = EncryptionContext::for_volume(envelope.volume());
    let providers = Providers::new().with(kms.clone());
    // What the key is, is known: nothing but the request itself is made.
    block_on(kms.generate(&other, &context)).unwrap();

    let check =
        |fault: Fault, class: ErrorClass, what: &str, result: Result<(), ProviderError>, started: Instant| {
            let error = result.expect_err(&format!("{what} {fault:?}"));
            assert_eq!(error.class(), class, "{what} {fault:?}: {error}");
            assert!(started.elapsed() < HANG, "{what} {fault:?}: {:?}", started.elapsed());
            let text = error.to_string();
            assert!(!text.contains('\n') && text.len() < 1000 && text.contains("AWS KMS"), "{text}");
            if let Fault::Code(code) = fault {
                let answer = error.answer().expect("what the service said is kept");
                assert_eq!(answer.code.as_deref(), Some(code));
                assert_eq!(answer.message.as_deref(), Some("a fault was asked for"));
                assert_eq!(answer.request_id.as_deref(), Some("11111111-2222-3333-4444-555555555555"));
                assert!(text.contains(code) && text.contains("11111111-2222"), "{text}");
            }
        };
    for (fault, class) in faults.iter().copied().chain(only_decrypt) {
        fake.fault("Decrypt", fault, usize::MAX);
        let started = Instant::now();
        check(fault, class, "Decrypt", block_on(kms.unwrap(&envelope.slots()[0])).map(drop), started);
    }
    for (fault, class) in faults.iter().copied() {
        fake.fault("GenerateDataKeyWithoutPlaintext", fault, usize::MAX);
        let started = Instant::now();
        check(fault, class, "Generate", block_on(kms.generate(&key, &context)).map(drop), started);
    }
    for (fault, class) in faults.iter().copied().chain([(Fault::WrongMaterial, Class_::WrongKey)]) {
        fake.fault("ReEncrypt", fault, usize::MAX);
        let started = Instant::now();
        let change = WrappingChange::Rewrap { slot: 0, provider: "aws", key: &other };
        let error =
            Volume::change_wrappings(&read_write(&path), change, &providers, &Expect::any()).unwrap_err();
        let WrappingError::Change(EnvelopeChangeError::Provider(error)) = error else { panic!("{error}") };
        check(fault, class, "ReEncrypt", Err(error), started);
        assert!(header_of(&path) == before, "{fault:?}");
    }
    fake.state().fault = None;
    let change = WrappingChange::Rewrap { slot: 0, provider: "aws", key: &other };
    Volume::change_wrappings(&read_write(&path), change, &providers, &Expect::any()).unwrap();
}

fn the_deadline_ends_all_attempts() {
    let (server, fake) = Server::fake();
    let key = server.key();
    let mut options = server.hasty();
    options.attempts = 10;
    let kms = AwsKms::new(options).unwrap();
    fake.fault("DescribeKey", Fault::Hang, usize::MAX);
    fake.calls();
    let started = Instant::now();
    let error = block_on(kms.describe(&key)).unwrap_err();
    assert_eq!(error.class(), ErrorClass::TimedOut, "{error}");
    assert!(started.elapsed() < HANG, "{:?}", started.elapsed());
    assert!(fake.calls().len() > 1, "it was tried again while there was time");
}

fn what_passes_is_tried_again() {
    let (server, fake) = Server::fake();
    let (kms, key) = (server.provider(), server.key());
    let context = EncryptionContext::for_volume(new_uuid().unwrap());
    let wrapped = block_on(kms.generate(&key, &context)).unwrap();
    for fault in [
        Fault::Code("ThrottlingException"),
        Fault::Internal,
        Fault::Unavailable,
        Fault::Reset,
        Fault::Truncated,
    ] {
        fake.fault("Decrypt", fault, 1);
        fake.calls();
        block_on(kms.unwrap(&wrapped)).unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(fake.calls(), ["Decrypt", "Decrypt"], "{fault:?}");
    }
    // What does not pass is not.
    for code in ["AccessDeniedException", "InvalidCiphertextException", "ExpiredTokenException"] {
        fake.fault("Decrypt", Fault::Code(code), usize::MAX);
        fake.calls();
        block_on(kms.unwrap(&wrapped)).unwrap_err();
        assert_eq!(fake.calls().iter().filter(|call| *call == "Decrypt").count(), 1, "{code}");
    }
}

/// Many clients that a service sends away at one moment must not all come back at another.
fn pauses_between_attempts_are_random() {
    let (server, fake) = Server::fake();
    let (kms, key) = (server.provider(), server.key());
    fake.fault("DescribeKey", Fault::Code("ThrottlingException"), usize::MAX);
    fake.asked();
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let error = block_on(kms.describe(&key)).unwrap_err();
                assert_eq!(error.class(), ErrorClass::Throttled, "{error}");
            });
        }
    });
    // One second at most before the second attempt, two before the third.
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    let mut attempts: BTreeMap<String, Vec<Instant>> = BTreeMap::new();
    for asked in fake.asked() {
        attempts.entry(asked.invocation).or_default().push(asked.at);
    }
    assert_eq!(attempts.len(), 8);
    assert!(attempts.values().all(|attempts| attempts.len() == 3));
    for pause in 0..2 {
        let mut pauses: Vec<Duration> =
            attempts.values().map(|at| at[pause + 1].duration_since(at[pause])).collect();
        pauses.sort();
        // Were they alike, they would differ by what the machine adds; the chance that eight random ones lie so close is
        // one in millions.
        let spread = pauses[7] - pauses[0];
        assert!(spread > Duration::from_millis(100), "{pauses:?}");
    }
}

fn a_clock_that_is_wrong_is_put_right_or_told() {
    let (server, fake) = Server::fake();
    let (kms, key) = (server.provider(), server.key());
    let context = EncryptionContext::for_volume(new_uuid().unwrap());
    let wrapped = block_on(kms.generate(&key, &context)).unwrap();
    for ahead in [3600, -86_400] {
        fake.state().clock_ahead = ahead;
        fake.asked();
        // The service says what time it is, and the next signature is of that time.
        block_on(kms.unwrap(&wrapped)).unwrap();
        assert_eq!(fake.calls(), ["Decrypt", "Decrypt"]);
        block_on(kms.unwrap(&wrapped)).unwrap();
        assert_eq!(fake.calls(), ["Decrypt"]);
    }
    // A proxy that leaves the time out leaves the client with its own.
    fake.state().hides_date = true;
    let error = block_on(server.provider().unwrap(&wrapped)).unwrap_err();
    assert_eq!(error.class(), ErrorClass::NoCredentials, "{error}");
    for part in ["InvalidSignatureException", "Signature", "check the clock of this machine"] {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    assert_eq!(fake.calls(), ["Decrypt"], "it is not tried again");
}

fn an_answer_without_end_is_not_read() {
    let (server, fake) = Server::fake();
    let kms = AwsKms::new(server.hasty()).unwrap();
    fake.fault("DescribeKey", Fault::Endless, usize::MAX);
    let error = block_on(kms.describe("alias/a")).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Malformed, "{error}");
    assert!(error.to_string().contains("longer than 65536 bytes"), "{error}");
    // What the system takes for a connection that nobody reads.
    assert!(fake.state().sent_without_end < 32 << 20);
    fake.fault("ListAliases", Fault::Endless, usize::MAX);
    let error = block_on(kms.admin().unwrap().list()).unwrap_err();
    assert!(error.to_string().contains("longer than 1048576 bytes"), "{error}");
}

fn nobody_listens() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut options = Server { endpoint: format!("http://127.0.0.1:{port}"), fake: None }.hasty();
    options.timeout = Duration::from_secs(5);
    let error = block_on(AwsKms::new(options).unwrap().describe("alias/a")).unwrap_err();
    assert_eq!(error.class(), ErrorClass::Unreachable, "{error}");
    assert!(error.to_string().contains("check the network"), "{error}");
}

fn no_credentials() {
    let (server, fake) = Server::fake();
    let mut options = server.options();
    options.profile = Some("nobody".to_owned());
    let error = block_on(AwsKms::new(options).unwrap().describe("alias/a")).unwrap_err();
    assert_eq!(error.class(), ErrorClass::NoCredentials, "{error}");
    assert!(error.to_string().contains("set up AWS credentials"), "{error}");
    assert!(fake.calls().is_empty());
}

fn keys_do_not_cross_the_network_in_the_clear() {
    // An address that nobody has (RFC 5737): were it asked, this would take its time.
    for endpoint in ["http://192.0.2.1:80", "http://kms.eu-west-1.amazonaws.com"] {
        let mut options = KmsOptions::default();
        options.endpoint = Some(endpoint.to_owned());
        options.region = Some(REGION.to_owned());
        let started = Instant::now();
        let error = block_on(AwsKms::new(options).unwrap().describe("alias/a")).unwrap_err();
        assert_eq!(error.class(), ErrorClass::InvalidRequest, "{error}");
        assert!(error.to_string().contains("in the clear"), "{error}");
        assert!(started.elapsed() < Duration::from_secs(2));
    }
}

fn options_out_of_range_are_refused() {
    let edits: [fn(&mut KmsOptions); 6] = [
        |options| options.timeout = Duration::ZERO,
        |options| options.attempt_timeout = Duration::from_secs(3601),
        |options| options.connect_timeout = Duration::MAX,
        |options| options.attempts = 0,
        |options| options.attempts = 11,
        |options| options.grant_tokens = vec!["a b".to_owned()],
    ];
    for edit in edits {
        let mut options = KmsOptions::default();
        edit(&mut options);
        assert_eq!(AwsKms::new(options).unwrap_err().class(), ErrorClass::InvalidRequest);
    }
}
