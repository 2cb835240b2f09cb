//! Which key providers a program has: each brings its scheme, the grammar of its keys' names, and a constructor.

use super::{
    Envelope, ErrorClass, KeyProvider, KeyRef, KeyRefError, ProviderError, Providers,
    keyref::{excerpt, is_scheme},
};
use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

type Check = Box<dyn Fn(&str) -> Result<(), String> + Send + Sync>;
type Connect = Box<dyn Fn() -> Result<Arc<dyn KeyProvider>, ProviderError> + Send + Sync>;

/// What a key provider enters into a [`Registry`]: the scheme of its keys, what their names look like, and how the
/// provider is made.
///
/// ```
/// use atrest::keys::{LocalKeystore, Scheme};
///
/// let scheme = Scheme::new("site", || LocalKeystore::open("/srv/keys"))
///     .forms(&["NAME"])
///     .about("a key of this site's keystore")
///     .names(|key| match key.contains('/') {
///         true => Err("it has no slash".to_owned()),
///         false => Ok(()),
///     });
/// assert_eq!(scheme.usage(), "site:NAME");
/// ```
pub struct Scheme {
    name: &'static str,
    forms: &'static [&'static str],
    about: &'static str,
    check: Check,
    connect: Connect,
}

impl Scheme {
    /// The scheme `name`, whose provider `connect` makes. The provider has the same [name](KeyProvider::name).
    ///
    /// `connect` is called at most once for each [`Registry`] that it succeeds for, when the provider is first needed. It
    /// takes addresses, accounts, programs and credentials from the settings of the host alone (the environment,
    /// files of settings): nobody passes it anything, so nothing that a volume's header says can lead it elsewhere.
    ///
    /// # Panics
    /// Unless `name` is 1 to 32 of `a-z`, `0-9` and `-`.
    pub fn new<P: KeyProvider + 'static>(
        name: &'static str,
        connect: impl Fn() -> Result<P, ProviderError> + Send + Sync + 'static,
    ) -> Scheme {
        assert!(is_scheme(name), "{name:?} is no scheme: 1 to 32 of a-z, 0-9 and -");
        let connect: Connect = Box::new(move || Ok(Arc::new(connect()?)));
        Scheme { name, forms: &["KEY"], about: "", check: Box::new(|_| Ok(())), connect }
    }

    /// What stands behind the colon, for help and errors: each form that a key's name can have, the one that users
    /// should take in front. `KEY` if nothing is said.
    ///
    /// # Panics
    /// Without any form.
    #[must_use]
    pub fn forms(mut self, forms: &'static [&'static str]) -> Scheme {
        assert!(!forms.is_empty(), "a key's name has some form");
        self.forms = forms;
        self
    }

    /// What such a key is, and where its settings come from, in one line for help: `a key of AWS KMS`.
    #[must_use]
    pub fn about(mut self, about: &'static str) -> Scheme {
        self.about = about;
        self
    }

    /// The grammar of key names. `check` refuses what no key of this scheme can be called, and says what they are called
    /// (`use 1 to 64 of A-Z a-z 0-9`). It asks nobody: whether there is a key of that name is for the provider to tell.
    #[must_use]
    pub fn names(mut self, check: impl Fn(&str) -> Result<(), String> + Send + Sync + 'static) -> Scheme {
        self.check = Box::new(check);
        self
    }

    /// The same scheme with another constructor, for a program that sets the provider up in its own way.
    #[must_use]
    pub fn connecting<P: KeyProvider + 'static>(
        mut self,
        connect: impl Fn() -> Result<P, ProviderError> + Send + Sync + 'static,
    ) -> Scheme {
        self.connect = Box::new(move || Ok(Arc::new(connect()?)));
        self
    }

    /// The scheme itself, which is the provider's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What its keys are, in one line; empty if nothing was said.
    #[must_use]
    pub fn description(&self) -> &'static str {
        self.about
    }

    /// How users write its keys: `aws:ARN, aws:ID or aws:alias/NAME`.
    #[must_use]
    pub fn usage(&self) -> String {
        list(self.forms.iter().map(|form| format!("{}:{form}", self.name)))
    }

    /// How users should write one: `aws:ARN`.
    #[must_use]
    pub fn example(&self) -> String {
        format!("{}:{}", self.name, self.forms[0])
    }

    /// Checks the name of a key against the scheme's grammar.
    ///
    /// # Errors
    /// [`KeyRefError::Name`].
    pub fn check(&self, key: &str) -> Result<(), KeyRefError> {
        (self.check)(key).map_err(|rule| KeyRefError::Name {
            scheme: self.name.to_owned(),
            key: excerpt(key),
            rule,
        })
    }

    fn connect(&self) -> Result<Arc<dyn KeyProvider>, ProviderError> {
        let provider = (self.connect)()?;
        if provider.name() == self.name {
            return Ok(provider);
        }
        let (scheme, name) = (self.name, provider.name());
        Err(ProviderError::new(
            ErrorClass::Malformed,
            format!("the key provider for {scheme}: calls itself {name}, which is a defect of it"),
        ))
    }
}

impl fmt::Debug for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Scheme").field(&self.usage()).finish()
    }
}

/// The key providers that a program is built with. Each is made when it is first needed, and once.
///
/// ```
/// use atrest::keys::{LocalKeystore, Registry};
///
/// let registry = Registry::new().with(LocalKeystore::scheme());
/// assert_eq!(registry.parse("local:default")?.key(), "default");
/// assert_eq!(
///     registry.parse("local:../x").unwrap_err().to_string(),
///     "\"../x\" is no name for a local key: use 1 to 64 of A-Z a-z 0-9 . _ - and no dot in front",
/// );
/// assert_eq!(
///     registry.parse("other:x").unwrap_err().to_string(),
///     "\"other:x\" names no key here: there is no provider for \"other\"; write local:NAME",
/// );
/// # Ok::<(), atrest::keys::KeyRefError>(())
/// ```
#[derive(Default)]
pub struct Registry {
    entries: Vec<Entry>,
}

struct Entry {
    scheme: Scheme,
    provider: Mutex<Option<Arc<dyn KeyProvider>>>,
}

impl Registry {
    /// A registry without any provider.
    #[must_use]
    pub const fn new() -> Registry {
        Registry { entries: Vec::new() }
    }

    /// Enters a provider; one that was there for the same scheme is replaced.
    #[must_use]
    pub fn with(mut self, scheme: Scheme) -> Registry {
        let place = self.entries.iter().position(|entry| entry.scheme.name == scheme.name);
        let entry = Entry { scheme, provider: Mutex::new(None) };
        match place {
            Some(i) => self.entries[i] = entry,
            None => self.entries.push(entry),
        }
        self
    }

    /// The schemes, in the order in which they were entered.
    #[must_use]
    pub fn schemes(&self) -> impl ExactSizeIterator<Item = &Scheme> {
        self.entries.iter().map(|entry| &entry.scheme)
    }

    /// The scheme of that name.
    #[must_use]
    pub fn scheme(&self, name: &str) -> Option<&Scheme> {
        self.schemes().find(|scheme| scheme.name == name)
    }

    /// How users write keys, with one form for each scheme: `local:NAME or aws:ARN`.
    #[must_use]
    pub fn usage(&self) -> String {
        list(self.schemes().map(Scheme::example))
    }

    /// Reads the name of a key, `SCHEME:KEY`, and checks it against the scheme's grammar.
    ///
    /// # Errors
    /// Those of [`KeyRef::new`]; [`KeyRefError::UnknownScheme`]; [`KeyRefError::Name`].
    pub fn parse(&self, text: &str) -> Result<KeyRef, KeyRefError> {
        let key: KeyRef = text.parse()?;
        match self.scheme(key.provider()) {
            Some(scheme) => scheme.check(key.key())?,
            None => return Err(self.unknown(key.provider(), text)),
        }
        Ok(key)
    }

    /// Checks a key against its scheme's grammar; a key of a scheme that is not registered passes, since only its provider
    /// could tell. That is for programs that accept the names of keys which they will not use themselves.
    ///
    /// # Errors
    /// [`KeyRefError::Name`].
    pub fn check(&self, key: &KeyRef) -> Result<(), KeyRefError> {
        self.scheme(key.provider()).map_or(Ok(()), |scheme| scheme.check(key.key()))
    }

    /// The provider of a scheme, made from the host's settings the first time. A failure is not remembered.
    ///
    /// # Errors
    /// Those of its constructor; [`ErrorClass::Unreachable`] for a scheme that is not registered.
    pub fn provider(&self, scheme: &str) -> Result<Arc<dyn KeyProvider>, ProviderError> {
        let Some(entry) = self.entries.iter().find(|entry| entry.scheme.name == scheme) else {
            let message = format!("there is no provider for {scheme}: keys here; use {}", self.usage());
            return Err(ProviderError::new(ErrorClass::Unreachable, message));
        };
        // A panic of the constructor leaves nothing there.
        let mut made = entry.provider.lock().unwrap_or_else(PoisonError::into_inner);
        match &*made {
            Some(provider) => Ok(Arc::clone(provider)),
            None => Ok(Arc::clone(made.insert(entry.scheme.connect()?))),
        }
    }

    /// The providers that an envelope calls for. One that is not registered is left out, and so is one that cannot be made
    /// while another can: a volume with several keys opens with any of them.
    ///
    /// # Errors
    /// The first constructor's, where not one provider could be made.
    pub fn providers_for(&self, envelope: &Envelope) -> Result<Providers, ProviderError> {
        let mut providers = Providers::new();
        let mut failed = None;
        for slot in envelope.slots() {
            let name = slot.provider.as_str();
            if self.scheme(name).is_none() || providers.get(name).is_some() {
                continue;
            }
            match self.provider(name) {
                Ok(provider) => providers.insert(provider),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            Some(error) if providers.names().len() == 0 => Err(error),
            _ => Ok(providers),
        }
    }

    fn unknown(&self, scheme: &str, text: &str) -> KeyRefError {
        KeyRefError::UnknownScheme {
            key: excerpt(text),
            scheme: scheme.to_owned(),
            usage: if self.entries.is_empty() { "no key at all".to_owned() } else { self.usage() },
        }
    }
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.schemes().map(Scheme::name)).finish()
    }
}

/// `a, b or c`.
fn list(items: impl Iterator<Item = String>) -> String {
    let mut items: Vec<String> = items.collect();
    match items.pop() {
        Some(last) if items.is_empty() => last,
        Some(last) => format!("{} or {last}", items.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Code,
        keys::{LocalKeystore, block_on, new_uuid},
    };
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn schemes_judge_their_keys() {
        let any = Scheme::new("x-9", || LocalKeystore::open("/nowhere")).forms(&["A", "B", "C/D"]);
        let registry = Registry::new().with(LocalKeystore::scheme()).with(any);
        assert_eq!(registry.usage(), "local:NAME or x-9:A");
        assert_eq!(registry.scheme("x-9").unwrap().usage(), "x-9:A, x-9:B or x-9:C/D");
        let long = "n".repeat(65);
        for name in [".", "..", ".hidden", "a/b", "../a", "a\\b", "a b", "\u{e9}", "a:b", &long] {
            let error = registry.parse(&format!("local:{name}")).unwrap_err();
            assert!(matches!(error, KeyRefError::Name { .. }) && error.code() == Code::KeyName, "{name:?}");
            assert!(registry.check(&KeyRef::new("local", name).unwrap()).is_err());
            assert!(registry.parse(&format!("x-9:{name}")).is_ok());
        }
        for name in ["default", "A-z_0.9", &long[1..]] {
            assert_eq!(registry.parse(&format!("local:{name}")).unwrap().key(), name);
        }
        let error = registry.parse("other:x").unwrap_err();
        assert!(
            error.code() == Code::Unreachable && error.to_string().ends_with("write local:NAME or x-9:A")
        );
        assert!(registry.check(&KeyRef::new("other", "x").unwrap()).is_ok());
        assert_eq!(registry.parse("local:").unwrap_err(), KeyRefError::Key("local:".to_owned()));
    }

    #[test]
    fn a_provider_is_made_once_and_a_failure_is_not_kept() {
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("atrest");
        let scheme = {
            let path = path.clone();
            LocalKeystore::scheme().connecting(move || {
                CALLS.fetch_add(1, Ordering::Relaxed);
                LocalKeystore::open(&path)
            })
        };
        let registry = Registry::new().with(scheme);
        let class = |result: Result<_, ProviderError>| result.map(drop).unwrap_err().class();
        assert_eq!(class(registry.provider("other")), ErrorClass::Unreachable);
        assert_eq!(CALLS.load(Ordering::Relaxed), 0);
        assert_eq!(class(registry.provider("local")), ErrorClass::LocalIo);
        let keystore = LocalKeystore::open_or_create(&path).unwrap();
        keystore.ensure_key("k").unwrap();
        let first = registry.provider("local").unwrap();
        assert!(Arc::ptr_eq(&first, &registry.provider("local").unwrap()));
        assert_eq!(CALLS.load(Ordering::Relaxed), 2);

        let volume = new_uuid().unwrap();
        let class = crate::keys::Class::Persistent;
        let (envelope, _) = block_on(Envelope::create(&*first, "k", volume, class)).unwrap();
        assert!(registry.providers_for(&envelope).unwrap().names().eq(["local"]));
        let empty = Registry::new().providers_for(&envelope).unwrap();
        assert_eq!(empty.names().len(), 0);
        let broken = LocalKeystore::scheme().connecting(|| LocalKeystore::open("/nowhere/at/all"));
        let broken = Registry::new().with(LocalKeystore::scheme()).with(broken);
        assert_eq!(broken.providers_for(&envelope).unwrap_err().class(), ErrorClass::LocalIo);
        assert_eq!(broken.schemes().len(), 1);
    }

    #[test]
    fn a_provider_of_another_name_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("atrest");
        let scheme = Scheme::new("other", move || LocalKeystore::open_or_create(&path));
        let error = Registry::new().with(scheme).provider("other").map(drop).unwrap_err();
        assert_eq!(error.class(), ErrorClass::Malformed);
    }
}
