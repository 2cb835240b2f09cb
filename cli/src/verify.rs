//! `atrest verify`: whether a volume is sound: both copies of its header, each key, the volume key, and what is known of it.

use std::path::PathBuf;

use atrest::keys::block_on;
use atrest::luks2::HeaderCopy;
use atrest::volume::{ClosedVolume, Error, Mode};
use clap::Args;
use serde_json::{Value, json};

use crate::failure::{Failure, show};
use crate::source::open_volume;
use crate::text::{Table, escaped_json};
use crate::trust::{Purpose, Trust};
use crate::wrappings::named;
use crate::{advice, providers, stdout};

#[derive(Args)]
#[command(after_help = "\
Nothing is written to the volume, and no data is read. Exit code 0 says that everything that is listed is right; 1, that \
something is not.")]
pub struct Arguments {
    /// The volume: a file or a block device
    volume: PathBuf,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    trust: Trust,
}

/// What was looked at, and what is wrong with it.
struct Finding {
    what: String,
    wrong: Option<String>,
}

pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let name = show(&arguments.volume);
    let failed = |error: Error| Failure::volume("cannot verify the volume", &name, error);
    let closed = ClosedVolume::read(open_volume(&arguments.volume)?, Mode::ReadOnly);
    let closed = closed.map_err(|error| failed(error.into()))?;
    let checked = arguments.trust.check(
        "cannot verify the volume",
        &arguments.volume,
        closed.header(),
        Purpose::Read,
    )?;
    let (header, envelope) = (closed.header().clone(), closed.envelope().clone());
    let providers = providers::of(&envelope)
        .map_err(|error| advice::with_keystore(&error))
        .map_err(|error| Failure::new(format!("cannot verify the volume {name}: {error}")))?;

    let mut findings = Vec::new();
    for (copy, sequence) in [HeaderCopy::First, HeaderCopy::Second].into_iter().zip(header.sequences()) {
        let wrong = sequence.is_none().then(|| "it is damaged: a rewrap writes it anew".to_owned());
        findings.push(Finding { what: format!("header, {copy}"), wrong });
    }
    for warning in closed.warnings().iter().filter(|_| header.sequences().iter().all(Option::is_some)) {
        findings.push(Finding { what: "header, both copies".to_owned(), wrong: Some(warning.to_string()) });
    }
    let mut opened = None;
    for (number, slot) in envelope.slots().iter().enumerate() {
        let what = format!("key {number}, {}", named(slot));
        let wrong = match block_on(closed.unwrap(&providers, &checked.expect.clone().only_slot(number))) {
            Ok(keys) => {
                opened.get_or_insert(keys);
                None
            }
            Err(error) => Some(advice::with_volume(&error.into())),
        };
        findings.push(Finding { what, wrong });
    }
    let what = "header's authentication code, and the digest of the volume key".to_owned();
    match &opened {
        None => {
            findings.push(Finding { what, wrong: Some("not checked: no key opens the volume".to_owned()) })
        }
        Some(opened) => {
            let volume = closed.open(opened, &checked.expect);
            let wrong = volume.as_ref().err().map(ToString::to_string);
            if wrong.is_none() {
                let key = named(&envelope.slots()[opened.slot]);
                checked.opened(&arguments.volume, &key, &envelope, opened.slot, &providers);
            }
            findings.push(Finding { what, wrong });
        }
    }
    let wrong = findings.iter().filter(|finding| finding.wrong.is_some()).count();
    let pin = header.pin().ok().flatten().map(|pin| pin.to_string());
    if arguments.json {
        let checks: Vec<Value> = findings
            .iter()
            .map(|f| json!({ "what": f.what, "right": f.wrong.is_none(), "wrong": f.wrong }))
            .collect();
        let verified = json!({
            "uuid": header.uuid().to_string(),
            "pin": pin,
            "known": checked.is_known(),
            "verified": wrong == 0,
            "checks": checks,
        });
        stdout::print(&escaped_json(&verified))?;
    } else {
        let mut table = Table::default();
        for finding in &findings {
            match &finding.wrong {
                None => table.row("right", &finding.what),
                Some(why) => table.row("WRONG", format_args!("{}: {why}", finding.what)),
            }
        }
        table.row("Pin", pin.as_deref().unwrap_or("none"));
        table.row(
            "Known",
            if checked.is_known() { "yes, as it is" } else { "no: it was not created or opened here" },
        );
        stdout::print(&table.0)?;
    }
    match wrong {
        0 => Ok(()),
        _ => Err(Failure::new(format!("{name}: {wrong} of {} checks failed", findings.len()))),
    }
}
