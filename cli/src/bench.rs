//! `atrest bench`: how fast this processor encrypts, beside how fast it could.

mod cell;
mod clock;
mod report;

use std::rc::Rc;
use std::time::Duration;

use atrest::xts::{Backend, Key};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};

use self::cell::{Cell, Work};
use self::clock::Clock;
use self::report::Report;
use crate::backends::warn_of_wrong_ones;
use crate::failure::Failure;
use crate::stdout;

#[derive(Args)]
pub struct Arguments {
    /// Measure only this backend
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(Backend::ALL.iter().map(|backend| backend.name())))]
    backend: Option<String>,
    /// AES key size in bits (XTS uses two such keys)
    #[arg(long, value_name = "BITS", default_value = "256", value_parser = aes_bits())]
    aes: usize,
    /// How long to measure, in seconds
    #[arg(long, value_name = "N", default_value = "3", value_parser = seconds)]
    seconds: Duration,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn aes_bits() -> impl clap::builder::TypedValueParser<Value = usize> {
    PossibleValuesParser::new(["128", "256"]).map(|bits| if bits == "128" { 128 } else { 256 })
}

fn seconds(text: &str) -> Result<Duration, &'static str> {
    match text.parse::<f64>() {
        Ok(seconds @ 0.01..=3600.0) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("write a number of seconds from 0.01 to 3600"),
    }
}

/// Everything is measured so often, in turn, so that what disturbs for a while disturbs all alike.
const ROUNDS: u32 = 5;

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    warn_of_wrong_ones();
    let mut cells = Vec::new();
    for backend in backends(arguments.backend.as_deref())? {
        cells.extend(cells_of(backend, arguments.aes)?);
    }
    let mut clock = Clock::start().ok_or_else(|| {
        Failure::new(
            "cannot measure: atrest does not know how to count core cycles on this kind of processor",
        )
    })?;
    let slice = arguments.seconds / ROUNDS / cells.len() as u32;
    for _ in 0..ROUNDS {
        for cell in &mut cells {
            cell.measure(&mut clock, slice);
        }
    }
    let report = Report::new(arguments.aes, clock.best_ghz(), &cells);
    if arguments.json {
        stdout::print(&format!("{:#}\n", report.json()))
    } else {
        stdout::print(&report.table(&report::Bars::for_stdout()))
    }
}

/// The one that is named, else all that this processor runs and that compute rightly, fastest first.
fn backends(name: Option<&str>) -> Result<Vec<Backend>, Failure> {
    let mut found: Vec<Backend> = Backend::supported().rev().collect();
    if let Some(name) = name {
        let all = found.iter().map(|backend| backend.name()).collect::<Vec<_>>().join(", ");
        found.retain(|backend| backend.name() == name);
        if found.is_empty() {
            return Err(Failure::new(format!(
                "cannot measure {name}: this processor does not support it; choose one of {all}"
            )));
        }
    } else {
        found.retain(|backend| backend.is_usable());
    }
    Ok(found)
}

/// The limit, where there is one, then each kind of call; both directions of each.
fn cells_of(backend: Backend, aes_bits: usize) -> Result<Vec<Cell>, Failure> {
    let bytes: Vec<u8> = (0..).take(aes_bits / 4).collect();
    let key = Key::options()
        .backend(backend)
        .build(&bytes)
        .map_err(|error| Failure::new(format!("cannot measure {backend}: {error}")))?;
    let key = Rc::new(key);
    let mut cells = Vec::new();
    for work in Work::ALL {
        for decrypt in [false, true] {
            cells.extend(Cell::new(&key, work, decrypt));
        }
    }
    Ok(cells)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read() {
        assert_eq!(seconds("3"), Ok(Duration::from_secs(3)));
        assert_eq!(seconds("0.01"), Ok(Duration::from_millis(10)));
        for text in ["", "0", "-1", "nan", "inf", "3601", "1e9", "3s", "0,5"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
