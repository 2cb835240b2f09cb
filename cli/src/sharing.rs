//! Volumes that several have open for writing, who coordinate above.

use atrest::storage::{Shared, Storage};
use clap::Args;

#[derive(Args)]
pub struct Sharing {
    /// Do it even while others have the volume open for writing, if they said that it is shared, too: for those who
    /// coordinate writers above, as cluster file systems and live migrations do
    #[arg(long)]
    pub shared: bool,
}

impl Sharing {
    /// The storage with what it claims.
    pub fn of<'a>(&self, storage: impl Storage + 'a) -> Box<dyn Storage + 'a> {
        if self.shared { Box::new(Shared(storage)) } else { Box::new(storage) }
    }
}
