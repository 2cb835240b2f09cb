//! A keystore for one target, and what its errors may look like.

use std::sync::OnceLock;

use atrest::keys::LocalKeystore;

static KEYSTORE: OnceLock<LocalKeystore> = OnceLock::new();

/// The process's own, in memory where the system has such a place. It stays behind, empty but for its lock.
pub fn keystore() -> &'static LocalKeystore {
    KEYSTORE.get_or_init(|| {
        let memory = std::path::Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let home = place.join(format!("atrest-fuzz-{}", std::process::id()));
        LocalKeystore::open_or_create(home).expect("a place for a keystore")
    })
}

/// An error is one line that a terminal can show.
pub fn line(error: &impl std::fmt::Display) {
    let message = error.to_string();
    assert!(!message.is_empty() && message.len() < 4096, "{message}");
    assert!(!message.contains(char::is_control), "{message:?}");
}
