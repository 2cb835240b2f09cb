//! Whole volumes under keys of the service, through the command.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::common::{header_of, noise};
use crate::fake::{Fault, REGION};
use crate::server::Server;
use crate::{Own, Shared};

pub const SHARED: &[(&str, Shared)] = &[("the_life_of_a_volume", the_life_of_a_volume)];

pub const OWN: &[(&str, Own)] = &[
    ("the_command_checks_shares_and_withdraws", the_command_checks_shares_and_withdraws),
    ("a_refused_key_leaves_no_volume", a_refused_key_leaves_no_volume),
];

/// A directory with a keystore, and the command in it.
struct Place<'a> {
    dir: tempfile::TempDir,
    server: &'a Server,
}

impl Place<'_> {
    fn new(server: &Server) -> Place<'_> {
        Place { dir: tempfile::tempdir().unwrap(), server }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.dir.path().join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(Path::new(env!("CARGO_BIN_EXE_atrest")));
        command.args(arguments).current_dir(self.dir.path()).env("ATREST_HOME", self.path("home"));
        command.env("AWS_ENDPOINT_URL", &self.server.endpoint).env("AWS_REGION", REGION);
        command
    }

    #[track_caller]
    fn succeed(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        output
    }

    #[track_caller]
    fn fails(&self, arguments: &[&str], parts: &[&str]) -> Output {
        let output = self.command(arguments).output().unwrap();
        let line = text(&output.stderr);
        assert_eq!((output.status.code(), line.lines().count()), (Some(1), 1), "{arguments:?}: {line}");
        for part in parts {
            assert!(line.contains(part), "{part:?} is not in: {line}");
        }
        output
    }

    fn json(&self, arguments: &[&str]) -> Value {
        serde_json::from_slice(&self.succeed(arguments).stdout).unwrap()
    }
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

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
    assert!(text(&output.stderr).contains("inside the key service"), "{}", text(&output.stderr));
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
    drop(fake);
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
