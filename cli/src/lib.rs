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
mod bench;
mod create;
mod decrypt;
mod destroy;
mod encrypt;
mod failure;
mod header;
mod info;
mod key;
mod new_volume;
mod opening;
mod output;
mod passphrase;
mod pipeline;
mod progress;
mod providers;
mod rewrap;
mod scratch;
mod signals;
mod size;
mod slot;
mod source;
mod stdout;
mod temporary;
mod text;
mod volume_key;
mod wrappings;

use std::process::ExitCode;

use atrest::keys::Registry;
use clap::{Parser, Subcommand};

pub use providers::built_in;

/// Encryption at rest: LUKS2 volumes whose keys are wrapped by a key that never leaves its keystore.
#[derive(Parser)]
#[command(name = "atrest", version, propagate_version = true, after_help = help())]
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
KEY is what wraps a volume's key:{keys}
local:default is made on first use; other local keys are made by `atrest key create`. Without --key a new volume gets the \
key $ATREST_KEY, else the one that `atrest key default` set, else local:default.
A local key may be guarded by a passphrase, which is asked for on the terminal, or read from the file that \
ATREST_PASSPHRASE_FILE names.
The keystore is the directory $ATREST_HOME, else atrest in the platform's data directory (~/.local/share). Back it \
up: without its key a volume cannot be opened.
XTS keeps data secret; it does not notice when someone who can write to the disk garbles it.

Exit codes: 0 success, 1 failure (with one line on standard error), 2 wrong usage."
    )
}

#[derive(Subcommand)]
enum Command {
    /// Encrypt an image, a block device or a stream into a new volume
    Encrypt(encrypt::Arguments),
    /// Decrypt a volume into a file, exactly as it was
    Decrypt(decrypt::Arguments),
    /// Make a volume to be filled later
    Create(create::Arguments),
    /// Describe a volume; needs no key
    Info(info::Arguments),
    /// Write a volume's raw key to a pipe, for `cryptsetup --volume-key-file`
    VolumeKey(volume_key::Arguments),
    /// Put a volume under another key, or the newest material of the same; no data is touched
    Rewrap(rewrap::Arguments),
    /// Add, remove and list the keys that open a volume
    Slot(slot::Arguments),
    /// Save a volume's header, and put such a backup in its place
    Header(header::Arguments),
    /// Erase the key of a scratch volume, and its header: no copy of it opens again, ever
    Destroy(destroy::Arguments),
    /// Make, list, check, share and retire the keys that wrap volumes' keys
    Key(key::Arguments),
    /// Measure how fast this processor encrypts, beside what it could do
    Bench(bench::Arguments),
}

/// Runs the command with this process's arguments and these key providers, to its end.
///
/// # Panics
/// The second time in one process.
#[must_use]
pub fn run(registry: Registry) -> ExitCode {
    providers::register(registry);
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
