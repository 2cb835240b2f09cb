//! Tells the crate whether it is optimised: without, forced inlining would give the kernel stack frames of megabytes.
//! And names the shared library for its C callers.

use std::env;

/// The version of the C ABI; docs/abi.md says when it rises. Cargo.toml has it for cargo-c, too.
const ABI: u32 = 0;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(optimized)");
    if env::var("OPT_LEVEL").is_ok_and(|level| level != "0") {
        println!("cargo::rustc-cfg=optimized");
    }
    let linux = env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    if linux && env::var_os("CARGO_FEATURE_CAPI").is_some() {
        println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libatrest.so.{ABI}");
    }
}
