//! What the commands share that change the wrappings of a volume's key.

use std::path::Path;

use atrest::keys::{Envelope, EnvelopeChangeError, Expect, KeyRef, WrappedKey, block_on};
use atrest::luks2::TokenError;
use atrest::volume::{Error, HeaderEdit, WrappingChange, WrappingError};

use crate::failure::{Failure, say, show, warn};
use crate::source::open_volume_to_change;
use crate::trust::{Purpose, Trust};
use crate::{advice, providers};

/// What is done with which wrapping.
pub enum Change {
    /// Another one in its place, under this key or, without one, under the same.
    Rewrap { slot: Option<usize>, key: Option<KeyRef> },
    /// One more.
    Add { key: KeyRef },
    /// One less.
    Remove { slot: usize },
}

/// What was done.
pub struct Changed {
    /// The envelope before.
    pub old: Envelope,
    /// The envelope after.
    pub new: Envelope,
    /// The slot: in both for a rewrapping, else in the one that has it.
    pub slot: usize,
    /// Whether the header was authenticated with the volume's keys.
    pub verified: bool,
    /// Whether a new wrapping has opened.
    pub proved: bool,
}

/// Changes the wrappings in a volume's header, and passes its warnings on. `action` is how a failure begins. What is
/// chosen by what is in the header is chosen while it is locked.
pub fn change(path: &Path, action: &str, change: &Change, trust: &Trust) -> Result<Changed, Failure> {
    let failed = |error: Error| Failure::volume(action, show(path), error);
    let refused = |why: &dyn std::fmt::Display| Failure::new(format!("{action} {}: {why}", show(path)));
    let file = open_volume_to_change(path)?;
    let edit = HeaderEdit::begin(&file, &Expect::any()).map_err(|error| failed(error.into()))?;
    edit.header().data_segment().map_err(|error| failed(error.into()))?;
    let old = edit.header().envelope().map_err(|error| failed(error.into()))?;
    let old = old.ok_or_else(|| failed(TokenError::Missing.into()))?;
    let checked = trust.check(action, path, edit.header(), Purpose::Change)?;
    let edit = edit.expecting(&checked.expect).map_err(|error| failed(error.into()))?;

    // Removing takes no key where the pin is expected.
    let mut set = providers::of(&old).or_else(|error| match change {
        Change::Remove { .. } => Ok(Default::default()),
        _ => Err(refused(&advice::with_keystore(&error))),
    })?;
    let mut notice = None;
    if let Change::Rewrap { key: Some(key), .. } | Change::Add { key } = change {
        let provider = providers::to_wrap(key, &mut notice)?;
        if set.get(provider.name()).is_none() {
            set.insert(provider);
        }
    }
    let (slot, change) = match change {
        Change::Rewrap { slot, key } => {
            let slot = choose(&old, *slot).map_err(|why| refused(&why))?;
            let rewrap = match key {
                Some(key) => WrappingChange::Rewrap { slot, provider: key.provider(), key: key.key() },
                None => WrappingChange::Renew { slot },
            };
            (slot, rewrap)
        }
        Change::Add { key } => {
            (old.slots().len(), WrappingChange::Add { provider: key.provider(), key: key.key() })
        }
        Change::Remove { slot } => (*slot, WrappingChange::Remove { slot: *slot }),
    };
    // The key that a provider's failure is of, where it can be of one alone.
    let concerned = match change {
        WrappingChange::Renew { slot } => {
            Some((old.slots()[slot].provider.clone(), old.slots()[slot].key.clone()))
        }
        WrappingChange::Add { provider, key } => Some((provider.to_owned(), key.to_owned())),
        _ => None,
    };
    let done = block_on(edit.change_wrappings(change, &set)).map_err(|error| match (error, &concerned) {
        (WrappingError::Change(EnvelopeChangeError::Provider(error)), Some((scheme, key))) => {
            refused(&advice::with_key(scheme, key, &error))
        }
        (error, _) => failed(error.into()),
    });
    // A key that was made for this stays, whatever becomes of the volume.
    let done = match (done, notice) {
        (Err(failure), Some(notice)) => return Err(failure.and(&notice)),
        (done, notice) => {
            let done = done?;
            notice.iter().for_each(|notice| say(notice));
            done
        }
    };
    for warning in &done.warnings {
        warn(show(path), warning);
    }
    checked.changed(&done.header);
    Ok(Changed { old: done.old, new: done.new, slot, verified: done.verified, proved: done.proved })
}

/// The slot that is meant, where there are several.
fn choose(envelope: &Envelope, slot: Option<usize>) -> Result<usize, String> {
    let slots = envelope.slots();
    match slot {
        None if slots.len() == 1 => Ok(0),
        None => {
            let list: Vec<String> =
                slots.iter().enumerate().map(|(i, slot)| format!("{i} ({})", named(slot))).collect();
            Err(format!("it has {} slots: choose one with --slot: {}", slots.len(), list.join(" or ")))
        }
        Some(slot) if slot < slots.len() => Ok(slot),
        Some(slot) => Err(format!("there is no slot {slot}: it has {}, numbered from 0", slots.len())),
    }
}

/// The key of a wrapping, for people.
pub fn named(slot: &WrappedKey) -> String {
    format!("{}:{}", slot.provider, slot.key)
}
