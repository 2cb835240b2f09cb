//! Changes of a volume's wrappings: its keys and its data stay.

use super::data_path::Volume;
use super::edit::{Expected, HeaderEdit};
use super::error::{OpenError, WrappingError};
use super::header::Header;
use crate::keys::{Envelope, EnvelopeChangeError, Providers, Rewrapped, block_on};
use crate::luks2::Warning;
use crate::storage::Storage;

/// A change of the wrappings of a volume's root key. Slots are counted from 0; keys are named by their provider and by
/// what it calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WrappingChange<'a> {
    /// Replaces a wrapping by one under another key, or by the newest material of the same. See [`Envelope::rewrap`].
    Rewrap {
        /// The slot.
        slot: usize,
        /// The name of the new key's provider.
        provider: &'a str,
        /// The new key.
        key: &'a str,
    },
    /// Replaces a wrapping by one under the newest material of the key that it is under.
    Renew {
        /// The slot.
        slot: usize,
    },
    /// Adds a wrapping. See [`Envelope::add_slot`].
    Add {
        /// The name of the new key's provider.
        provider: &'a str,
        /// The new key.
        key: &'a str,
    },
    /// Removes a wrapping, but not the last one. See [`Envelope::remove_slot`].
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
    /// The envelope as it was.
    pub old: Envelope,
    /// The envelope as it now is in the header.
    pub new: Envelope,
    /// What the user should be told of the header as it was.
    pub warnings: Vec<Warning>,
    /// Whether the volume's keys were there: then the header was authenticated, and a new wrapping has opened. Else
    /// the key service did it all, and no plaintext of a key was in this process.
    pub verified: bool,
}

impl<S: Storage> Volume<S> {
    /// Changes the wrappings of the root key in the header of the volume in `storage`, which must be open for reading and
    /// writing. No data is touched, and the volume may be open meanwhile. Blocks until the providers have answered; the
    /// header's lock is held as long.
    ///
    /// Both copies of the header are written whole, one after the other: whenever that is interrupted the volume opens
    /// by its old wrappings or its new ones, and when it is done the old ones are in neither copy. File systems and
    /// drives that write elsewhere than where they are told may keep old blocks, and so do backups.
    ///
    /// Who chooses providers by what is in the envelope begins with [`HeaderEdit::begin`].
    ///
    /// # Errors
    /// [`WrappingError`]. The header is then as it was, unless its writing failed.
    pub fn change_wrappings(
        storage: &S,
        change: WrappingChange<'_>,
        providers: &Providers,
    ) -> Result<WrappingsChanged, WrappingError> {
        block_on(Volume::change_wrappings_async(storage, change, providers))
    }

    /// [`Volume::change_wrappings`] for callers on an asynchronous runtime. Only the providers are awaited: the header
    /// is locked, read and written in place.
    ///
    /// # Errors
    /// As for [`Volume::change_wrappings`].
    pub async fn change_wrappings_async(
        storage: &S,
        change: WrappingChange<'_>,
        providers: &Providers,
    ) -> Result<WrappingsChanged, WrappingError> {
        HeaderEdit::begin(storage, &Expected::any())?.change_wrappings(change, providers).await
    }
}

impl<S: Storage + ?Sized> HeaderEdit<'_, S> {
    /// Changes the wrappings of the root key, and writes the header; see [`Volume::change_wrappings`]. Where the change
    /// brings the plaintext of the root key here, the header is authenticated with it first.
    ///
    /// # Errors
    /// [`WrappingError`].
    pub async fn change_wrappings(
        mut self,
        change: WrappingChange<'_>,
        providers: &Providers,
    ) -> Result<WrappingsChanged, WrappingError> {
        // What rules the change out is found before a key service is asked.
        self.header().data_segment()?;
        let own = self.header().own_token()?;
        let old = &own.envelope;
        let mut keys = None;
        if own.token.covers_wrappings() {
            // The code has to be made anew.
            let opened = old.open(&providers.without_cache()).await.map_err(EnvelopeChangeError::from)?;
            self.header().authenticate(&own, &opened).map_err(|error| match error {
                OpenError::WrongKeys(error) => WrappingError::from(error),
                _ => super::error::Forged.into(),
            })?;
            keys = Some(opened);
        }
        let rewrapped = match change {
            WrappingChange::Rewrap { slot, provider, key } => {
                old.rewrap(slot, provider, key, providers).await?
            }
            WrappingChange::Renew { slot } => old.renew(slot, providers).await?,
            WrappingChange::Add { provider, key } => old.add_slot(provider, key, providers).await?,
            WrappingChange::Remove { slot } => Rewrapped { envelope: old.remove_slot(slot)?, keys: None },
        };
        let new = rewrapped.envelope;
        let keys = rewrapped.keys.or(keys);
        let old = old.clone();
        match &keys {
            Some(keys) => self.header_mut().replace_envelope(&own, &new, keys)?,
            None => self.header_mut().replace_wrappings(own, &new)?,
        }
        let (header, warnings) = self.commit()?;
        Ok(WrappingsChanged { header, old, new, warnings, verified: keys.is_some() })
    }
}
