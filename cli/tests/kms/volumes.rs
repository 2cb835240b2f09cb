//! Whole volumes under keys of the service, through the command.

use crate::common::{header_of, noise};
use crate::place::{Place, text};
use crate::server::Server;
use crate::{Own, Shared};

pub const SHARED: &[(&str, Shared)] = &[("the_life_of_a_volume", the_life_of_a_volume)];

pub const OWN: &[(&str, Own)] = &[
    ("the_command_checks_shares_and_withdraws", the_command_checks_shares_and_withdraws),
    ("a_grant_is_made_once_used_and_given_back", a_grant_is_made_once_used_and_given_back),
    ("a_list_tells_what_each_key_is", a_list_tells_what_each_key_is),
    ("what_each_command_costs", what_each_command_costs),
];

fn the_life_of_a_volume(server: &Server) {
    let place = Place::new(server);
    let content = noise(50_000, 1);
    std::fs::write(place.path("in"), &content).unwrap();
    let (old, new) = (server.key(), server.key());
    let alias = format!("aws:{}", server.alias(&old));
    place.succeed(&["encrypt", "in", "v", "--key", &alias]);
    assert!(place.succeed(&["decrypt", "v", "-"]).stdout == content);
    // What is stored is the ARN, not the alias.
    let info = place.json(&["info", "v", "--json"]);
    assert_eq!(info["envelope"]["slots"][0]["key"], old);
    let before = std::fs::read(place.path("v")).unwrap();
    let output = place.succeed(&["rewrap", "v", "--key", &format!("aws:{new}")]);
    assert!(text(&output.stderr).contains("the new wrapping was opened"), "{}", text(&output.stderr));
    let after = std::fs::read(place.path("v")).unwrap();
    assert!(before[32768..] == after[32768..]);
    assert!(place.succeed(&["decrypt", "v", "-"]).stdout == content);
    place.succeed(&["rewrap", "v"]);
    place.succeed(&["slot", "add", "v", "--key", "local:default"]);
    place.fails(&["rewrap", "v"], &["--slot"]);
    place.succeed(&["slot", "remove", "v", "0"]);
    assert_eq!(text(&place.succeed(&["slot", "list", "v"]).stdout), "0\tlocal:default\n");
    assert_eq!(place.json(&["info", "v", "--keys", "--json"])["envelope"]["slots"][0]["stale"], false);
    place.succeed(&["rewrap", "v", "--key", &alias]);
    assert!(place.succeed(&["decrypt", "v", "-"]).stdout == content);
    assert_eq!(place.succeed(&["volume-key", "v"]).stdout.len(), 64);
    place.succeed(&["create", "w", "--size", "1M", "--key", &alias]);
    assert_eq!(place.succeed(&["decrypt", "w", "-"]).stdout.len(), 1 << 20);
    assert!(text(&place.succeed(&["key", "list", "aws"]).stdout).contains(&alias));
    assert_eq!(place.json(&["key", "describe", &alias, "--json"])["key"], old);
    assert!(text(&place.succeed(&["key", "check", &alias, "--volume", "v"]).stdout).contains("kms:Decrypt"));
}

fn the_command_checks_shares_and_withdraws() {
    let (server, fake) = Server::fake();
    let place = Place::new(&server);
    let key = format!("aws:{}", server.key());
    place.succeed(&["create", "v", "--size", "1M", "--key", &key]);
    let user = |arguments: &[&str], token: &str| {
        let mut command = place.command(arguments);
        command.env("AWS_PROFILE", "user").env("ATREST_GRANT_TOKENS", token).output().unwrap()
    };
    assert_eq!(user(&["decrypt", "v", "-"], "").status.code(), Some(1));
    let check = user(&["key", "check", &key, "--volume", "v"], "");
    assert_eq!(check.status.code(), Some(1));
    let table = text(&check.stdout);
    assert!(table.contains("required   kms:Decrypt") && table.contains("DENIED"), "{table}");
    // And what would help.
    let (_, statements) = table.split_once("would allow what is required:\n").unwrap();
    let statements: serde_json::Value = serde_json::from_str(statements).unwrap();
    assert_eq!(statements[0]["Effect"], "Allow");
    assert!(statements.to_string().contains("kms:GenerateDataKeyWithoutPlaintext"), "{statements}");
    let told = user(&["key", "check", &key, "--json"], "").stdout;
    let told: serde_json::Value = serde_json::from_slice(&told).unwrap();
    assert_eq!((&told["passed"], &told["key_policy_statements"]), (&false.into(), &statements));
    assert!(place.json(&["key", "check", &key, "--json"])["key_policy_statements"].is_null());
    let principal = "arn:aws:iam::111122223333:role/user";
    let grant = place.succeed(&["key", "grant", &key, "--to", principal, "--volume", "v"]);
    let row = |name: &str| {
        let line = text(&grant.stdout).lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().to_owned()
    };
    let (id, token) = (row("Grant"), row("Token"));
    assert!(user(&["decrypt", "v", "-"], &token).status.success());
    assert_eq!(place.json(&["key", "grants", &key, "--json"])[0]["id"], id);
    place.succeed(&["key", "revoke", &key, &id]);
    assert_eq!(user(&["decrypt", "v", "-"], &token).status.code(), Some(1));
    // Rotated, the wrapping is stale, until it is renewed.
    let stale = || place.json(&["key", "check", &key, "--volume", "v", "--json"])["wrapping_stale"].clone();
    assert_eq!(stale(), false);
    place.succeed(&["key", "rotate", &key, "--now"]);
    assert_eq!(stale(), true);
    assert_eq!(place.json(&["info", "v", "--keys", "--json"])["envelope"]["slots"][0]["stale"], true);
    let table = place.succeed(&["info", "v", "--keys"]).stdout;
    assert!(text(&table).contains("enabled, stale: `atrest rewrap`"), "{}", text(&table));
    place.succeed(&["rewrap", "v"]);
    assert_eq!(stale(), false);
    place.succeed(&["key", "rotate", &key, "--enable", "--days", "200"]);
    assert!(text(&place.succeed(&["key", "rotate", &key, "--status"]).stdout).contains("200 days"));
    // Withdrawn.
    let before = header_of(&place.path("v"));
    place.succeed(&["key", "disable", &key]);
    place.fails(&["decrypt", "v", "-"], &["disabled", "enable"]);
    place.fails(&["rewrap", "v"], &["disabled"]);
    place.succeed(&["key", "enable", &key]);
    place.succeed(&["key", "delete", &key, "--days", "7"]);
    place.fails(&["decrypt", "v", "-"], &["pending deletion", "2027-01-22", "--cancel"]);
    place.succeed(&["key", "delete", &key, "--cancel"]);
    place.succeed(&["key", "enable", &key]);
    assert!(header_of(&place.path("v")) == before);
    place.succeed(&["decrypt", "v", "-"]);
    let policy = place.json(&["key", "policy", &key, "--principal", principal]);
    assert_eq!(policy["key_policy_statements"]["required"][0]["Principal"]["AWS"], principal);
    assert!(!policy.to_string().contains("CreateGrant"), "{policy}");
    let policy = place.json(&["key", "policy", &key, "--role", "node", "--volume", "v"]);
    assert_eq!(policy["role"], "node");
    let statements = policy["key_policy_statements"]["required"].as_array().unwrap();
    assert_eq!(statements[0]["Action"], serde_json::json!(["kms:Decrypt"]));
    let uuid = &place.json(&["info", "v", "--json"])["uuid"];
    assert_eq!(&statements[0]["Condition"]["StringEquals"]["kms:EncryptionContext:atrest:volume"], uuid);
    assert_eq!(statements.len(), 1);
    // Who may rewrap need not open, and the other way round.
    fake.state().allowed = vec!["DescribeKey", "ReEncryptFrom", "ReEncryptTo", "GetKeyRotationStatus"];
    for (role, passes) in [("owner", true), ("node", false), ("creator", false), ("granter", false)] {
        let check = user(&["key", "check", &key, "--role", role, "--json"], "");
        assert_eq!(check.status.success(), passes, "{role}");
    }
    drop(fake);
}

fn a_grant_is_made_once_used_and_given_back() {
    let (server, _) = Server::fake();
    let place = Place::new(&server);
    let key = format!("aws:{}", server.key());
    place.succeed(&["create", "v", "--size", "1M", "--key", &key]);
    place.succeed(&["create", "w", "--size", "1M", "--key", &key]);
    let principal = "arn:aws:iam::111122223333:role/user";
    let mut grant = vec!["key", "grant", &key, "--to", principal, "--volume", "v", "--operations"];
    let row = |output: &[u8], name: &str| {
        let line = text(output).lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().to_owned()
    };
    grant.push("decrypt,retire-grant");
    let made = place.succeed(&grant).stdout;
    let (id, token) = (row(&made, "Grant"), row(&made, "Token"));
    // Asked for again, it is the same grant; for something else, another one.
    assert_eq!(row(&place.succeed(&grant).stdout, "Grant"), id);
    grant.pop();
    grant.push("describe-key");
    let other = row(&place.succeed(&grant).stdout, "Grant");
    assert_ne!(other, id);
    let grants = place.json(&["key", "grants", &key, "--json"]);
    assert_eq!(grants.as_array().unwrap().len(), 2);
    assert_eq!(grants[0]["operations"], serde_json::json!(["Decrypt", "RetireGrant"]));
    let user = |arguments: &[&str], token: &str| {
        let mut command = place.command(arguments);
        command.env("AWS_PROFILE", "user").env("ATREST_GRANT_TOKENS", token).output().unwrap()
    };
    assert!(user(&["decrypt", "v", "-"], &token).status.success());
    let stranger = user(&["decrypt", "w", "-"], &token);
    assert_eq!(stranger.status.code(), Some(1), "the grant is for the volume v alone");
    assert!(text(&stranger.stderr).contains("not authorised"), "{}", text(&stranger.stderr));
    // The user gives it back, and has it no more; what is not there cannot be given back.
    assert!(user(&["key", "retire", &key, &id], &token).status.success());
    assert_eq!(user(&["decrypt", "v", "-"], &token).status.code(), Some(1));
    place.fails(&["key", "retire", &key, &id], &[&id, "see the list of them"]);
    assert_eq!(place.json(&["key", "grants", &key, "--json"])[0]["id"], *other);
    place.fails(
        &["key", "grant", &key, "--to", "nobody"],
        &["no grant for nobody", "give the ARN of a role", "InvalidArnException"],
    );
}

fn a_list_tells_what_each_key_is() {
    let (server, fake) = Server::fake();
    let place = Place::new(&server);
    let (wraps, signs, off) = (server.key(), server.key_of("ECC_NIST_P256", "SIGN_VERIFY"), server.key());
    let managed = server.call("CreateKey", &serde_json::json!({ "Manager": "AWS" }));
    let managed = managed["KeyMetadata"]["KeyId"].as_str().unwrap();
    let alias = serde_json::json!({ "AliasName": "alias/aws/ebs", "TargetKeyId": managed });
    server.call("CreateAlias", &alias);
    let names = [&wraps, &signs, &off].map(|key| server.alias(key));
    place.succeed(&["key", "disable", &format!("aws:{off}")]);
    let list = place.succeed(&["key", "list", "aws"]).stdout;
    let row = |name: &str| text(&list).lines().find(|line| line.contains(name)).unwrap_or_default();
    for (name, facts) in [
        (names[0].as_str(), ["SYMMETRIC_DEFAULT", "enabled"]),
        (names[1].as_str(), ["ECC_NIST_P256", "enabled"]),
        (names[2].as_str(), ["SYMMETRIC_DEFAULT", "disabled"]),
        ("alias/aws/ebs", ["SYMMETRIC_DEFAULT", "AWS"]),
    ] {
        assert!(facts.iter().all(|fact| row(name).contains(fact)), "{name}: {}", text(&list));
    }
    // Who may not list names a key all the same.
    fake.state().allowed = vec!["GenerateDataKeyWithoutPlaintext", "DescribeKey", "Decrypt"];
    let mut command = place.command(&["key", "list", "aws"]);
    let denied = command.env("AWS_PROFILE", "user").output().unwrap();
    assert_eq!(denied.status.code(), Some(1));
    assert!(text(&denied.stderr).contains("kms:ListAliases"), "{}", text(&denied.stderr));
    let mut command = place.command(&["create", "v", "--size", "1M", "--key", &format!("aws:{}", names[0])]);
    assert!(command.env("AWS_PROFILE", "user").output().unwrap().status.success());
}

/// One request to open a volume; one to make one, one to use it, and one to learn what kind of key it is.
fn what_each_command_costs() {
    let (server, fake) = Server::fake();
    let place = Place::new(&server);
    let key = format!("aws:{}", server.key());
    std::fs::write(place.path("in"), noise(1000, 2)).unwrap();
    let new = ["GenerateDataKeyWithoutPlaintext", "DescribeKey", "Decrypt"].as_slice();
    let commands: [(&[&str], &[&str]); 9] = [
        (&["create", "v", "--size", "1M", "--key", &key], new),
        (&["encrypt", "in", "w", "--key", &key], new),
        (&["decrypt", "v", "-"], &["Decrypt"]),
        (&["volume-key", "v"], &["Decrypt"]),
        (&["info", "v"], &[]),
        (&["info", "v", "--keys"], &["DescribeKey"]),
        (&["slot", "list", "v"], &[]),
        // The header is authenticated first, and the new wrapping opened in the end.
        (&["rewrap", "v"], &["Decrypt", "DescribeKey", "ReEncrypt", "Decrypt"]),
        (&["slot", "add", "w", "--key", "local:default"], &["Decrypt"]),
    ];
    for (arguments, requests) in commands {
        fake.asked();
        place.succeed(arguments);
        assert_eq!(fake.calls(), requests, "{arguments:?}");
    }
}
