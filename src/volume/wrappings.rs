//! Changes of a volume's wrappings: its keys and its data stay.

use std::fs::File;

use super::disk;
use super::error::{Error, Warning};
use super::header::Header;
use super::io::Volume;
use crate::keys::{Providers, Rewrapped, block_on};

/// A change of the wrappings of a volume's root key. Slots are counted from 0; keys are named by their provider and by
/// what it calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrappingChange<'a> {
    /// Replaces a wrapping by one under another key, or by the newest material of the same. See
    /// [`Envelope::rewrap`](crate::keys::Envelope::rewrap).
    Rewrap {
        /// The slot.
        slot: usize,
        /// The name of the new key's provider.
        provider: &'a str,
        /// The new key.
        key: &'a str,
    },
    /// Adds a wrapping. See [`Envelope::add_slot`](crate::keys::Envelope::add_slot).
    Add {
        /// The name of the new key's provider.
        provider: &'a str,
        /// The new key.
        key: &'a str,
    },
    /// Removes a wrapping, but not the last one. See [`Envelope::remove_slot`](crate::keys::Envelope::remove_slot).
    Remove {
        /// The slot.
        slot: usize,
    },
}

/// A volume's header after a [`WrappingChange`].
#[derive(Debug)]
#[non_exhaustive]
pub struct WrappingsChanged {
    /// The header as it now is on the disk.
    pub header: Header,
    /// What the user should be told of the header as it was.
    pub warnings: Vec<Warning>,
    /// Whether the volume's keys were there: then the header was authenticated, and a new wrapping has opened. Else
    /// the key service did it all, and no plaintext of a key was in this process.
    pub verified: bool,
}

impl Volume {
    /// Changes the wrappings of the root key in the header of the volume in `file`, which must be open for reading and
    /// writing. No data is touched, and the volume may be open meanwhile. Blocks until the providers have answered.
    ///
    /// Both copies of the header are written whole, one after the other: whenever that is interrupted the volume opens
    /// by its old wrappings or its new ones, and when it is done the old ones are in neither copy. File systems and
    /// drives that write elsewhere than where they are told may keep old blocks, and so do backups.
    ///
    /// # Errors
    /// What [`Header::read`], [`Header::data_segment`] and [`Header::update`] give; [`Error::NoToken`];
    /// [`Error::Uuid`]; [`Error::Token`]; [`Error::Envelope`] with what a provider refused; [`Error::Forged`] and
    /// [`Error::WrongKeys`] for a header that was tampered with, where the change takes the keys;
    /// [`Error::HeaderFull`]. The header is then as it was, unless its writing failed.
    pub fn change_wrappings(
        file: &File,
        change: WrappingChange<'_>,
        providers: &Providers,
    ) -> Result<WrappingsChanged, Error> {
        block_on(Volume::change_wrappings_async(file, change, providers))
    }

    /// [`Volume::change_wrappings`] for callers on an asynchronous runtime. Only the providers are awaited: the header
    /// is read and written in place.
    ///
    /// # Errors
    /// As for [`Volume::change_wrappings`].
    pub async fn change_wrappings_async(
        file: &File,
        change: WrappingChange<'_>,
        providers: &Providers,
    ) -> Result<WrappingsChanged, Error> {
        // What rules the change out is found before a key service is asked.
        disk::check_writable(file)?;
        let (mut header, warnings) = Header::read(file)?;
        header.data_segment()?;
        let token = header.own_token()?;
        let old = &token.envelope;
        let mut keys = None;
        if !token.takes_other_wrappings() {
            // The code of such a header covers the wrappings, so that it has to be made anew.
            let opened = old.open(&providers.without_cache()).await?;
            header.authenticate(&token, &opened)?;
            keys = Some(opened);
        }
        let new = match change {
            WrappingChange::Rewrap { slot, provider, key } => {
                let Rewrapped { envelope, keys: seen } = old.rewrap(slot, provider, key, providers).await?;
                keys = seen.or(keys);
                envelope
            }
            WrappingChange::Add { provider, key } => {
                let Rewrapped { envelope, keys: seen } = old.add_slot(provider, key, providers).await?;
                keys = seen.or(keys);
                envelope
            }
            WrappingChange::Remove { slot } => old.remove_slot(slot)?,
        };
        match &keys {
            Some(keys) => header.set_envelope(new, keys)?,
            None => header.set_wrappings(new)?,
        }
        header.update(file)?;
        Ok(WrappingsChanged { header, warnings, verified: keys.is_some() })
    }
}
