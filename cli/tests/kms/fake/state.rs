//! What the service knows: keys, aliases, ciphertexts, and who may do what.

use std::collections::{BTreeMap, HashMap};

use base64ct::{Base64, Encoding as _};
use serde_json::{Map, Value};

use super::{ACCOUNT, Asked, Fault};

#[derive(Clone)]
pub struct Key {
    pub id: String,
    pub region: String,
    pub spec: String,
    pub usage: String,
    pub state: String,
    pub manager: &'static str,
    pub deletion: Option<u64>,
    pub materials: Vec<String>,
    pub rotation: Option<u64>,
    pub grants: Vec<Grant>,
}

impl Key {
    pub fn arn(&self) -> String {
        format!("arn:aws:kms:{}:{ACCOUNT}:key/{}", self.region, self.id)
    }

    pub fn material(&self) -> Option<&String> {
        (self.spec == "SYMMETRIC_DEFAULT").then(|| self.materials.last()).flatten()
    }
}

#[derive(Clone, PartialEq)]
pub struct Grant {
    pub id: String,
    pub token: String,
    pub request: Value,
}

/// What a ciphertext stands for.
pub struct Sealed {
    pub plaintext: Vec<u8>,
    pub context: Value,
    pub key: String,
    pub material: String,
}

#[derive(Default)]
pub struct State {
    pub keys: Vec<Key>,
    /// By region and name.
    pub aliases: BTreeMap<(String, String), String>,
    pub sealed: HashMap<Vec<u8>, Sealed>,
    /// What the caller named `user` may do with any key, beside what grants allow.
    pub allowed: Vec<&'static str>,
    /// How many bytes of answers without end somebody took, or the system.
    pub sent_without_end: usize,
    /// For requests of this operation, or of all if it is empty; this many times.
    pub fault: Option<(&'static str, Fault, usize)>,
    /// Regions where nobody answers.
    pub down: Vec<&'static str>,
    /// By how many seconds its clock is ahead of everybody else's.
    pub clock_ahead: i64,
    /// Whether it keeps its time to itself.
    pub hides_date: bool,
    /// The operations asked for, in order.
    pub calls: Vec<String>,
    /// The same, with what else is known of them.
    pub asked: Vec<Asked>,
    /// The region of the request at hand.
    pub region: String,
    pub count: u64,
}

pub struct Refusal(pub u16, pub String, pub String);

pub type Answer = Result<Value, Refusal>;

pub fn refuse(code: &str, message: impl Into<String>) -> Refusal {
    Refusal(400, code.into(), message.into())
}

impl State {
    pub fn next(&mut self) -> String {
        self.count += 1;
        format!("{:08x}-0000-4000-8000-000000000000", self.count)
    }

    pub fn key_mut(&mut self, id: &str) -> &mut Key {
        self.keys.iter_mut().find(|key| key.id == id).unwrap()
    }

    /// The key that is named. Few operations take aliases.
    pub fn find(&self, request: &Value, field: &str, aliases: bool) -> Result<Key, Refusal> {
        let name = text(request, field)?;
        let prefix = format!("arn:aws:kms:{}:{ACCOUNT}:", self.region);
        let short = name.strip_prefix(&prefix).unwrap_or(&name);
        if short.starts_with("arn:") {
            return Err(refuse("NotFoundException", format!("Invalid arn {name}")));
        }
        let id = match short.strip_prefix("alias/") {
            Some(_) if !aliases => {
                return Err(refuse("InvalidArnException", format!("Invalid keyId {name}")));
            }
            Some(_) => self.aliases.get(&(self.region.clone(), short.to_owned())).cloned(),
            None => Some(short.strip_prefix("key/").unwrap_or(short).to_owned()),
        };
        let key = id.and_then(|id| self.keys.iter().find(|key| key.id == id && key.region == self.region));
        key.cloned().ok_or_else(|| refuse("NotFoundException", format!("Key '{name}' does not exist")))
    }

    /// The key, for a cryptographic operation or a grant: authorised, of the right kind, and in the right state.
    pub fn usable(&self, request: &Value, field: &str, who: &str, operation: &str) -> Result<Key, Refusal> {
        let key = self.find(request, field, operation != "CreateGrant")?;
        self.authorise(who, operation, &key, request)?;
        match &*key.state {
            "Enabled" => {}
            "Disabled" => return Err(refuse("DisabledException", format!("{} is disabled.", key.arn()))),
            _ => return Err(pending(&key)),
        }
        if operation != "CreateGrant" && (key.spec != "SYMMETRIC_DEFAULT" || key.usage != "ENCRYPT_DECRYPT") {
            return Err(refuse(
                "InvalidKeyUsageException",
                format!("{} key usage is {}", key.arn(), key.usage),
            ));
        }
        Ok(key)
    }

    /// The owner may do everything; others what is allowed to them, and what grants allow: with the token at once, in
    /// the context that the grant is limited to. Nobody but its service uses a key that AWS manages.
    pub fn authorise(&self, who: &str, operation: &str, key: &Key, request: &Value) -> Result<(), Refusal> {
        let admin =
            operation == "DescribeKey" || operation.starts_with("Get") || operation.starts_with("List");
        if key.manager == "AWS" && !admin {
            return Err(denied(who, operation, &key.arn()));
        }
        if who == "owner" || self.allowed.contains(&operation) {
            return Ok(());
        }
        let no_tokens = Vec::new();
        let tokens = request["GrantTokens"].as_array().unwrap_or(&no_tokens);
        let empty = Map::new();
        let context = ["EncryptionContext", "SourceEncryptionContext"]
            .iter()
            .find_map(|field| request[*field].as_object())
            .unwrap_or(&empty);
        let granted = key.grants.iter().any(|grant| {
            let for_this = grant.request["Operations"].as_array().unwrap().contains(&operation.into());
            let subset =
                grant.request["Constraints"]["EncryptionContextSubset"].as_object().unwrap_or(&empty);
            // Without cryptography there is no context to hold against the constraint.
            let fits = operation == "DescribeKey"
                || subset.iter().all(|(name, value)| context.get(name) == Some(value));
            let known = tokens.iter().any(|token| *token == grant.token);
            for_this && fits && known && grant.request["GranteePrincipal"] == principal(who)
        });
        if granted { Ok(()) } else { Err(denied(who, operation, &key.arn())) }
    }

    pub fn seal(&mut self, plaintext: Vec<u8>, key: &Key, context: &Value) -> String {
        let blob = format!("ciphertext {} of {}", self.next(), key.id).into_bytes();
        let text = Base64::encode_string(&blob);
        let material = key.material().cloned().unwrap_or_default();
        let sealed = Sealed { plaintext, context: context.clone(), key: key.id.clone(), material };
        self.sealed.insert(blob, sealed);
        text
    }

    pub fn unseal(&self, request: &Value, key: &Key, context: &str) -> Result<&Sealed, Refusal> {
        let blob = bytes(request, "CiphertextBlob")?;
        let sealed = self.sealed.get(&blob).ok_or_else(|| refuse("InvalidCiphertextException", ""))?;
        if sealed.key != key.id {
            return Err(refuse(
                "IncorrectKeyException",
                "The key ID in the request does not identify a CMK that can \
                 perform this operation.",
            ));
        }
        if sealed.context != request[context] {
            return Err(refuse("InvalidCiphertextException", ""));
        }
        Ok(sealed)
    }
}

pub fn principal(who: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{who}")
}

pub fn denied(who: &str, operation: &str, resource: &str) -> Refusal {
    let message = format!(
        "User: {} is not authorized to perform: kms:{operation} on resource: {resource}",
        principal(who)
    );
    refuse("AccessDeniedException", message)
}

pub fn pending(key: &Key) -> Refusal {
    refuse("KMSInvalidStateException", format!("{} is pending deletion.", key.arn()))
}

pub fn text(request: &Value, field: &str) -> Result<String, Refusal> {
    let text = request[field].as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| refuse("ValidationException", format!("{field} must not be null")))
}

pub fn bytes(request: &Value, field: &str) -> Result<Vec<u8>, Refusal> {
    Base64::decode_vec(&text(request, field)?).map_err(|_| refuse("SerializationException", field))
}
