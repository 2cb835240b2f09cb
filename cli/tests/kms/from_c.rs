//! Volumes under keys of the service, through the C calls, which block and take a timeout.

use std::process::Command;

use crate::c::{Language, Linking, compile, compilers, succeed};
use crate::common::header_of;
use crate::fake::Fault;
use crate::server::Server;

pub const OWN: &[(&str, crate::Own)] = &[("the_c_calls_open_and_tell", the_c_calls_open_and_tell)];

/// Milliseconds, where the time is not what is tried.
const PATIENT: u32 = 60_000;

fn the_c_calls_open_and_tell() {
    let Some(compiler) = compilers(Language::C).into_iter().next() else { return };
    let (server, fake) = Server::fake();
    let dir = tempfile::tempdir().unwrap();
    let (program, volume) = (dir.path().join("program"), dir.path().join("v"));
    compile(&compiler, "capi/tests/c/kms.c", &[], Linking::Shared, &program);
    let keys = [server.key(), server.key()].map(|key| format!("aws:{key}"));
    let call = |what: &str, key: &str, timeout: u32| {
        let mut command = Command::new(&program);
        command.arg(&server.endpoint).arg(what).arg(&volume).arg(key).arg(timeout.to_string());
        succeed(&mut command)
    };
    // ATREST_ERROR_NOT_AUTHORISED and _WRONG_KEY: no file is left.
    for (fault, status) in [(Fault::Code("AccessDeniedException"), "65 "), (Fault::WrongKey, "70 ")] {
        fake.fault("Decrypt", fault, usize::MAX);
        let said = call("create", &keys[0], PATIENT);
        assert!(said.starts_with(status) && said.contains(&keys[0][4..]), "{said}");
        assert!(!volume.exists());
    }
    fake.state().fault = None;
    fake.asked();
    assert_eq!(call("create", &keys[0], PATIENT), "0 \n");
    assert_eq!(fake.calls(), ["GenerateDataKeyWithoutPlaintext", "DescribeKey", "Decrypt"]);
    let read = |timeout| call("read", "", timeout);
    assert_eq!(read(PATIENT), "a page of a database\n0 \n");
    assert_eq!(fake.calls(), ["Decrypt"]);
    assert_eq!(call("rewrap", &keys[1], PATIENT), "0 \n");
    assert_eq!(fake.calls(), ["Decrypt", "DescribeKey", "ReEncrypt", "Decrypt"]);
    assert_eq!(read(PATIENT), "a page of a database\n0 \n");
    let before = header_of(&volume);
    // _TIMED_OUT, _MALFORMED_ANSWER, _NO_CREDENTIALS, _CONTEXT_MISMATCH.
    let faults = [
        (Fault::Hang, "74 "),
        (Fault::Slow, "74 "),
        (Fault::Html, "77 "),
        (Fault::Empty, "77 "),
        (Fault::PlaintextLength(33), "77 "),
        (Fault::WrongKey, "70 "),
        (Fault::Code("ExpiredTokenException"), "75 "),
        (Fault::Code("AccessDeniedException"), "65 "),
        (Fault::Code("InvalidCiphertextException"), "71 "),
    ];
    for (fault, status) in faults {
        fake.fault("Decrypt", fault, usize::MAX);
        fake.calls();
        let waits = matches!(fault, Fault::Hang | Fault::Slow);
        let said = read(if waits { 400 } else { PATIENT });
        assert!(said.starts_with(status) && said.lines().count() == 1, "{fault:?}: {said}");
        // The caller's time has ended it, and not the provider's own, after which there is another attempt.
        assert!(!waits || fake.calls().len() <= 1, "{fault:?}");
    }
    fake.fault("ReEncrypt", Fault::Hang, usize::MAX);
    assert!(call("rewrap", &keys[0], 400).starts_with("74 "));
    fake.state().fault = None;
    server.call("DisableKey", &serde_json::json!({ "KeyId": keys[1].rsplit('/').next() }));
    let said = read(PATIENT);
    assert!(said.starts_with("68 ") && said.contains("is disabled"), "{said}");
    assert!(header_of(&volume) == before);
}
