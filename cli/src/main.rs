//! The `atrest` command, with the key providers that it is built with.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    atrest_cli::run(atrest_cli::built_in())
}
