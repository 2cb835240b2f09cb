//! Root keys under keys of the service, through Rust.

use atrest::keys::{
    Class, EncryptionContext, Envelope, ErrorClass, Expect, GrantRequest, KeyProvider as _, KeyState,
    LocalKeystore, Operation, ProviderError, Providers, RootKey, block_on, new_uuid,
};

use crate::Shared;
use crate::server::Server;

pub const SHARED: &[(&str, Shared)] = &[
    ("a_root_key_goes_round", a_root_key_goes_round),
    ("a_context_binds", a_context_binds),
    ("rewrapping_stays_within_the_service", rewrapping_stays_within_the_service),
    ("between_providers_and_back", between_providers_and_back),
    ("other_kinds_of_keys_are_refused", other_kinds_of_keys_are_refused),
    ("names_that_are_no_keys", names_that_are_no_keys),
    ("grants_are_made_listed_and_taken_back", grants_are_made_listed_and_taken_back),
    ("keys_are_cared_for", keys_are_cared_for),
];

#[track_caller]
fn refused<T>(result: Result<T, ProviderError>, class: ErrorClass, parts: &[&str]) -> ProviderError {
    let Err(error) = result else { panic!("it is accepted") };
    let text = error.to_string();
    assert_eq!(error.class(), class, "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    assert!(!text.contains('\n'), "{text}");
    error
}

fn a_root_key_goes_round(server: &Server) {
    let (kms, key) = (server.provider(), server.key());
    let context = EncryptionContext::for_volume(new_uuid().unwrap());
    for name in [key.clone(), server.alias(&key), key.rsplit('/').next().unwrap().to_owned()] {
        let wrapped = block_on(kms.generate(&name, &context)).unwrap();
        assert_eq!((wrapped.provider.as_str(), &wrapped.key, &wrapped.context), ("aws", &key, &context));
        let (once, twice) =
            (block_on(kms.unwrap(&wrapped)).unwrap(), block_on(kms.unwrap(&wrapped)).unwrap());
        assert_eq!(once.expose(), twice.expose());
    }
    // A key that was made elsewhere.
    let root = RootKey::generate().unwrap();
    let wrapped = block_on(kms.wrap(&root, &server.alias(&key), &context)).unwrap();
    assert_eq!((&wrapped.key, block_on(kms.unwrap(&wrapped)).unwrap().expose()), (&key, root.expose()));
}

fn a_context_binds(server: &Server) {
    let (kms, key) = (server.provider(), server.key());
    let wrapped = block_on(kms.generate(&key, &EncryptionContext::for_volume(new_uuid().unwrap()))).unwrap();
    let mut other = wrapped.clone();
    other.context = EncryptionContext::for_volume(new_uuid().unwrap());
    refused(block_on(kms.unwrap(&other)), ErrorClass::ContextMismatchOrCorrupt, &[&key, "another volume"]);
    refused(block_on(kms.rewrap(&other, &key)), ErrorClass::ContextMismatchOrCorrupt, &[&key]);
    let mut corrupt = wrapped.clone();
    *corrupt.wrapped.last_mut().unwrap() ^= 1;
    assert!(block_on(kms.unwrap(&corrupt)).is_err());
    let mut elsewhere = wrapped;
    elsewhere.key = server.key();
    let class = block_on(kms.unwrap(&elsewhere)).unwrap_err().class();
    // moto says that access is denied.
    assert_eq!(class, if server.fake.is_some() { ErrorClass::WrongKey } else { ErrorClass::NotAuthorised });
}

fn rewrapping_stays_within_the_service(server: &Server) {
    let (kms, old, new) = (server.provider(), server.key(), server.key());
    let volume = new_uuid().unwrap();
    let (envelope, keys) = block_on(Envelope::create(&kms, &old, volume, Class::Persistent)).unwrap();
    let providers = Providers::new().with(kms);
    let calls = || server.fake.as_ref().map(|fake| fake.calls());
    calls();
    let rewrapped =
        block_on(envelope.rewrap(0, "aws", &server.alias(&new), &providers, &Expect::any())).unwrap();
    if let Some(calls) = calls() {
        assert_eq!(calls, ["CreateAlias", "DescribeKey", "ReEncrypt", "Decrypt"]);
    }
    assert_eq!(rewrapped.keys.as_ref().unwrap().xts_key(), keys.xts_key(), "the new wrapping was opened");
    let slot = &rewrapped.envelope.slots()[0];
    assert!(slot.key == new && slot.wrapped != envelope.slots()[0].wrapped);
    assert_eq!(
        block_on(rewrapped.envelope.open(&providers, &Expect::any())).unwrap().keys.xts_key(),
        keys.xts_key()
    );
    // The same key is fine, and is known by now.
    calls();
    let again = block_on(rewrapped.envelope.rewrap(0, "aws", &new, &providers, &Expect::any())).unwrap();
    if let Some(calls) = calls() {
        assert_eq!(calls, ["ReEncrypt", "Decrypt"]);
    }
    assert_eq!(
        block_on(again.envelope.open(&providers, &Expect::any())).unwrap().keys.xts_key(),
        keys.xts_key()
    );
}

fn between_providers_and_back(server: &Server) {
    let dir = tempfile::tempdir().unwrap();
    let local = LocalKeystore::open_or_create(dir.path().join("keys")).unwrap();
    local.ensure_key("default").unwrap();
    let key = server.key();
    let (envelope, keys) =
        block_on(Envelope::create(&local, "default", new_uuid().unwrap(), Class::Persistent)).unwrap();
    let providers = Providers::new().with(local).with(server.provider());
    let there = block_on(envelope.rewrap(0, "aws", &key, &providers, &Expect::any())).unwrap();
    assert_eq!((there.envelope.slots()[0].key.as_str(), there.keys.is_some()), (key.as_str(), true));
    assert_eq!(
        block_on(there.envelope.open(&providers, &Expect::any())).unwrap().keys.xts_key(),
        keys.xts_key()
    );
    let back = block_on(there.envelope.rewrap(0, "local", "default", &providers, &Expect::any())).unwrap();
    assert_eq!(
        block_on(back.envelope.open(&providers, &Expect::any())).unwrap().keys.xts_key(),
        keys.xts_key()
    );
    // Both at once.
    let both = block_on(envelope.add_slot("aws", &key, &providers, &Expect::any())).unwrap().envelope;
    assert_eq!(both.slots().len(), 2);
    let alone = Providers::new().with(server.provider());
    assert_eq!(block_on(both.open(&alone, &Expect::any())).unwrap().keys.xts_key(), keys.xts_key());
}

fn other_kinds_of_keys_are_refused(server: &Server) {
    let kms = server.provider();
    let wraps = server.key();
    let context = EncryptionContext::for_volume(new_uuid().unwrap());
    let wrapped = block_on(kms.generate(&wraps, &context)).unwrap();
    let mut kinds = vec![
        ("RSA_2048", "ENCRYPT_DECRYPT"),
        ("RSA_2048", "SIGN_VERIFY"),
        ("ECC_NIST_P256", "SIGN_VERIFY"),
        ("HMAC_256", "GENERATE_VERIFY_MAC"),
    ];
    if server.fake.is_some() {
        kinds.extend([
            ("SM2", "ENCRYPT_DECRYPT"),
            ("ML_DSA_65", "SIGN_VERIFY"),
            ("BRAND_NEW", "ENCRYPT_DECRYPT"),
        ]);
    }
    for (spec, usage) in kinds {
        let key = server.key_of(spec, usage);
        for name in [key.clone(), server.alias(&key)] {
            let parts = [spec, "SYMMETRIC_DEFAULT", "create a symmetric"];
            refused(block_on(kms.generate(&name, &context)), ErrorClass::WrongKeyType, &parts);
            refused(
                block_on(kms.wrap(&RootKey::generate().unwrap(), &name, &context)),
                ErrorClass::WrongKeyType,
                &parts,
            );
            refused(block_on(kms.rewrap(&wrapped, &name)), ErrorClass::WrongKeyType, &parts);
        }
    }
    refused(
        block_on(kms.generate("alias/aws/ebs", &context)),
        ErrorClass::WrongKeyType,
        &["alias/aws/ebs", "managed by AWS"],
    );
}

fn names_that_are_no_keys(server: &Server) {
    let kms = server.provider();
    let context = EncryptionContext::for_volume(new_uuid().unwrap());
    let missing = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-0000-0000-00000000dead";
    for key in ["alias/none", "00000000-0000-0000-0000-00000000dead", missing] {
        let error = refused(
            block_on(kms.generate(key, &context)),
            ErrorClass::KeyNotFound,
            &[key, "NotFoundException"],
        );
        assert_eq!(error.answer().unwrap().code.as_deref(), Some("NotFoundException"));
        assert!(error.answer().unwrap().request_id.is_some());
        refused(block_on(kms.describe(key)), ErrorClass::KeyNotFound, &[key]);
    }
}

fn grants_are_made_listed_and_taken_back(server: &Server) {
    let (kms, key) = (server.provider(), server.key());
    let admin = kms.admin().unwrap();
    let mut request = GrantRequest::to_open("arn:aws:iam::111122223333:role/storage");
    let context = EncryptionContext::for_volume(new_uuid().unwrap());
    request.context = Some(context.clone());
    request.operations.push(Operation::Decrypt);
    let grant = block_on(admin.grant(&server.alias(&key), &request)).unwrap();
    if server.fake.is_some() {
        let again = block_on(admin.grant(&key, &request)).unwrap();
        assert_eq!(again.id, grant.id, "a repeated grant of one name is the same grant");
        for _ in 0..3 {
            request.name = Some(format!("other-{}", new_uuid().unwrap()));
            block_on(admin.grant(&key, &request)).unwrap();
        }
    }
    let grants = block_on(admin.grants(&key)).unwrap();
    assert_eq!(grants.len(), if server.fake.is_some() { 4 } else { 1 });
    let mut expected: Vec<(String, String)> =
        context.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    expected.sort();
    let found = grants.iter().find(|found| found.id == grant.id).unwrap();
    assert_eq!((&found.constraint, found.exact), (&expected, false));
    assert_eq!(found.operations, ["Decrypt", "DescribeKey"]);
    assert_eq!(found.principal.as_deref(), Some("arn:aws:iam::111122223333:role/storage"));
    block_on(admin.revoke(&key, &grant.id)).unwrap();
    assert!(block_on(admin.grants(&key)).unwrap().iter().all(|left| left.id != grant.id));
    if server.fake.is_some() {
        refused(
            block_on(admin.revoke(&key, &grant.id)),
            ErrorClass::InvalidRequest,
            &[&grant.id, "has no grant"],
        );
        let other = &block_on(admin.grants(&key)).unwrap()[0].id;
        block_on(admin.retire(&key, other)).unwrap();
        assert_eq!(block_on(admin.grants(&key)).unwrap().len(), 2);
    }
}

fn keys_are_cared_for(server: &Server) {
    let (kms, key) = (server.provider(), server.key());
    let (admin, alias) = (kms.admin().unwrap(), server.alias(&key));
    let state = || block_on(kms.describe(&key)).unwrap();
    let description = state();
    assert_eq!((description.key.as_str(), description.state), (key.as_str(), KeyState::Enabled));
    assert_eq!(description.spec.as_deref(), Some("SYMMETRIC_DEFAULT"));
    block_on(admin.set_rotation(&alias, true, Some(180))).unwrap();
    let rotation = block_on(admin.rotation(&alias)).unwrap();
    assert!(rotation.enabled);
    if server.fake.is_some() {
        assert_eq!(rotation.period_days, Some(180), "which moto does not tell");
    }
    block_on(admin.set_rotation(&alias, false, None)).unwrap();
    assert!(!block_on(admin.rotation(&key)).unwrap().enabled);
    block_on(admin.rotate(&alias)).unwrap();
    block_on(admin.set_enabled(&alias, false)).unwrap();
    assert_eq!(state().state, KeyState::Disabled);
    let context = EncryptionContext::for_volume(new_uuid().unwrap());
    refused(
        block_on(kms.generate(&alias, &context)),
        ErrorClass::KeyDisabled,
        &[&key, "is disabled", "enable"],
    );
    block_on(admin.set_enabled(&alias, true)).unwrap();
    refused(block_on(admin.schedule_deletion(&alias, Some(6))), ErrorClass::InvalidRequest, &["7 to 30"]);
    let when = block_on(admin.schedule_deletion(&alias, Some(7))).unwrap();
    assert_eq!((state().state, state().deletion), (KeyState::PendingDeletion, when));
    let error = refused(
        block_on(kms.generate(&alias, &context)),
        ErrorClass::KeyPendingDeletion,
        &[&key, "cancel", "deleted on 20"],
    );
    assert_eq!(error.deletion(), when);
    block_on(admin.cancel_deletion(&alias)).unwrap();
    assert_eq!(state().state, KeyState::Disabled);
    let found = block_on(admin.list()).unwrap();
    assert!(
        found.iter().any(|found| found.name == alias && found.key.as_ref().is_ok_and(|of| of.key == key))
    );
}
