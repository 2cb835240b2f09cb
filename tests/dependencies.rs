//! What comes with which package and feature: whoever wants the kernel, or volumes, builds no client of a cloud.

use std::collections::BTreeSet;
use std::process::Command;

/// The crates that a user of these features builds and links, without versions.
fn tree(arguments: &[&str]) -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--locked",
            "--edges",
            "normal,build",
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--no-dedupe",
        ])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // "name v1.2.3 (proc-macro)": a crate in two versions stands there twice.
    let crates: BTreeSet<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(name, rest)| (name, rest.split(' ').next().unwrap_or(rest)))
        .collect();
    crates.into_iter().map(|(name, _)| name.to_owned()).collect()
}

fn is_of_a_cloud(name: &str) -> bool {
    name.starts_with("aws-")
        || ["tokio", "hyper", "http", "rustls", "ring", "tracing"]
            .iter()
            .any(|part| name.split(['-', '_']).next() == Some(part))
}

#[test]
fn no_cloud_without_its_provider() {
    for (package, features) in [
        ("atrest", "keys"),
        ("atrest", "volume"),
        ("atrest", "rayon,volume"),
        ("atrest-capi", ""),
        ("atrest-capi", "volume"),
        ("atrest-cli", ""),
    ] {
        let crates = tree(&["--package", package, "--features", features]);
        let found: Vec<&String> = crates.iter().filter(|name| is_of_a_cloud(name)).collect();
        assert!(found.is_empty(), "{package} with {features:?} brings {found:?}");
    }
    let kernel = tree(&["--package", "atrest", "--no-default-features"]);
    assert!(kernel.len() <= 12, "a user of the kernel builds {kernel:?}");
}

/// docs/architecture.md says how many crates there are; this is so that nobody lets them double unseen.
#[test]
fn the_crates_are_few() {
    for (package, features, most) in [
        ("atrest", "volume", 60),
        ("atrest-capi", "volume", 62),
        ("atrest-cli", "", 80),
        ("atrest-aws-kms", "", 200),
        ("atrest-cli", "aws", 220),
    ] {
        let crates = tree(&["--package", package, "--features", features]);
        assert!(
            crates.len() <= most,
            "{package} with {features:?} builds {} crates: {crates:?}",
            crates.len()
        );
    }
}

#[test]
fn one_tls_stack_with_aws() {
    let crates = tree(&["--package", "atrest-cli", "--features", "aws"]);
    assert!(crates.iter().any(|name| name == "aws-sdk-kms"));
    for one in ["rustls", "aws-lc-rs", "hyper", "http", "tokio"] {
        assert_eq!(crates.iter().filter(|name| *name == one).count(), 1, "{one} in {crates:?}");
    }
    for other in ["openssl", "openssl-sys", "native-tls", "ring", "s2n-tls", "boring", "aws-sdk-sso"] {
        assert!(!crates.iter().any(|name| name == other), "{other} is there as well");
    }
}
