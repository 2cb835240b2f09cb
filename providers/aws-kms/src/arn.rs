//! The names of keys in AWS KMS, and whether the key that answered is the one that was asked.

use super::fault::{malformed, printable};
use atrest::keys::{ErrorClass, KeyLocation, ProviderError};

/// The longest ARN, in bytes: as much as KMS takes as the name of a key, and an envelope as that of its key.
const MAX_ARN: usize = 2048;

/// An ARN of KMS, in its parts: `arn:PARTITION:kms:REGION:ACCOUNT:RESOURCE`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// The partition, `aws` for most.
    pub partition: &'a str,
    /// The region.
    pub region: &'a str,
    /// The account, 12 digits.
    pub account: &'a str,
    /// `key/ID` or `alias/NAME`.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// The parts of a text that is an ARN of KMS, in at most 2048 printable ASCII characters without spaces.
    pub fn parse(text: &'a str) -> Option<Arn<'a>> {
        // Whoever answered or wrote it: envelopes keep it, and errors show it.
        if !is_name(text, MAX_ARN) {
            return None;
        }
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next().filter(|part| !part.is_empty());
        let ("arn", partition, "kms", region, account, resource) =
            (part()?, part()?, part()?, part()?, part()?, part()?)
        else {
            return None;
        };
        let resource_is = |kind: &str| resource.strip_prefix(kind).is_some_and(|name| !name.is_empty());
        // The region becomes part of a host's name, and headers that anybody may have written have ARNs: nothing but what AWS
        // calls its regions, such as `us-gov-west-1`.
        let plain = |text: &str| {
            let words = text.split('-');
            let is_word = |word: &str| {
                !word.is_empty()
                    && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            };
            text.len() <= 32 && text.as_bytes()[0].is_ascii_lowercase() && words.clone().all(is_word)
        };
        let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
        let known = plain(partition) && plain(region) && is_account;
        (known && (resource_is("key/") || resource_is("alias/"))).then_some(Arn {
            partition,
            region,
            account,
            resource,
        })
    }

    /// The key's id, unless this is an alias.
    pub fn key_id(&self) -> Option<&'a str> {
        self.resource.strip_prefix("key/")
    }
}

/// Whether a text is 1 to `longest` printable ASCII characters without spaces, as names and tokens of KMS are.
pub fn is_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// Where the key of an ARN lives.
pub fn location(key: &str) -> KeyLocation {
    Arn::parse(key).map_or_else(KeyLocation::default, |arn| KeyLocation::new(arn.account, arn.region))
}

/// Whether a name that somebody expects is the key with this ARN: the ARN itself, or its id. An alias is none, since whoever
/// may move it would decide.
pub fn is_key(name: &str, key: &str) -> bool {
    name == key || Arn::parse(key).and_then(|arn| arn.key_id()) == Some(name)
}

/// What no key of KMS can be called. Whether there is one of that name is for KMS to tell.
pub fn check_name(key: &str) -> Result<(), String> {
    let fits = match key.strip_prefix("alias/") {
        Some(name) => !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()),
        None if key.starts_with("arn:") => Arn::parse(key).is_some(),
        None => key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'),
    };
    match fits {
        true => Ok(()),
        false => Err("use the ARN or id of a key or alias/NAME".to_owned()),
    }
}

/// The ARN that an answer names as the key it used; it must fit the key that was asked for.
pub fn answered_arn(operation: &str, key: &str, answered: Option<String>) -> Result<String, ProviderError> {
    let answered = answered.unwrap_or_default();
    let (shown, arn) = (printable(&answered), Arn::parse(&answered));
    let Some((arn, id)) = arn.and_then(|arn| Some((arn, arn.key_id()?))) else {
        return Err(malformed(operation, key, &format!("{shown:?} is no ARN of a key")));
    };
    let fits = match Arn::parse(key) {
        Some(asked) if asked.key_id().is_some() => key == answered,
        Some(asked) => {
            (asked.partition, asked.region, asked.account) == (arn.partition, arn.region, arn.account)
        }
        None => key.starts_with("alias/") || key == id,
    };
    if fits { Ok(answered) } else { Err(another_key(operation, key, &shown)) }
}

/// Another key answered than the one that was asked for.
pub fn another_key(operation: &str, key: &str, answered: &str) -> ProviderError {
    ProviderError::new(
        ErrorClass::WrongKey,
        format!("the answer of AWS KMS to {operation} comes from the key {}, not {key}", printable(answered)),
    )
}

/// Whether this is an alias in the part of the names that AWS keeps for its services' own keys.
pub fn is_reserved(key: &str) -> bool {
    key.starts_with("alias/aws/") || Arn::parse(key).is_some_and(|arn| arn.resource.starts_with("alias/aws/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expectation_names_a_key_by_its_arn_or_id_and_never_by_an_alias() {
        let arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        let found = location(arn);
        assert_eq!(
            (found.account.as_deref(), found.region.as_deref()),
            (Some("111122223333"), Some("eu-west-1"))
        );
        assert!(is_key(arn, arn) && is_key("1234abcd-12ab-34cd-56ef-1234567890ab", arn));
        for other in ["alias/prod", "1234abcd", "", "key/1234abcd-12ab-34cd-56ef-1234567890ab"] {
            assert!(!is_key(other, arn), "{other}");
        }
        assert!(!is_key(&arn.replace("1111", "1112"), arn));
        assert_eq!(location("alias/prod"), KeyLocation::default());
    }

    const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

    #[test]
    fn arns_are_taken_apart_or_are_none() {
        let arn = Arn::parse(KEY).unwrap();
        assert_eq!((arn.partition, arn.region, arn.account), ("aws", "eu-west-1", "111122223333"));
        assert_eq!(arn.key_id(), Some("1234abcd-12ab-34cd-56ef-1234567890ab"));
        let alias = Arn::parse("arn:aws-cn:kms:cn-north-1:111122223333:alias/a:b/c").unwrap();
        assert_eq!((alias.key_id(), alias.resource), (None, "alias/a:b/c"));
        for none in [
            "",
            "alias/prod",
            "1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:s3:eu-west-1:1:key/x",
            "arn:aws:kms:eu-west-1:111122223333:key/",
            "arn:aws:kms::111122223333:key/x",
            "arn:aws:kms:example.org/#:111122223333:key/x",
            "arn:aws:kms:EU-west-1:111122223333:key/x",
            "arn:aws:kms:-eu-west-1:111122223333:key/x",
            "arn:aws:kms:eu--west-1:111122223333:key/x",
            "arn:aws:kms:1:111122223333:key/x",
            "arn:aws:kms:a-region-that-has-a-name-like-no-other:111122223333:key/x",
            "arn:aws:kms:eu-west-1:11112222333:key/x",
            "arn:aws:kms:eu-west-1:x11122223333:key/x",
            "arn:aws:kms:eu-west-1:111122223333",
            "arn:aws:kms:eu-west-1:111122223333:key/a b",
            "arn:aws:kms:eu-west-1:111122223333:key/a\nb",
            "arn:aws:kms:eu-west-1:111122223333:alias/\u{202e}a",
            &format!("arn:aws:kms:eu-west-1:111122223333:key/{}", "a".repeat(MAX_ARN)),
        ] {
            assert_eq!(Arn::parse(none), None, "{none}");
        }
    }

    #[test]
    fn what_no_key_is_called_is_refused() {
        let id = Arn::parse(KEY).unwrap().key_id().unwrap();
        let alias = "arn:aws:kms:eu-west-1:111122223333:alias/a/b_c";
        for name in [KEY, id, "mrk-1234abcd12ab34cd56ef1234567890ab", "alias/prod", "alias/aws/s3", alias] {
            check_name(name).unwrap();
        }
        for name in ["alias/", "alias/a b", "prod/x", "arn:aws:s3:::bucket", "arn:", "a:b", "\u{e9}"] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn an_answer_must_come_from_the_key_that_was_asked() {
        let check = |key: &str, answered: &str| answered_arn("Decrypt", key, Some(answered.to_owned()));
        let id = Arn::parse(KEY).unwrap().key_id().unwrap();
        for key in [KEY, id, "alias/prod", "arn:aws:kms:eu-west-1:111122223333:alias/prod"] {
            assert_eq!(check(key, KEY).unwrap(), KEY);
        }
        let class = |result: Result<String, ProviderError>| result.unwrap_err().class();
        let other = KEY.replace("12ab", "12ac");
        for key in [KEY, id, "arn:aws:kms:eu-west-2:111122223333:alias/prod"] {
            assert_eq!(class(check(key, &other)), ErrorClass::WrongKey, "{key}");
        }
        for none in ["", id, "arn:aws:kms:eu-west-1:111122223333:alias/prod"] {
            assert_eq!(class(check("alias/prod", none)), ErrorClass::Malformed);
        }
        assert_eq!(class(answered_arn("Decrypt", KEY, None)), ErrorClass::Malformed);
    }
}
