//! What a caller expects of a volume: which one it is, and whose keys open it. A header comes from a disk that somebody else
//! may have written, so that nothing in it decides this.

use core::{fmt, str::FromStr};
use std::collections::BTreeSet;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use subtle::ConstantTimeEq as _;

use super::keyref::excerpt;
use super::unexpected::Unexpected;
use super::{KeyRef, Providers, Uuid, WrappedKey};
use crate::Code;

/// One volume as its maker saw it, in a line that a unit file or fstab can hold: UUID, key commitment, and the least version
/// of the token in its header.
///
/// The commitment is a hash of the volume's root key. Whoever opens a volume under its pin has the very key that the maker of
/// the pin had: no other volume satisfies it, not even one under the same key-encryption key. A pin is no secret.
///
/// ```
/// use atrest::keys::Pin;
///
/// let text = "6f1f6d9e-56a1-4e0a-9f1c-0c5a2f2b7c11:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8:3";
/// let pin: Pin = text.parse()?;
/// assert_eq!(pin.token_version(), 3);
/// assert_eq!(pin.to_string(), text);
/// # Ok::<(), atrest::keys::ExpectError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Pin {
    volume: Uuid,
    commitment: [u8; 32],
    token_version: u32,
}

impl Pin {
    /// The pin of a volume with this [key commitment](super::VolumeKeys::commitment), for tokens of this version and later
    /// ones. Take them of an envelope that was just created, or that has opened: before, nothing in it is authenticated.
    #[must_use]
    pub const fn new(volume: Uuid, commitment: [u8; 32], token_version: u32) -> Pin {
        Pin { volume, commitment, token_version }
    }

    /// The volume.
    #[must_use]
    pub fn volume(&self) -> Uuid {
        self.volume
    }

    /// The [key commitment](super::VolumeKeys::commitment).
    #[must_use]
    pub fn commitment(&self) -> &[u8; 32] {
        &self.commitment
    }

    /// The least version of the token in the volume's header.
    #[must_use]
    pub fn token_version(&self) -> u32 {
        self.token_version
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let commitment = Base64UrlUnpadded::encode_string(&self.commitment);
        write!(f, "{}:{commitment}:{}", self.volume, self.token_version)
    }
}

impl FromStr for Pin {
    type Err = ExpectError;

    /// Reads what [`Display`](fmt::Display) writes, and nothing else.
    fn from_str(text: &str) -> Result<Pin, ExpectError> {
        let parse = || {
            let (volume, rest) = text.split_once(':')?;
            let (commitment, token_version) = rest.split_once(':')?;
            let mut bytes = [0; 32];
            let decoded = Base64UrlUnpadded::decode(commitment, &mut bytes).ok()?.len();
            let pin = Pin {
                volume: Uuid::try_parse(volume).ok()?,
                commitment: bytes,
                token_version: token_version.parse().ok()?,
            };
            (decoded == bytes.len() && pin.to_string() == text).then_some(pin)
        };
        parse().ok_or_else(|| ExpectError::Pin(excerpt(text)))
    }
}

/// Why a text is no [`Pin`], or says nothing that can be [expected](Expect).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExpectError {
    /// Neither a pin nor a word that is known.
    #[error(
        "{0:?} is no expectation: a pin is UUID:COMMITMENT:VERSION, 82 characters or a few more; the other words are \
         volume=UUID, key=KEY, account=ACCOUNT, region=REGION, provider=NAME, slot=NUMBER and any"
    )]
    Pin(String),
    /// What is behind the equals sign is none.
    #[error("{0:?} is no expectation: {1}")]
    Value(String, &'static str),
    /// No word at all, or the choice of a slot alone: that would allow anything, and must be said.
    #[error("the expectation is empty: write \"any\" to allow any volume and any key")]
    Empty,
}

impl ExpectError {
    /// What programs call it: [`Code::Expectation`].
    #[must_use]
    pub const fn code(&self) -> Code {
        Code::Expectation
    }
}

/// What a volume must be for it to be opened or changed: [pins](Pin), UUIDs, keys, accounts, regions and providers. Each
/// field that is set must hold; of several values of one field any does; a field that is not set allows anything.
///
/// The volume is checked before any key service is asked, and only wrappings that are allowed are tried: the key that is
/// expected is the one that opens. A header cannot choose its own key.
///
/// ```
/// use atrest::keys::Expect;
///
/// // Of a text, as a settings file holds it.
/// let expect: Expect = "account=111122223333 region=eu-west-1 region=eu-central-1".parse()?;
/// assert!(expect.is_limited());
/// # Ok::<(), atrest::keys::ExpectError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expect {
    pins: Vec<Pin>,
    volumes: BTreeSet<Uuid>,
    keys: Vec<KeyRef>,
    accounts: BTreeSet<String>,
    regions: BTreeSet<String>,
    providers: BTreeSet<String>,
    slot: Option<usize>,
    /// Whether "any" was said.
    any: bool,
}

impl Expect {
    /// Any volume, under any key that the providers open. Who can write the disk then decides by whose key the volume opens,
    /// and so who can read what is written next.
    #[must_use]
    pub const fn any() -> Expect {
        Expect::nothing(true)
    }

    const fn nothing(any: bool) -> Expect {
        Expect {
            pins: Vec::new(),
            volumes: BTreeSet::new(),
            keys: Vec::new(),
            accounts: BTreeSet::new(),
            regions: BTreeSet::new(),
            providers: BTreeSet::new(),
            slot: None,
            any,
        }
    }

    /// The one volume with this pin.
    #[must_use]
    pub fn pin(pin: Pin) -> Expect {
        Expect::nothing(false).and_pin(pin)
    }

    /// The volume with this UUID. Under which key it lies is not said: other volumes may claim the same UUID.
    #[must_use]
    pub fn volume(volume: Uuid) -> Expect {
        Expect::nothing(false).and_volume(volume)
    }

    /// A volume under this key; see [`and_key`](Expect::and_key). Which one is not said: whoever can put the header of another
    /// volume under the same key in its place, of one whose content it may read, would read what is written next.
    /// [`vouches`](Expect::vouches) tells.
    #[must_use]
    pub fn key(key: KeyRef) -> Expect {
        Expect::nothing(false).and_key(key)
    }

    /// A pin, beside those that there are.
    #[must_use]
    pub fn and_pin(mut self, pin: Pin) -> Expect {
        self.pins.push(pin);
        self
    }

    /// A UUID, beside those that there are.
    #[must_use]
    pub fn and_volume(mut self, volume: Uuid) -> Expect {
        self.volumes.insert(volume);
        self
    }

    /// A key, beside those that there are: by the lasting name that envelopes have, or another one that
    /// [its provider](super::KeyProvider::is_key) takes for the same. An alias is none: whoever may move it would decide.
    #[must_use]
    pub fn and_key(mut self, key: KeyRef) -> Expect {
        self.keys.push(key);
        self
    }

    /// An account of a key service, beside those that there are: keys in [others](super::KeyProvider::location), and those
    /// in none, are not asked.
    #[must_use]
    pub fn and_account(mut self, account: impl Into<String>) -> Expect {
        self.accounts.insert(account.into());
        self
    }

    /// A region of a key service, beside those that there are; as for accounts.
    #[must_use]
    pub fn and_region(mut self, region: impl Into<String>) -> Expect {
        self.regions.insert(region.into());
        self
    }

    /// The name of a provider, for example `local`, beside those that there are.
    #[must_use]
    pub fn and_provider(mut self, provider: impl Into<String>) -> Expect {
        self.providers.insert(provider.into());
        self
    }

    /// This slot alone, counted from 0: others are not tried.
    #[must_use]
    pub const fn only_slot(mut self, slot: usize) -> Expect {
        self.slot = Some(slot);
        self
    }

    /// Whether anything is expected; a [slot](Expect::only_slot) is a choice, and no expectation.
    #[must_use]
    pub fn is_limited(&self) -> bool {
        let Expect { pins, volumes, keys, accounts, regions, providers, slot: _, any: _ } = self;
        !(pins.is_empty()
            && volumes.is_empty()
            && keys.is_empty()
            && accounts.is_empty()
            && regions.is_empty()
            && providers.is_empty())
    }

    /// Whether it names the root key, by pins: then no header of another key passes, whether it is authenticated or not.
    #[must_use]
    pub fn names_root_key(&self) -> bool {
        !self.pins.is_empty()
    }

    /// Whether a volume may be written on the strength of it: it [names the root key](Expect::names_root_key), or any volume
    /// [was said](Expect::any) to do. Keys, accounts and a UUID do not: the header of another volume under the same key
    /// satisfies them, and so does one that somebody made who may only encrypt under that key.
    #[must_use]
    pub fn vouches(&self) -> bool {
        self.names_root_key() || self.any
    }

    /// The pins.
    #[must_use]
    pub fn pins(&self) -> &[Pin] {
        &self.pins
    }

    /// Checks which volume it is, by what an envelope says of its UUID and key commitment, and which version the token
    /// around it has; `None` for an envelope that is kept by itself.
    ///
    /// # Errors
    /// [`Unexpected`].
    pub fn check(
        &self,
        volume: Uuid,
        commitment: &[u8; 32],
        token_version: Option<u32>,
    ) -> Result<(), Unexpected> {
        if !self.volumes.is_empty() && !self.volumes.contains(&volume) {
            return Err(Unexpected::Volume { volume, expected: list(&self.volumes) });
        }
        if self.pins.is_empty() {
            return Ok(());
        }
        let mut pins: Vec<&Pin> = self.pins.iter().filter(|pin| pin.volume == volume).collect();
        if pins.is_empty() {
            let expected = list(&self.pins.iter().map(|pin| pin.volume).collect());
            return Err(Unexpected::Volume { volume, expected });
        }
        pins.retain(|pin| bool::from(pin.commitment.ct_eq(commitment)));
        if pins.is_empty() {
            return Err(Unexpected::RootKey { volume });
        }
        let least = pins.iter().map(|pin| pin.token_version).min().unwrap_or(0);
        match token_version {
            Some(found) if found < least => Err(Unexpected::TokenVersion { volume, found, least }),
            _ => Ok(()),
        }
    }

    /// Checks a volume that has no envelope, because another tool made it.
    ///
    /// # Errors
    /// [`Unexpected::Foreign`], if anything is expected but the UUID.
    pub fn check_foreign(&self, volume: Uuid) -> Result<(), Unexpected> {
        if !self.volumes.is_empty() && !self.volumes.contains(&volume) {
            return Err(Unexpected::Volume { volume, expected: list(&self.volumes) });
        }
        let by_volume = Expect { volumes: BTreeSet::new(), ..self.clone() };
        if by_volume.is_limited() { Err(Unexpected::Foreign { volume }) } else { Ok(()) }
    }

    /// Which slots of a volume's envelope may be tried, in their order.
    ///
    /// # Errors
    /// [`Unexpected::Keys`] where there is none; [`Unexpected::Slot`].
    pub fn slots(
        &self,
        volume: Uuid,
        slots: &[WrappedKey],
        providers: &Providers,
    ) -> Result<Vec<usize>, Unexpected> {
        if let Some(slot) = self.slot.filter(|slot| *slot >= slots.len()) {
            return Err(Unexpected::Slot { volume, slot, slots: slots.len() });
        }
        let numbers = 0..slots.len();
        let allowed: Vec<usize> = numbers
            .filter(|i| self.slot.is_none_or(|only| only == *i) && self.takes(&slots[*i], providers))
            .collect();
        if allowed.is_empty() {
            let found = slots.iter().enumerate().filter(|(i, _)| self.slot.is_none_or(|only| only == *i));
            let found = found.map(|(_, slot)| format!("{}:{}", slot.provider, slot.key)).collect::<Vec<_>>();
            let (found, expected) = (found.join(" or "), self.of_keys());
            return Err(Unexpected::Keys { volume, found, expected });
        }
        Ok(allowed)
    }

    /// Whether a key of this wrapping is an expected one.
    fn takes(&self, slot: &WrappedKey, providers: &Providers) -> bool {
        let provider = providers.get(&slot.provider);
        let location = provider.map(|provider| provider.location(&slot.key)).unwrap_or_default();
        let of = |allowed: &BTreeSet<String>, found: Option<&str>| {
            allowed.is_empty() || found.is_some_and(|found| allowed.contains(found))
        };
        let is_key = |key: &KeyRef| match (key.of(&slot.provider), provider) {
            (Some(name), Some(provider)) => provider.is_key(name, &slot.key),
            (Some(name), None) => name == slot.key,
            (None, _) => false,
        };
        of(&self.providers, Some(&slot.provider))
            && of(&self.accounts, location.account.as_deref())
            && of(&self.regions, location.region.as_deref())
            && (self.keys.is_empty() || self.keys.iter().any(is_key))
    }

    /// What is expected of keys, for an error.
    fn of_keys(&self) -> String {
        let Expect { keys, accounts, regions, providers, .. } = self;
        let keys: BTreeSet<String> = keys.iter().map(|key| format!("key {key}")).collect();
        let named = |name: &str, values: &BTreeSet<String>| {
            values.iter().map(|value| format!("{name} {value}")).collect::<BTreeSet<String>>()
        };
        let fields =
            [keys, named("account", accounts), named("region", regions), named("provider", providers)];
        let fields = fields.iter().filter(|field| !field.is_empty()).map(list);
        fields.collect::<Vec<_>>().join(", and ")
    }
}

impl FromStr for Expect {
    type Err = ExpectError;

    /// Reads words, apart by white space, and comments from `#` to the end of a line: pins, `volume=UUID`, `key=KEY`,
    /// `account=ACCOUNT`, `region=REGION`, `provider=NAME`; and `any`, in place of pins: any volume, of those that the other
    /// words allow. `slot=NUMBER` may stand beside them, at most once, and expects nothing by itself.
    fn from_str(text: &str) -> Result<Expect, ExpectError> {
        let lines = text.lines().map(|line| line.split_once('#').map_or(line, |(line, _)| line));
        let words: Vec<&str> = lines.flat_map(str::split_whitespace).collect();
        let expect = words.into_iter().try_fold(Expect::nothing(false), |expect, word| {
            let wrong = |rule| ExpectError::Value(excerpt(word), rule);
            let Some((field, value)) = word.split_once('=') else {
                return Ok(match word {
                    "any" => Expect { any: true, ..expect },
                    pin => expect.and_pin(pin.parse()?),
                });
            };
            if value.is_empty() {
                return Err(wrong("nothing stands behind the equals sign"));
            }
            Ok(match field {
                "volume" => expect.and_volume(Uuid::try_parse(value).map_err(|_| wrong("that is no UUID"))?),
                "key" => expect.and_key(value.parse().map_err(|_| wrong("a key is SCHEME:KEY"))?),
                "account" => expect.and_account(value),
                "region" => expect.and_region(value),
                "provider" => expect.and_provider(value),
                "slot" if expect.slot.is_some() => return Err(wrong("one slot is chosen already")),
                "slot" => expect.only_slot(value.parse().map_err(|_| wrong("that is no number of a slot"))?),
                _ => return Err(ExpectError::Pin(excerpt(word))),
            })
        })?;
        match (expect.any, expect.names_root_key(), expect.is_limited()) {
            (true, true, _) => Err(ExpectError::Value("any".to_owned(), "it stands in place of pins")),
            (false, _, false) => Err(ExpectError::Empty),
            _ => Ok(expect),
        }
    }
}

/// Values one of which is meant.
fn list<T: ToString>(values: &BTreeSet<T>) -> String {
    values.iter().map(T::to_string).collect::<Vec<_>>().join(" or ")
}
