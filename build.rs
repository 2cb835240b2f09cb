//! Sets the cfgs by which the kernel is compiled:
//!
//! - `backend = "NAME"` for each backend that this build has (src/xts/simd/table.rs lists them), and `hardware` where it
//!   has any but `soft`;
//! - `omitted` where `ATREST_OMIT` leaves some out;
//! - `optimized`: without, forced inlining would give the kernel stack frames of megabytes.

use std::env;

#[path = "src/xts/simd/table.rs"]
mod table;

use table::with_backends;

struct Backend {
    name: &'static str,
    architecture: &'static str,
    optional: bool,
}

macro_rules! rows {
    ($(
        $(#[$doc:meta])*
        $variant:ident = $name:literal: $architecture:ident [$($feature:literal)*] $omit:ident $schedules:tt
            $kind:ident($($module:ident)::+);
    )*) => {
        const BACKENDS: &[Backend] = &[$(Backend {
            name: $name,
            architecture: stringify!($architecture),
            optional: matches!(stringify!($omit).as_bytes(), b"optional"),
        }),*];
    };
}
with_backends!(rows);

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/xts/simd/table.rs");
    println!("cargo::rustc-check-cfg=cfg(optimized, hardware, omitted)");
    let names: Vec<String> = BACKENDS.iter().map(|backend| format!("{:?}", backend.name)).collect();
    println!("cargo::rustc-check-cfg=cfg(backend, values({}))", names.join(", "));

    if env::var("OPT_LEVEL").is_ok_and(|level| level != "0") {
        println!("cargo::rustc-cfg=optimized");
    }
    let omitted = omitted(&env::var("ATREST_OMIT").unwrap_or_default());
    if !omitted.is_empty() {
        println!("cargo::rustc-cfg=omitted");
    }
    let architecture = hardware();
    if architecture.is_some() {
        println!("cargo::rustc-cfg=hardware");
    }
    for Backend { name, architecture: of, .. } in BACKENDS {
        if *of == "any" || (Some(*of) == architecture.as_deref() && !omitted.contains(name)) {
            println!("cargo::rustc-cfg=backend={name:?}");
        }
    }
}

/// The target's architecture, if it is one that has other backends than `soft`, and programs for it may use vector
/// registers: those for kernels and firmware may not (`x86_64-unknown-none`, `aarch64-unknown-none-softfloat`). The
/// assembler takes pointers of 64 bits; and nothing but `soft` was tried on big-endian processors.
fn hardware() -> Option<String> {
    let target = |name| env::var(format!("CARGO_CFG_TARGET_{name}")).unwrap_or_default();
    let architecture = target("ARCH");
    let vectors = match &*architecture {
        "x86_64" => "sse2",
        "aarch64" => "neon",
        _ => return None,
    };
    let has_vectors = target("FEATURE").split(',').any(|feature| feature == vectors);
    (has_vectors && target("POINTER_WIDTH") == "64" && target("ENDIAN") == "little").then_some(architecture)
}

/// The backends to leave out: names with commas or spaces between, or `all`.
fn omitted(names: &str) -> Vec<&'static str> {
    println!("cargo::rerun-if-env-changed=ATREST_OMIT");
    let optional = BACKENDS.iter().filter(|backend| backend.optional).map(|backend| backend.name);
    let optional: Vec<&str> = optional.collect();
    let mut omitted = Vec::new();
    for name in names.split([',', ' ']).filter(|name| !name.is_empty()) {
        match optional.iter().find(|optional| **optional == name) {
            Some(name) => omitted.push(*name),
            None if name == "all" => omitted.extend(&optional),
            None => println!(
                "cargo::error=ATREST_OMIT: no backend {name:?} can be left out; of {}, or all",
                optional.join(", ")
            ),
        }
    }
    omitted
}
