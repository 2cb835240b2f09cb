//! `atrest info`: what a volume's header says.

use std::path::PathBuf;

use atrest::keys::{Envelope, KeyDescription, WrappedKey, block_on};
use atrest::luks2::HeaderCopy;
use atrest::volume::{Error, Header};
use clap::Args;
use serde_json::{Value, json};

use crate::failure::{Failure, show, warn};
use crate::source::open_volume;
use crate::text::{Table, date, escaped_json};
use crate::{providers, size, stdout};

#[derive(Args)]
pub struct Arguments {
    /// The volume: a file or a block device
    volume: PathBuf,
    /// Also ask the key services for the state of each key, and whether a wrapping is stale
    #[arg(long)]
    keys: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = open_volume(&arguments.volume)?;
    let name = show(&arguments.volume);
    let failed = |error: Error| Failure::volume("cannot read the volume", &name, error);
    let (header, warnings) = Header::read(&file).map_err(|error| failed(error.into()))?;
    let envelope = header.envelope().map_err(|error| failed(error.into()))?;
    let size = header.size().map_err(|error| failed(error.into()))?;
    for warning in &warnings {
        warn(&name, warning);
    }
    let keys = match &envelope {
        Some(envelope) if arguments.keys => envelope.slots().iter().map(ask).collect(),
        _ => Vec::new(),
    };
    let facts = Facts { header: &header, envelope: envelope.as_ref(), size, keys };
    if arguments.json { stdout::print(&escaped_json(&facts.json())) } else { stdout::print(&facts.table()) }
}

/// What the service of a wrapping's key says of it, or why it says nothing.
fn ask(slot: &WrappedKey) -> Result<KeyDescription, String> {
    let provider = providers::provider(&slot.provider).map_err(|error| error.to_string())?;
    block_on(provider.describe(&slot.key)).map_err(|error| error.to_string())
}

/// What is told of a volume. The header is not verified: that takes the volume's key.
struct Facts<'a> {
    header: &'a Header,
    envelope: Option<&'a Envelope>,
    /// The exact size, which only our own volumes have.
    size: Option<u64>,
    /// What is said of the key of each slot; empty unless it was asked for.
    keys: Vec<Result<KeyDescription, String>>,
}

impl Facts<'_> {
    /// The names of these fields are fixed: programs read them.
    fn json(&self) -> Value {
        let header = self.header;
        let segment = header.segments().first();
        let cipher = segment.and_then(|segment| segment.cipher.as_ref());
        let copies: Vec<Value> = self
            .copies()
            .map(|(copy, sequence)| {
                json!({
                    "copy": copy,
                    "state": if sequence.is_some() { "valid" } else { "damaged" },
                    "sequence": sequence,
                })
            })
            .collect();
        let used = if header.used_copy() == HeaderCopy::First { "first" } else { "second" };
        let envelope = self.envelope.map(|envelope| {
            let slots: Vec<Value> = envelope
                .slots()
                .iter()
                .enumerate()
                .map(|(i, slot)| {
                    let mut fields =
                        json!({ "provider": slot.provider, "key": slot.key, "material": slot.material });
                    match self.keys.get(i) {
                        Some(Ok(key)) => {
                            fields["state"] = key.state.to_string().into();
                            fields["deletion"] = key.deletion.map(date).into();
                            fields["stale"] = slot.is_stale(key).into();
                        }
                        Some(Err(why)) => fields["unknown"] = why.clone().into(),
                        None => {}
                    }
                    fields
                })
                .collect();
            json!({ "class": envelope.class().name(), "slots": slots })
        });
        let keyslots: Vec<Value> = header
            .keyslots()
            .iter()
            .map(|keyslot| json!({ "id": keyslot.id, "type": keyslot.kind }))
            .collect();
        let tokens: Vec<Value> =
            header.tokens().iter().map(|token| json!({ "id": token.id, "type": token.kind })).collect();
        json!({
            "uuid": header.uuid().to_string(),
            "label": header.label(),
            "subsystem": header.subsystem(),
            "cipher": cipher.map(|cipher| &cipher.encryption),
            // The header itself does not say; a volume of ours has AES-256.
            "key_bits": self.envelope.map(|_| 512),
            "sector_size": cipher.map(|cipher| cipher.sector_size),
            "data_offset": segment.map(|segment| segment.offset),
            "size": self.size.or_else(|| segment.and_then(|segment| segment.size)),
            "header": {
                "verified": false,
                "used": used,
                "copy_size": header.copy_size(),
                "copies": copies,
            },
            // What the header says, as is all of this: a volume that has opened vouches for it.
            "pin": header.pin().ok().flatten().map(|pin| pin.to_string()),
            "envelope": envelope,
            "keyslots": keyslots,
            "tokens": tokens,
            "requirements": header.requirements(),
        })
    }

    fn table(&self) -> String {
        let header = self.header;
        let mut table = Table::default();
        table.row("UUID", header.uuid());
        for (name, text) in [("Label", header.label()), ("Subsystem", header.subsystem())] {
            if !text.is_empty() {
                table.row(name, text);
            }
        }
        if let Some(size) = self.size {
            table.row("Size", with_unit(size));
        }
        for segment in header.segments() {
            match &segment.cipher {
                Some(cipher) => {
                    let bits = if self.envelope.is_some() { ", 512-bit key" } else { "" };
                    table.row("Cipher", format_args!("{}{bits}", cipher.encryption));
                    table.row("Sector", format_args!("{} bytes", cipher.sector_size));
                }
                None => table.row("Segment", format_args!("not encrypted ({})", segment.kind)),
            }
            let end = match segment.size {
                Some(size) => with_unit(size),
                None => "to the end of the file".into(),
            };
            table.row("Data", format_args!("from byte {}, {end}", segment.offset));
        }
        for (copy, sequence) in self.copies() {
            match sequence {
                Some(sequence) => {
                    table.row("Header", format_args!("{copy} copy valid, sequence number {sequence}"))
                }
                None => table.row("Header", format_args!("{copy} copy damaged")),
            }
        }
        table.row("", "not verified (that takes the key; decrypt does it)");
        match self.envelope {
            Some(envelope) => {
                for (i, slot) in envelope.slots().iter().enumerate() {
                    let material =
                        slot.material.as_ref().map(|id| format!(", material {id}")).unwrap_or_default();
                    table.row("Key", format_args!("{}:{}{material}", slot.provider, slot.key));
                    match self.keys.get(i) {
                        Some(Ok(key)) => {
                            let deletion = key
                                .deletion
                                .map(|seconds| format!(" on {}", date(seconds)))
                                .unwrap_or_default();
                            let stale = match slot.is_stale(key) {
                                Some(true) => ", stale: `atrest rewrap` wraps it with newer material",
                                Some(false) => ", wrapped with its current material",
                                None => "",
                            };
                            table.row("", format_args!("{}{deletion}{stale}", key.state));
                        }
                        Some(Err(why)) => table.row("", format_args!("unknown: {why}")),
                        None => {}
                    }
                }
                table.row("Class", envelope.class().name());
                if let Ok(Some(pin)) = header.pin() {
                    table.row("Pin", pin);
                }
            }
            None => table.row("Key", "no atrest token: another tool made this volume"),
        }
        for keyslot in header.keyslots() {
            table.row("Keyslot", format_args!("{} ({}), made by cryptsetup", keyslot.id, keyslot.kind));
        }
        for token in header.tokens().iter().filter(|token| token.kind != "atrest") {
            table.row("Token", format_args!("{} ({})", token.id, token.kind));
        }
        for requirement in header.requirements() {
            table.row("Requires", requirement);
        }
        table.0
    }

    /// Each copy of the header with its sequence number, `None` when it is damaged.
    fn copies(&self) -> impl Iterator<Item = (&'static str, Option<u64>)> {
        ["first", "second"].into_iter().zip(self.header.sequences())
    }
}

fn with_unit(bytes: u64) -> String {
    match bytes {
        ..1024 => size::show(bytes),
        _ => format!("{bytes} bytes ({})", size::show(bytes)),
    }
}
