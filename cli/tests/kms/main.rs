//! AWS KMS, against two services on loopback ports: the project's own, which is strict where AWS documents that it is,
//! and can fail in every way; and moto, an independent one. What both can do is tested against both.
//!
//! Credentials come from a file that this program names in its environment before it starts itself again: the caller's
//! own settings of AWS play no part.

mod access;
#[path = "../../../tests/common/c.rs"]
mod c;
#[path = "../../../tests/common/mod.rs"]
mod common;
mod conforms;
mod fake;
mod faults;
mod from_c;
#[path = "../../../tests/common/library.rs"]
mod library;
mod life;
mod place;
mod process;
mod proxies;
mod recheck;
mod regions;
mod server;
mod spans;
mod tls;
mod untouched;
mod volumes;

use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use common::peers;
use libtest_mimic::{Arguments, Trial};
use server::Server;

/// A test of one thing against any service.
type Shared = fn(&Server);
/// A test of what only the project's own service can do.
type Own = fn();

fn main() -> ExitCode {
    let credentials = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kms-credentials");
    if std::env::var_os("AWS_SHARED_CREDENTIALS_FILE").as_deref() != Some(credentials.as_os_str()) {
        return start_again(&credentials);
    }
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    let shared: Vec<(&str, Shared)> = [life::SHARED, volumes::SHARED].concat();
    for (name, test) in shared {
        trials.push(Trial::test(format!("fake::{name}"), move || {
            test(&Server::fake().0);
            Ok(())
        }));
        trials.push(Trial::test(format!("moto::{name}"), move || {
            match Server::moto() {
                Some(moto) => test(&moto),
                None => peers::missing("moto is not installed (tests/run does it)"),
            }
            Ok(())
        }));
    }
    for (name, test) in conforms::tests(false) {
        trials.push(Trial::test(format!("fake::conforms::{name}"), move || {
            conforms::run(&Server::fake().0, test);
            Ok(())
        }));
    }
    for (name, test) in conforms::tests(true) {
        trials.push(Trial::test(format!("moto::conforms::{name}"), move || {
            match Server::moto() {
                Some(moto) => conforms::run(&moto, test),
                None => peers::missing("moto is not installed (tests/run does it)"),
            }
            Ok(())
        }));
    }
    let own: &[&[(&str, Own)]] = &[
        access::OWN,
        faults::OWN,
        from_c::OWN,
        process::OWN,
        proxies::OWN,
        recheck::OWN,
        regions::OWN,
        spans::OWN,
        tls::OWN,
        untouched::OWN,
        volumes::OWN,
    ];
    for (name, test) in own.concat() {
        trials.push(Trial::test(name, move || {
            test();
            Ok(())
        }));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    server::stop_moto();
    conclusion.exit_code()
}

fn start_again(credentials: &Path) -> ExitCode {
    let mut text = String::new();
    for (profile, user) in [("default", "owner"), ("user", "user")] {
        text += &format!("[{profile}]\naws_access_key_id = {user}\naws_secret_access_key = secret\n");
    }
    // Several may run at once: each reads a whole file.
    let new = credentials.with_extension(std::process::id().to_string());
    std::fs::write(&new, text).unwrap();
    std::fs::rename(&new, credentials).unwrap();
    let mut again = Command::new(std::env::current_exe().unwrap());
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            again.env_remove(name);
        }
    }
    again.args(std::env::args_os().skip(1));
    again.env("AWS_SHARED_CREDENTIALS_FILE", credentials).env("AWS_CONFIG_FILE", "/dev/null");
    again.env("AWS_EC2_METADATA_DISABLED", "true");
    panic!("cannot start again: {}", again.exec());
}
