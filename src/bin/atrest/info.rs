//! `atrest info`: what a volume's header says.

use std::path::PathBuf;

use atrest::envelope::Envelope;
use atrest::volume::{Header, HeaderCopy};
use clap::Args;
use serde_json::{Value, json};

use crate::failure::{Failure, show, warn};
use crate::source::open_volume;
use crate::text::{Table, escaped_json};
use crate::{size, stdout};

#[derive(Args)]
pub struct Arguments {
    /// The volume, a file or a block device
    volume: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = open_volume(&arguments.volume)?;
    let name = show(&arguments.volume);
    let failed = |error| Failure::volume("cannot read the volume", &name, &error);
    let (header, warnings) = Header::read(&file).map_err(failed)?;
    let envelope = header.envelope().map_err(failed)?;
    let size = header.size().map_err(failed)?;
    for warning in &warnings {
        warn(&name, warning);
    }
    let facts = Facts { header: &header, envelope: envelope.as_ref(), size };
    if arguments.json { stdout::print(&escaped_json(&facts.json())) } else { stdout::print(&facts.table()) }
}

/// What is told of a volume. The header is not verified: that takes the volume's key.
struct Facts<'a> {
    header: &'a Header,
    envelope: Option<&'a Envelope>,
    /// The exact size, which only our own volumes have.
    size: Option<u64>,
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
                .map(|slot| json!({ "provider": slot.provider, "key": slot.key, "material": slot.material }))
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
        table.row("", "not verified (this needs the key; decrypt does it)");
        match self.envelope {
            Some(envelope) => {
                for slot in envelope.slots() {
                    let material =
                        slot.material.as_ref().map(|id| format!(", material {id}")).unwrap_or_default();
                    table.row("Key", format_args!("{}:{}{material}", slot.provider, slot.key));
                }
                table.row("Class", envelope.class().name());
            }
            None => table.row("Key", "no atrest token: another tool made this volume"),
        }
        for keyslot in header.keyslots() {
            table.row("Keyslot", format_args!("{} ({}), of cryptsetup", keyslot.id, keyslot.kind));
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
