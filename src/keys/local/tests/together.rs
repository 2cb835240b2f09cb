//! Processes and threads that make the same key at once.

use super::*;
use std::process::{Command, Stdio};

/// A part of `processes_agree_on_one_key`, in a process of its own.
#[test]
#[ignore = "started by processes_agree_on_one_key"]
fn create_and_print() {
    let home = std::env::var_os("ATREST_TEST_KEYSTORE").expect("set by the other test");
    let home = PathBuf::from(home);
    std::fs::write(home.with_extension(std::process::id().to_string()), "").unwrap();
    while !home.with_extension("go").exists() {
        std::thread::yield_now();
    }
    let keystore = LocalKeystore::open_or_create(home).unwrap();
    let created = keystore.ensure_key("default").unwrap();
    let wrapped = generate(&keystore, "default").unwrap();
    println!("\nresult {created} {}", wrapped.material.unwrap());
}

#[test]
fn processes_agree_on_one_key() {
    let parent = tempfile::tempdir().unwrap();
    let home = parent.path().join("a/atrest");
    std::fs::create_dir(parent.path().join("a")).unwrap();
    let start = || {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "keys::local::tests::together::create_and_print", "--ignored", "--nocapture"])
            .env("ATREST_TEST_KEYSTORE", &home)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap()
    };
    let children: Vec<_> = (0..8).map(|_| start()).collect();
    // All at the starting line, then all at once.
    while std::fs::read_dir(home.parent().unwrap()).unwrap().count() < children.len() {
        std::thread::yield_now();
    }
    std::fs::write(home.with_extension("go"), "").unwrap();
    let mut results = Vec::new();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("result ")).unwrap();
        let (created, material) = line.split_once(' ').unwrap();
        results.push((created == "true", material.to_owned()));
    }
    assert_eq!(results.iter().filter(|(created, _)| *created).count(), 1, "{results:?}");
    assert!(results.iter().all(|(_, material)| *material == results[0].1), "{results:?}");
    assert_eq!(names(&home.join("keys")), [".lock", "default.json"], "no temporary file is left");
}

#[test]
fn threads_agree_on_one_key() {
    let (_parent, keystore) = keystore();
    for round in 0..20 {
        let name = format!("key-{round}");
        let barrier = std::sync::Barrier::new(4);
        let created = std::thread::scope(|scope| {
            let create = || {
                barrier.wait();
                keystore.ensure_key(&name).unwrap()
            };
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(create)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).filter(|made| *made).count()
        });
        assert_eq!(created, 1);
    }
}
