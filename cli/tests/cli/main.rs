//! The `atrest` command as its users meet it: each test runs the program in a directory and with a keystore of its
//! own.
//!
//! What some tests need besides (cryptsetup, mount namespaces, a loop device) is not part of the project: where it is
//! missing a test prints so and passes, unless, for cryptsetup, `ATREST_REQUIRE_PEERS` is set.

mod bench;
#[path = "../../../tests/common/mod.rs"]
mod common;
mod default_key;
mod destroy;
mod elevated;
mod header;
mod interrupted;
mod key_life;
mod namespaces;
mod passphrase;
mod peers;
mod place;
mod refused;
mod rewrap;
mod round;
mod scratch;
mod snapshots;
mod texts;
mod trust;
