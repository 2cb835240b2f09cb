//! `atrest key rotate` and `delete`: what comes in a key's life.

use atrest::keys::{KeyRef, LocalKeystore, block_on};
use clap::Args;

use super::{administer, change};
use crate::failure::{Failure, say};
use crate::text::{Table, date};
use crate::{providers, stdout};

#[derive(Args)]
pub struct Rotate {
    /// The key
    #[arg(value_parser = providers::key)]
    key: KeyRef,
    #[command(flatten)]
    what: What,
    /// Rotation period in days, with --enable
    #[arg(long, requires = "enable")]
    days: Option<u32>,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
struct What {
    /// Rotate automatically, once a year or every --days
    #[arg(long)]
    enable: bool,
    /// Stop automatic rotation
    #[arg(long)]
    disable: bool,
    /// Show whether and when the key is rotated
    #[arg(long)]
    status: bool,
    /// Rotate now
    #[arg(long)]
    now: bool,
}

pub fn rotate(arguments: &Rotate) -> Result<(), Failure> {
    let Rotate { key, what, days } = arguments;
    if what.enable || what.disable {
        let set = administer(key, |admin| block_on(admin.set_rotation(key.key(), what.enable, *days)));
        set.map_err(|failure| match key.of(LocalKeystore::SCHEME) {
            Some(_) if what.enable => failure.and(&format!("`atrest key rotate {key} --now` renews it once")),
            _ => failure,
        })?;
        say(&format!("{} automatic rotation of {key}", if what.enable { "enabled" } else { "disabled" }));
    } else if what.now {
        change(key, |admin| block_on(admin.rotate(key.key())))?;
        let what = match key.of(LocalKeystore::SCHEME) {
            Some(_) => format!("{key} has new material"),
            None => format!("requested new material for {key}"),
        };
        say(&format!("{what}; volumes still open, and `atrest rewrap` wraps them with it"));
    } else {
        let status = administer(key, |admin| block_on(admin.rotation(key.key())))?;
        let mut table = Table::default();
        table.row("Rotation", if status.enabled { "on" } else { "off" });
        status.period_days.iter().for_each(|days| table.row("Period", format_args!("{days} days")));
        status.next.iter().for_each(|seconds| table.row("Next", date(*seconds)));
        status.on_demand_since.iter().for_each(|seconds| table.row("Under way", date(*seconds)));
        stdout::print(&table.0)?;
    }
    Ok(())
}

#[derive(Args)]
pub struct Delete {
    /// The key
    #[arg(value_parser = providers::key)]
    key: KeyRef,
    /// The waiting period in days, 7 to 30 [default: 30]; a local key is then erased by `atrest key purge`
    #[arg(long, conflicts_with = "cancel")]
    days: Option<u32>,
    /// Cancel a pending deletion; the key is left disabled
    #[arg(long)]
    cancel: bool,
}

pub fn delete(arguments: &Delete) -> Result<(), Failure> {
    let Delete { key, days, cancel } = arguments;
    if *cancel {
        change(key, |admin| block_on(admin.cancel_deletion(key.key())))?;
        say(&format!(
            "cancelled the deletion of {key}; it may be disabled now: enable it with `atrest key enable {key}`"
        ));
        return Ok(());
    }
    let when = change(key, |admin| block_on(admin.schedule_deletion(key.key(), *days)))?;
    let when = when.map(|seconds| format!(" on {}", date(seconds))).unwrap_or_default();
    say(&format!(
        "{key} will be deleted{when}, and nothing it wraps will open after that; until then \
         `atrest key delete {key} --cancel` cancels the deletion"
    ));
    Ok(())
}
