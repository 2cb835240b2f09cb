//! Who may do what: grants, denials, keys that were withdrawn, and the check beforehand. Only the project's own service
//! enforces these.

use atrest::keys::{
    Class, EncryptionContext, Envelope, EnvelopeChangeError, ErrorClass, Expect, GrantRequest, KeyCheck,
    KeyManager, KeyProvider as _, KeyRole, Operation, PermissionOutcome, Providers, block_on, new_uuid,
};
use atrest_aws_kms::AwsKms;
use serde_json::json;

use crate::Own;
use crate::server::Server;

pub const OWN: &[(&str, Own)] = &[
    ("a_grant_opens_one_volume_and_no_other", a_grant_opens_one_volume_and_no_other),
    ("a_withdrawn_key_is_told_with_its_state", a_withdrawn_key_is_told_with_its_state),
    ("keys_of_aws_services_are_listed_and_refused", keys_of_aws_services_are_listed_and_refused),
    ("every_permission_is_tried_and_nothing_is_done", every_permission_is_tried_and_nothing_is_done),
    (
        "a_rotation_makes_wrappings_stale_and_a_rewrap_renews_them",
        a_rotation_makes_wrappings_stale_and_a_rewrap_renews_them,
    ),
    ("opening_takes_one_request", opening_takes_one_request),
];

/// The provider of somebody who may do only what is allowed to them.
fn user(server: &Server, tokens: Vec<String>) -> AwsKms {
    let mut options = server.options();
    options.profile = Some("user".to_owned());
    options.grant_tokens = tokens;
    AwsKms::new(options).unwrap()
}

const USER: &str = "arn:aws:iam::111122223333:role/user";

fn a_grant_opens_one_volume_and_no_other() {
    let (server, _) = Server::fake();
    let (owner, key) = (server.provider(), server.key());
    let create = || block_on(Envelope::create(&owner, &key, new_uuid().unwrap(), Class::Persistent)).unwrap();
    let ((volume, keys), (other, _)) = (create(), create());
    let open = |tokens: &[String], envelope: &Envelope| {
        block_on(envelope.open(&Providers::new().with(user(&server, tokens.to_vec())), &Expect::any()))
    };
    let error = open(&[], &volume).unwrap_err();
    assert_eq!(error.class(), Some(ErrorClass::NotAuthorised));
    for part in
        ["not authorised", "kms:Decrypt", "AccessDeniedException", USER, &key, "11111111-2222", "grant"]
    {
        assert!(error.to_string().contains(part), "{part}: {error}");
    }
    let mut request = GrantRequest::to_open(USER);
    request.context = Some(EncryptionContext::for_volume(volume.volume()));
    let grant = block_on(owner.admin().unwrap().grant(&key, &request)).unwrap();
    let token = vec![grant.token.unwrap()];
    assert_eq!(open(&token, &volume).unwrap().keys.xts_key(), keys.xts_key());
    assert_eq!(open(&token, &other).unwrap_err().class(), Some(ErrorClass::NotAuthorised));
    block_on(owner.admin().unwrap().revoke(&key, &grant.id)).unwrap();
    assert_eq!(open(&token, &volume).unwrap_err().class(), Some(ErrorClass::NotAuthorised));
    // A token that a provider itself was given is used by it from then on.
    let server_user = user(&server, Vec::new());
    server.fake.as_ref().unwrap().state().allowed = vec!["CreateGrant", "DescribeKey"];
    request.operations = vec![Operation::Decrypt];
    block_on(server_user.admin().unwrap().grant(&key, &request)).unwrap();
    assert_eq!(
        block_on(volume.open(&Providers::new().with(server_user), &Expect::any())).unwrap().keys.xts_key(),
        keys.xts_key()
    );
}

fn a_withdrawn_key_is_told_with_its_state() {
    let (server, fake) = Server::fake();
    let (kms, key) = (server.provider(), server.key());
    let (envelope, _) =
        block_on(Envelope::create(&kms, &key, new_uuid().unwrap(), Class::Persistent)).unwrap();
    let providers = Providers::new().with(kms.clone());
    let fails = |class, parts: &[&str]| {
        for error in [
            EnvelopeChangeError::from(block_on(envelope.open(&providers, &Expect::any())).unwrap_err()),
            block_on(envelope.rewrap(0, "aws", &key, &providers, &Expect::any())).unwrap_err(),
        ] {
            assert_eq!(error.class(), Some(class), "{error}");
            for part in parts {
                assert!(error.to_string().contains(part), "{part}: {error}");
            }
        }
    };
    let admin = kms.admin().unwrap();
    block_on(admin.set_enabled(&key, false)).unwrap();
    fails(ErrorClass::KeyDisabled, &[&key, "disabled", "enable", "DisabledException"]);
    block_on(admin.schedule_deletion(&key, Some(7))).unwrap();
    fails(
        ErrorClass::KeyPendingDeletion,
        &[&key, "pending deletion", "2027-01-22", "cancel", "KMSInvalidStateException"],
    );
    block_on(admin.cancel_deletion(&key)).unwrap();
    block_on(admin.set_enabled(&key, true)).unwrap();
    assert!(block_on(envelope.open(&providers, &Expect::any())).is_ok());
    drop(fake);
}

fn keys_of_aws_services_are_listed_and_refused() {
    let (server, fake) = Server::fake();
    let managed = server.call("CreateKey", &json!({ "Manager": "AWS" }));
    let arn = managed["KeyMetadata"]["Arn"].as_str().unwrap();
    server.call(
        "CreateAlias",
        &json!({ "AliasName": "alias/aws/backup", "TargetKeyId": managed["KeyMetadata"]["KeyId"] }),
    );
    let mut names = vec!["alias/aws/backup".to_owned()];
    for _ in 0..6 {
        names.push(server.alias(&server.key()));
    }
    names.sort();
    let kms = server.provider();
    let context = EncryptionContext::for_volume(new_uuid().unwrap());
    for key in ["alias/aws/backup", arn] {
        let error = block_on(kms.generate(key, &context)).unwrap_err();
        assert_eq!(error.class(), ErrorClass::WrongKeyType, "{error}");
        assert!(
            error.to_string().contains("managed by AWS") && error.to_string().contains("create"),
            "{error}"
        );
    }
    fake.calls();
    let list = block_on(kms.admin().unwrap().list()).unwrap();
    // Pages of two.
    assert_eq!(fake.calls().iter().filter(|call| *call == "ListAliases").count(), 4);
    assert_eq!(list.iter().map(|key| key.name.clone()).collect::<Vec<_>>(), names);
    for key in &list {
        let manager =
            if key.name == "alias/aws/backup" { KeyManager::Provider("AWS") } else { KeyManager::Customer };
        assert_eq!((key.manager.as_ref(), key.key.is_ok()), (Some(&manager), true));
    }
}

fn outcomes(check: &KeyCheck) -> Vec<(&str, bool, bool)> {
    let outcome = |one: &atrest::keys::PermissionCheck| match &one.outcome {
        PermissionOutcome::Allowed => true,
        PermissionOutcome::Denied(why) => {
            assert!(why.contains("is not authorized"), "{why}");
            false
        }
        // Which way ReEncrypt is denied, the service says; not of the other.
        PermissionOutcome::Unknown(why) if one.permission == "kms:ReEncryptTo" => {
            assert!(why.contains("kms:ReEncryptFrom is denied"), "{why}");
            true
        }
        other => panic!("{}: {other:?}", one.permission),
    };
    let needed = |one: &atrest::keys::PermissionCheck| one.is_needed_by(KeyRole::Creator);
    check.permissions.iter().map(|one| (one.permission.as_str(), needed(one), outcome(one))).collect()
}

fn every_permission_is_tried_and_nothing_is_done() {
    let (server, fake) = Server::fake();
    let (owner, key) = (server.provider(), server.key());
    let (envelope, _) =
        block_on(Envelope::create(&owner, &key, new_uuid().unwrap(), Class::Persistent)).unwrap();
    let all = [
        ("kms:Decrypt", "Decrypt", true),
        ("kms:GenerateDataKeyWithoutPlaintext", "GenerateDataKeyWithoutPlaintext", true),
        ("kms:DescribeKey", "DescribeKey", true),
        ("kms:ReEncryptFrom", "ReEncryptFrom", false),
        ("kms:ReEncryptTo", "ReEncryptTo", false),
        ("kms:CreateGrant", "CreateGrant", false),
        ("kms:Encrypt", "Encrypt", false),
        ("kms:ListAliases", "ListAliases", false),
    ];
    let user = user(&server, Vec::new());
    for wrapped in [None, Some(&envelope.slots()[0])] {
        let check = block_on(owner.admin().unwrap().check(&key, wrapped)).unwrap();
        assert!(KeyRole::ALL.iter().all(|role| check.passed(*role)));
        assert!(check.rotation.is_some() && check.key.is_some());
        assert_eq!(outcomes(&check), all.map(|(permission, _, required)| (permission, required, true)));
        // Each missing in turn.
        for missing in all {
            let mut allowed: Vec<&str> = all.iter().map(|(_, operation, _)| *operation).collect();
            allowed.push("GetKeyRotationStatus");
            allowed.retain(|operation| *operation != missing.1);
            fake.state().allowed = allowed;
            let check = block_on(user.admin().unwrap().check(&key, wrapped)).unwrap();
            let expected =
                all.map(|(permission, _, required)| (permission, required, permission != missing.0));
            assert_eq!(outcomes(&check), expected);
            for (role, needs) in [
                (KeyRole::Node, &["Decrypt"][..]),
                (KeyRole::Creator, &["Decrypt", "GenerateDataKeyWithoutPlaintext", "DescribeKey"]),
                (KeyRole::Owner, &["ReEncryptFrom", "ReEncryptTo", "DescribeKey"]),
                (KeyRole::Granter, &["CreateGrant", "DescribeKey"]),
            ] {
                assert_eq!(check.passed(role), !needs.contains(&missing.1), "{role}: {missing:?}");
            }
        }
    }
    assert!(block_on(owner.admin().unwrap().grants(&key)).unwrap().is_empty(), "a dry run leaves no grant");
    // Keys that will not do, whatever is permitted.
    let rsa = server.key_of("RSA_4096", "ENCRYPT_DECRYPT");
    let check = block_on(owner.admin().unwrap().check(&rsa, None)).unwrap();
    assert!(!check.passed(KeyRole::Node) && check.unusable.unwrap().contains("RSA_4096"));
    block_on(owner.admin().unwrap().set_enabled(&key, false)).unwrap();
    let check = block_on(owner.admin().unwrap().check(&key, None)).unwrap();
    assert!(!check.passed(KeyRole::Node) && check.unusable.unwrap().contains("disabled"));
    assert_eq!(
        block_on(owner.admin().unwrap().check("alias/none", None)).unwrap_err().class(),
        ErrorClass::KeyNotFound
    );
}

fn a_rotation_makes_wrappings_stale_and_a_rewrap_renews_them() {
    let (server, fake) = Server::fake();
    let (kms, key) = (server.provider(), server.key());
    let (old, keys) = block_on(Envelope::create(&kms, &key, new_uuid().unwrap(), Class::Persistent)).unwrap();
    let stale = |envelope: &Envelope| envelope.slots()[0].is_stale(&block_on(kms.describe(&key)).unwrap());
    assert_eq!(stale(&old), Some(false));
    block_on(kms.admin().unwrap().rotate(&key)).unwrap();
    assert_eq!(stale(&old), Some(true));
    let providers = Providers::new().with(kms.clone());
    assert!(block_on(old.open(&providers, &Expect::any())).is_ok(), "old wrappings open after a rotation");
    let new = block_on(old.rewrap(0, "aws", &key, &providers, &Expect::any())).unwrap().envelope;
    assert_eq!(stale(&new), Some(false));
    assert_eq!(block_on(new.open(&providers, &Expect::any())).unwrap().keys.xts_key(), keys.xts_key());
    // Whose role is to rewrap sees no key.
    fake.state().allowed = vec!["DescribeKey", "ReEncryptFrom", "ReEncryptTo"];
    let owner = Providers::new().with(user(&server, Vec::new()));
    let renewed = block_on(new.rewrap(0, "aws", &key, &owner, &Expect::any())).unwrap();
    assert!(renewed.keys.is_none());
    assert_ne!(renewed.envelope.slots()[0].wrapped, new.slots()[0].wrapped);
}

fn opening_takes_one_request() {
    let (server, fake) = Server::fake();
    let (kms, key) = (server.provider(), server.key());
    let create = || block_on(Envelope::create(&kms, &key, new_uuid().unwrap(), Class::Persistent)).unwrap().0;
    fake.calls();
    let envelope = create();
    assert_eq!(fake.calls(), ["GenerateDataKeyWithoutPlaintext", "DescribeKey", "Decrypt"]);
    create();
    assert_eq!(fake.calls(), ["GenerateDataKeyWithoutPlaintext", "Decrypt"]);
    block_on(envelope.open(&Providers::new().with(server.provider()), &Expect::any())).unwrap();
    assert_eq!(fake.calls(), ["Decrypt"]);
}
