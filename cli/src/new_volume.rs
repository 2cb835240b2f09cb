//! What every command that makes a volume is told, and how it goes about it.

use std::path::{Path, PathBuf};

use atrest::keys::{Envelope, KeyRef, VolumeKeys};
use atrest::volume::{CreateOptions, Header};
use clap::{Args, CommandFactory as _, error::ErrorKind};

use crate::backends::warn_of_wrong_ones;
use crate::failure::{Failure, say, show};
use crate::output::{Access, Output};
use crate::{Cli, providers, scratch, trust};

#[derive(Args)]
pub struct NewVolume {
    /// The volume to create: a file or a block device
    volume: PathBuf,
    /// The key that wraps the volume's key, for example local:NAME [default: the one that `atrest key default`
    /// shows]
    #[arg(long, value_parser = providers::key)]
    key: Option<KeyRef>,
    /// Make a volume that `atrest destroy` can destroy, with all its copies: its key is held only by the local
    /// keystore, wraps nothing else, and is the only one the volume ever has
    #[arg(long)]
    scratch: bool,
    /// The encryption sector size: 512, 1024, 2048 or 4096
    #[arg(long, value_name = "BYTES", default_value_t = 4096)]
    sector_size: usize,
    /// Replace an existing file, or overwrite a block device
    #[arg(long)]
    force: bool,
}

/// A volume that was made.
pub struct Made {
    /// What the user is told.
    pub line: String,
    /// Its header.
    pub header: Header,
}

impl Made {
    /// It is at this path now: it is remembered, and its pin is told, which later opens take.
    pub fn tell(&self, path: &Path, key: &str) {
        trust::made(path, &self.header);
        say(&format!("{}, key {key}", self.line));
        if let Ok(Some(pin)) = self.header.pin() {
            say(&format!("pin, for --expect: {pin}"));
        }
    }
}

impl NewVolume {
    /// The volume's name, for messages.
    pub fn name(&self) -> String {
        show(&self.volume)
    }

    /// The options for a volume of `size` bytes. Refuses what no volume can be, before anything is made for it.
    pub fn options(&self, size: u64) -> Result<CreateOptions, Failure> {
        if let (true, Some(key)) = (self.scratch, &self.key) {
            let why = format!(
                "a scratch volume has a key of its own in the local keystore, and cannot be wrapped by {key}: drop either --key \
                 or --scratch"
            );
            Cli::command().error(ErrorKind::ArgumentConflict, why).exit();
        }
        let options = CreateOptions::new(size).sector_size(self.sector_size);
        options.check().map_err(|error| Failure::volume("cannot create the volume", self.name(), error))?;
        Ok(options)
    }

    /// Begins the volume's file.
    pub fn output(&self) -> Result<Output, Failure> {
        Output::create(&self.volume, self.force, Access::Umask)
    }

    /// Makes the volume's keys, has `make` make the volume, and tells the user what it says, and which key it is.
    pub fn make(
        &self,
        make: impl FnOnce(Envelope, &VolumeKeys, &dyn Fn()) -> Result<Made, Failure>,
    ) -> Result<(), Failure> {
        warn_of_wrong_ones();
        if self.scratch {
            return scratch::make(&self.volume, make);
        }
        let key = match &self.key {
            Some(key) => key.clone(),
            None => providers::default_key()?,
        };
        let (new, notice) = providers::new_keys(&key);
        // A key that was made for this stays, whatever becomes of the volume.
        match (new.and_then(|(envelope, keys)| make(envelope, &keys, &|| ())), notice) {
            (Ok(made), notice) => {
                if let Some(notice) = notice {
                    say(&notice);
                }
                made.tell(&self.volume, &key.to_string());
                Ok(())
            }
            (Err(failure), Some(notice)) => Err(failure.and(&notice)),
            (Err(failure), None) => Err(failure),
        }
    }
}
