//! Names the shared library for its C callers.

use std::env;

/// The version of the C ABI; docs/abi.md says when it rises. Cargo.toml has it for cargo-c, too.
const ABI: u32 = 0;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libatrest.so.{ABI}");
    }
}
