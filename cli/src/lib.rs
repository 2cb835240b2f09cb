//! The `atrest` command: encrypted volumes from the command line.
//!
//! One file for each command; what they share is in rooms of its own. Exit codes: 0; 2 for a command line that
//! cannot be understood; 1 for a failure, with one line on standard error that says what failed, on what, and what
//! to do.
//!
//! It is a library so that a program of three lines is the command with another key provider in it:
//!
//! ```no_run
//! use atrest::keys::{LocalKeystore, Scheme};
//!
//! fn main() -> std::process::ExitCode {
//!     let mine = Scheme::new("mine", || LocalKeystore::open("/srv/keys")); // any `KeyProvider` called "mine"
//!     atrest_cli::run(atrest_cli::built_in().with(mine))
//! }
//! ```
#![forbid(unsafe_code)]

mod advice;
mod backends;
mod bench;
mod create;
mod decrypt;
mod destroy;
mod encrypt;
mod failure;
mod header;
mod holes;
mod info;
mod key;
mod known;
mod memory;
mod new_volume;
mod opening;
mod output;
mod passphrase;
mod pipeline;
mod progress;
mod providers;
mod rewrap;
mod scratch;
mod sharing;
mod signals;
mod size;
mod slot;
mod source;
mod stdout;
mod temporary;
mod text;
mod trust;
mod verify;
mod volume_key;
mod wrappings;

use std::process::ExitCode;

use atrest::keys::Registry;
use clap::{Parser, Subcommand};

use failure::say;

pub use providers::built_in;

/// Encrypted LUKS2 volumes whose keys are wrapped by a key management service or a local keystore
#[derive(Parser)]
#[command(name = "atrest", version, propagate_version = true, max_term_width = 100, after_help = help())]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// What stands behind the list of commands.
fn help() -> String {
    let mut keys = String::new();
    for scheme in providers::registry().schemes() {
        keys += &format!("\n  {}: {}", scheme.usage(), scheme.description());
    }
    format!(
        "\
KEY names the key that wraps a volume's keys:{keys}

Without --key, a new volume uses $ATREST_KEY, then the key set with `atrest key default`, then local:default, which is \
created on first use. Create other local keys with `atrest key create`.

A local key can be protected by a passphrase. atrest prompts for it on the terminal, or reads it from the file that \
ATREST_PASSPHRASE_FILE names.

The local keystore is $ATREST_HOME, by default the directory atrest in the platform's data directory (~/.local/share). \
Back it up: a volume cannot be opened without its key.

XTS provides confidentiality, not integrity: whoever can write to the disk can corrupt data without being noticed.

Exit codes: 0 success; 1 failure, with one line on standard error; 2 wrong usage."
    )
}

#[derive(Subcommand)]
enum Command {
    /// Encrypt an image, a block device or a stream into a new volume
    Encrypt(encrypt::Arguments),
    /// Decrypt a volume to a file, byte for byte as it was
    Decrypt(decrypt::Arguments),
    /// Create an empty volume
    Create(create::Arguments),
    /// Show what a volume's header says; needs no key
    Info(info::Arguments),
    /// Write the raw volume key to a pipe, for `cryptsetup --volume-key-file`
    VolumeKey(volume_key::Arguments),
    /// Wrap a volume's key again, under another key or the newest material of the same; data is not touched
    Rewrap(rewrap::Arguments),
    /// Add, remove and list the keys that open a volume
    Slot(slot::Arguments),
    /// Back up and restore a volume's header
    Header(header::Arguments),
    /// Erase a scratch volume's key and header, so that no copy of it ever opens again
    Destroy(destroy::Arguments),
    /// Manage the keys that wrap volumes: create, list, check, grant, rotate, delete
    Key(key::Arguments),
    /// List and forget the volumes that were created or opened here
    Known(known::Arguments),
    /// Check everything about a volume: both headers, each key, the volume key, and what is known of it
    Verify(verify::Arguments),
    /// Measure how fast this processor encrypts, and how close that is to its limit
    Bench(bench::Arguments),
}

/// Runs the command with this process's arguments and these key providers, to its end.
///
/// # Panics
/// The second time in one process.
#[must_use]
pub fn run(registry: Registry) -> ExitCode {
    signals::let_large_writes_fail();
    providers::register(registry);
    atrest::on_waiting(|waiting| say(&format!("atrest: {waiting}")));
    let result = match Cli::parse().command {
        Command::Encrypt(arguments) => encrypt::run(&arguments),
        Command::Decrypt(arguments) => decrypt::run(&arguments),
        Command::Create(arguments) => create::run(&arguments),
        Command::Info(arguments) => info::run(&arguments),
        Command::VolumeKey(arguments) => volume_key::run(&arguments),
        Command::Rewrap(arguments) => rewrap::run(&arguments),
        Command::Slot(arguments) => slot::run(&arguments),
        Command::Header(arguments) => header::run(&arguments),
        Command::Destroy(arguments) => destroy::run(&arguments),
        Command::Key(arguments) => key::run(&arguments),
        Command::Known(arguments) => known::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::Bench(arguments) => bench::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.report();
            ExitCode::FAILURE
        }
    }
}
