//! `atrest known`: the volumes that this command remembers.

use std::path::Path;

use atrest::keys::Uuid;
use atrest::text::printable;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::failure::{Failure, say, show};
use crate::memory::{Known, Memory, VARIABLE, stable_name};
use crate::stdout;
use crate::text::{date, escaped_json};

#[derive(Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the volumes that were created or opened here, with their keys and where they were
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Forget a volume; the next time it is a new one
    Forget {
        /// The volume: its UUID, or where it was
        volume: String,
    },
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let memory = Memory::of_user().ok_or_else(|| {
        Failure::new(format!(
            "nothing is remembered here: there is no home directory; set {VARIABLE} to a directory"
        ))
    })?;
    match &arguments.command {
        Command::List { json } => list(&memory, *json),
        Command::Forget { volume } => forget(&memory, volume),
    }
}

fn list(memory: &Memory, json: bool) -> Result<(), Failure> {
    let all = memory.all()?;
    if json {
        let all: Vec<Value> = all.iter().map(told).collect();
        return stdout::print(&escaped_json(&json!({ "volumes": all })));
    }
    if all.is_empty() {
        say(&format!("no volume is known in {}: those that are created or opened are", show(memory.path())));
        return Ok(());
    }
    let line = |known: &Known| {
        let (keys, names) = (printable(&known.keys.join(" or ")), printable(&known.names.join(", ")));
        let accepted = if known.accepted { "" } else { "\tread only so far" };
        format!("{}\t{}\t{keys}\t{names}{accepted}\n", known.pin.volume(), date(known.used))
    };
    stdout::print(&all.iter().map(line).collect::<String>())
}

fn told(known: &Known) -> Value {
    json!({
        "uuid": known.pin.volume().to_string(),
        "pin": known.pin.to_string(),
        "generation": known.generation,
        "keys": known.keys,
        "names": known.names,
        "accepted": known.accepted,
        "used": date(known.used),
    })
}

fn forget(memory: &Memory, volume: &str) -> Result<(), Failure> {
    let uuid = match Uuid::try_parse(volume) {
        Ok(uuid) => Some(uuid),
        Err(_) => {
            let name = stable_name(Path::new(volume)).unwrap_or_else(|| volume.to_owned());
            memory.at(&name)?
        }
    };
    match uuid {
        Some(uuid) if memory.forget(uuid)? => {
            say(&format!("forgot volume {uuid}"));
            Ok(())
        }
        _ => Err(Failure::new(format!("{volume} is not known in {}", show(memory.path())))),
    }
}
