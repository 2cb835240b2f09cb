//! Tells the crate whether it is optimised: without, forced inlining would give the kernel stack frames of megabytes.

use std::env;

/// The backends that `ATREST_OMIT` can leave out: those that no other one needs.
const OPTIONAL: [&str; 6] = ["ssse3", "avx2", "vaes256", "vaes512", "neon", "armv8-eor3"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(optimized)");
    if env::var("OPT_LEVEL").is_ok_and(|level| level != "0") {
        println!("cargo::rustc-cfg=optimized");
    }
    omit(&env::var("ATREST_OMIT").unwrap_or_default());
}

/// Leaves backends out: names with commas or spaces between. For each of them `omitted` is a cfg.
fn omit(names: &str) {
    println!("cargo::rerun-if-env-changed=ATREST_OMIT");
    println!("cargo::rustc-check-cfg=cfg(omitted, values(none(), \"{}\"))", OPTIONAL.join("\", \""));
    for name in names.split([',', ' ']).filter(|name| !name.is_empty()) {
        if OPTIONAL.contains(&name) {
            println!("cargo::rustc-cfg=omitted\ncargo::rustc-cfg=omitted=\"{name}\"");
        } else {
            println!(
                "cargo::error=ATREST_OMIT: no backend {name:?} can be left out; of {}",
                OPTIONAL.join(", ")
            );
        }
    }
}
