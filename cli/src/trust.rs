//! Which volume it is: what the user says about that, and what this command remembers, held against a header that anybody
//! who writes the disk may have written.

use std::fs;
use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use atrest::keys::{Envelope, Expect, Pin, Providers};
use atrest::text::printable;
use atrest::volume::Header;
use clap::Args;

use crate::failure::{Failure, say, show};
use crate::memory::{Known, Memory, stable_name};
use crate::opening::wrapped_by;

/// What the user says about the volume.
#[derive(Args, Default)]
#[command(next_help_heading = "Which volume it must be")]
pub struct Trust {
    /// What the volume must be: the pin that `create` and `encrypt` print, or words such as account=ACCOUNT region=REGION
    /// key=KEY provider=NAME volume=UUID, which say whose it is and not which, so that they do for reading; "any" beside
    /// them, or alone, for any volume. May be given several times
    #[arg(long, value_name = "PIN")]
    expect: Vec<String>,
    /// A file with such pins or words
    #[arg(long, value_name = "FILE")]
    expect_file: Vec<PathBuf>,
    /// Accept the volume as it is now, whatever was known of it
    #[arg(long)]
    accept: bool,
    /// Refuse a header that is older than the last one that was seen, instead of warning of it
    #[arg(long)]
    no_rollback: bool,
}

/// What is done with a volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// It is opened, and read.
    Read,
    /// It is written, or its header is changed.
    Change,
    /// An older header is put back on purpose, or the volume destroyed: it need not be the newest one.
    Replace,
}

/// A volume that may be opened, if its keys say so, too.
pub struct Checked {
    /// What its header and its keys are held against.
    pub expect: Expect,
    pin: Option<Pin>,
    generation: u64,
    known: Option<Known>,
    accepted: bool,
    name: Option<String>,
    memory: Option<Memory>,
}

impl Trust {
    /// What the user expects; `None` where nothing was said.
    pub fn expected(&self) -> Result<Option<Expect>, Failure> {
        if self.expect.is_empty() && self.expect_file.is_empty() {
            return Ok(None);
        }
        let mut text = self.expect.join("\n");
        for path in &self.expect_file {
            let read = fs::read_to_string(path);
            text.push('\n');
            text +=
                &read.map_err(|error| Failure::io("cannot read the expectation in", show(path), &error))?;
        }
        text.parse().map(Some).map_err(|error| Failure::new(format!("cannot use what is expected: {error}")))
    }

    /// Holds a header, which is not authenticated yet, against what the user says and what is known. `action` is how a
    /// failure begins.
    pub fn check(
        &self,
        action: &str,
        path: &Path,
        header: &Header,
        purpose: Purpose,
    ) -> Result<Checked, Failure> {
        let refused = |why: String| Failure::new(format!("{action} {}: {why}", show(path)));
        let given = self.expected()?;
        let memory = Memory::of_user();
        let name = stable_name(path);
        let pin = header.pin().ok().flatten();
        let generation = header.token().ok().flatten().map_or(0, |token| token.generation());
        let vouched = given.as_ref().is_some_and(Expect::vouches);
        let expect = given.clone().unwrap_or(Expect::any());
        let mut checked = Checked { expect, pin, generation, known: None, accepted: true, name, memory };
        // A volume of another tool has no identity that could be known.
        let (Some(pin), Some(memory)) = (pin, &checked.memory) else {
            if let (Some(pin), false, Purpose::Change, false) = (pin, vouched, purpose, self.accept) {
                checked.accepted = ask(&refused, &pin, header, None)?;
            }
            return Ok(checked);
        };
        let uuid = pin.volume();
        checked.known = memory.volume(uuid)?;
        if self.accept {
            return Ok(checked);
        }
        // Whoever names the root key knows better which one it is; but no pin says how old the header may be.
        let named = given.as_ref().is_some_and(Expect::names_root_key);
        if let Some(known) =
            checked.known.as_ref().filter(|known| !named || known.pin.commitment() == pin.commitment())
        {
            if known.pin.commitment() != pin.commitment() {
                return Err(refused(format!(
                    "volume {uuid} had another root key when it was last used (under {}): somebody exchanged its header, or \
                     the volume was made anew; --accept accepts the one that is there now",
                    known.keys.join(" or ")
                )));
            }
            if pin.token_version() < known.pin.token_version() {
                return Err(refused(format!(
                    "the header of volume {uuid} has a token of version {}, and had version {} when it was last used: somebody \
                     put an old header back; --accept accepts it",
                    pin.token_version(),
                    known.pin.token_version()
                )));
            }
            if generation < known.generation && purpose != Purpose::Replace {
                let why = format!(
                    "the header of volume {uuid} is older than the last one that was seen (generation {generation}, not {}): \
                     keys that were removed since may open it",
                    known.generation
                );
                if self.no_rollback {
                    return Err(refused(format!("{why}; --accept accepts it")));
                }
                say(&format!("atrest: warning: {}: {why}", show(path)));
            }
            if !named {
                checked.expect = checked.expect.and_pin(known.pin);
            }
        }
        if named {
            return Ok(checked);
        }
        let name = checked.name.as_ref().filter(|_| purpose != Purpose::Replace);
        let before = name.map(|name| memory.at(name)).transpose()?.flatten();
        if let Some(before) = before.filter(|before| *before != uuid) {
            let stranger = if checked.known.is_some() { "another known volume" } else { "an unknown volume" };
            let why = format!(
                "volume {before} was there when it was last used, and now it is {stranger}, {uuid}, under {}: somebody \
                 exchanged the header or the file",
                wrapped_by_of(header)
            );
            if checked.known.is_none() || purpose == Purpose::Change {
                return Err(refused(format!("{why}; --accept accepts the one that is there now")));
            }
            say(&format!("atrest: warning: {}: {why}; --accept accepts it", show(path)));
            // A warning is no acceptance: the name stays that of the other one.
            checked.name = None;
        }
        let was_accepted = checked.known.as_ref().is_some_and(|known| known.accepted);
        checked.accepted = match purpose {
            Purpose::Read | Purpose::Replace => was_accepted,
            Purpose::Change if was_accepted || vouched => true,
            Purpose::Change => ask(&refused, &pin, header, Some(memory))?,
        };
        Ok(checked)
    }
}

impl Checked {
    /// The volume has opened: it is the one that it says, and is remembered. A volume that was not known is told about in
    /// one line.
    pub fn opened(&self, path: &Path, key: &str, envelope: &Envelope, slot: usize, providers: &Providers) {
        let Some(pin) = self.pin else { return };
        if self.known.is_none() && self.memory.is_some() && !self.expect.is_limited() {
            let slot = &envelope.slots()[slot];
            let location = providers.get(&slot.provider).map(|provider| provider.location(&slot.key));
            let account = location.and_then(|location| location.account);
            let account = account.map(|account| format!(" of account {account}")).unwrap_or_default();
            let volume = pin.volume();
            say(&format!(
                "atrest: {}: volume {volume} was not known here; it opened with {key}{account}",
                show(path)
            ));
        }
        self.remember(pin, self.generation, envelope);
    }

    /// Whether the volume was known before, and is as it was known.
    pub fn is_known(&self) -> bool {
        self.known.is_some()
    }

    /// The destruction of the volume begins, by a key that is there.
    pub fn destroying(&self) {
        if let (Some(memory), Some(known)) = (&self.memory, &self.known) {
            let known = Known { destroying: true, ..known.clone() };
            let _ = memory.remember(known, self.name.as_deref());
        }
    }

    /// Whether the destruction of this very volume was begun at this very name: then it is known which one it is, although
    /// no key opens it.
    pub fn was_being_destroyed(&self) -> bool {
        let (Some(pin), Some(known), Some(memory), Some(name)) =
            (&self.pin, &self.known, &self.memory, &self.name)
        else {
            return false;
        };
        known.destroying
            && known.pin.commitment() == pin.commitment()
            && matches!(memory.at(name), Ok(Some(uuid)) if uuid == pin.volume())
    }

    /// The volume is destroyed.
    pub fn forget(&self) {
        if let (Some(memory), Some(pin)) = (&self.memory, &self.pin) {
            let _ = memory.forget(pin.volume());
        }
    }

    /// A backup was restored, in which nothing is authenticated: so much is believed of it that it is older.
    pub fn restored(&self, header: &Header) {
        let (Some(memory), Some(known), Ok(Some(pin))) = (&self.memory, &self.known, header.pin()) else {
            return;
        };
        if pin.commitment() == known.pin.commitment() {
            let generation = header.token().ok().flatten().map_or(0, |token| token.generation());
            let known = Known { generation: generation.min(known.generation), ..known.clone() };
            let _ = memory.remember(known, self.name.as_deref());
        }
    }

    /// The header was changed, and is this one now.
    pub fn changed(&self, header: &Header) {
        let (Ok(Some(pin)), Ok(Some(envelope))) = (header.pin(), header.envelope()) else { return };
        let generation = header.token().ok().flatten().map_or(0, |token| token.generation());
        self.remember(pin, generation, &envelope);
    }

    fn remember(&self, pin: Pin, generation: u64, envelope: &Envelope) {
        let Some(memory) = &self.memory else { return };
        remember(memory, self.name.as_deref(), self.accepted, pin, generation, envelope);
    }
}

/// Remembers a volume that was made, which is at `path` now.
pub fn made(path: &Path, header: &Header) {
    let (Some(memory), Ok(Some(pin)), Ok(Some(envelope))) =
        (Memory::of_user(), header.pin(), header.envelope())
    else {
        return;
    };
    let generation = header.token().ok().flatten().map_or(0, |token| token.generation());
    remember(&memory, stable_name(path).as_deref(), true, pin, generation, &envelope);
}

/// A memory that cannot be written is none.
fn remember(
    memory: &Memory,
    name: Option<&str>,
    accepted: bool,
    pin: Pin,
    generation: u64,
    envelope: &Envelope,
) {
    let keys = envelope.slots().iter().map(crate::wrappings::named).collect();
    let known = Known { pin, generation, keys, names: Vec::new(), accepted, destroying: false, used: 0 };
    let _ = memory.remember(known, name);
}

/// Asks on the terminal whether a volume that nothing vouches for may be written.
fn ask(
    refused: &dyn Fn(String) -> Failure,
    pin: &Pin,
    header: &Header,
    memory: Option<&Memory>,
) -> Result<bool, Failure> {
    let place = memory.map_or("no place for a memory".to_owned(), |memory| show(memory.path()));
    let who = format!("volume {} under {} is not known here ({place})", pin.volume(), wrapped_by_of(header));
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(refused(format!(
            "{who}, so that whoever wrote its header may read what is written next: say which it must be with --expect PIN, or \
             accept this one with --accept"
        )));
    }
    let _ = write!(io::stderr(), "{}", printable(&format!("{who}. Change it? [y/N] ")));
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    match read {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(true),
        _ => Err(refused(format!("{who}, and was not accepted"))),
    }
}

fn wrapped_by_of(header: &Header) -> String {
    match header.envelope() {
        Ok(Some(envelope)) => wrapped_by(&envelope),
        _ => "no key of a key service".to_owned(),
    }
}
