//! The tests that every key provider passes.

use std::sync::Arc;

use atrest_provider_tests::{Ability, Subject, TESTS, Test};

use crate::server::Server;

/// What moto does not do as AWS documents it.
const MOTO_DIFFERS: &[(&str, &str)] = &[
    ("a_wrapping_belongs_to_its_key", "it answers a wrong KeyId with AccessDeniedException"),
    (
        "a_changed_wrapping_does_not_open",
        "its ciphertexts begin with the KeyId, so that a changed one is a wrong KeyId",
    ),
];

/// All tests for a service.
pub fn tests(moto: bool) -> impl Iterator<Item = (&'static str, Test)> {
    let differs = move |name: &str| moto && MOTO_DIFFERS.iter().any(|(other, _)| *other == name);
    TESTS.iter().copied().filter(move |(name, _)| !differs(name))
}

/// A provider of its own for each test, with two new keys.
pub fn run(server: &Server, test: Test) {
    let (provider, key, other) = (server.provider(), server.key(), server.key());
    let account = key.rsplit_once('/').unwrap().0;
    let mut subject = Subject::new(Arc::new(provider.clone()), &key, &other);
    subject.missing = Some(format!("{account}/00000000-0000-4000-8000-000000000000"));
    subject.scheme = Some(atrest_aws_kms::scheme());
    subject.debug = Some(format!("{provider:?}"));
    subject.secrets = vec![b"secret".to_vec()];
    subject.rewrap = Ability::Yes;
    if server.fake.is_none() {
        subject.disable = Ability::Untested("moto decrypts with disabled keys");
        subject.delete = Ability::Untested("moto decrypts with keys before their deletion");
        subject.rotate = Ability::Untested("moto tells no material");
    }
    test(&subject);
}
