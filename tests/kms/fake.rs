//! A KMS for tests: JSON 1.1 over HTTP on a loopback port, strict where AWS documents that it is. One thread for each
//! connection; nothing is encrypted, since whoever holds a ciphertext here can only hand it back.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use serde_json::{Map, Value, json};

pub const ACCOUNT: &str = "111122223333";
pub const REGION: &str = "eu-west-1";

/// What happens to a request instead of a proper answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends without an answer.
    Reset,
    /// No answer ever comes.
    Hang,
    /// The answer comes a byte at a time, slower than anybody waits.
    Slow,
    /// The answer ends in the middle.
    Truncated,
    /// A page of some proxy's, with status 200.
    Html,
    /// `{}`, with status 200.
    Empty,
    /// An answer with half of its JSON.
    HalfJson,
    /// An error of the service's own.
    Internal,
    /// A page of a load balancer's, with status 503.
    Unavailable,
    /// An error with this code, and status 400.
    Code(&'static str),
    /// The right answer, from another key.
    WrongKey,
    /// The right answer with a plaintext of this length.
    PlaintextLength(usize),
    /// The right answer without a key.
    NoKey,
    /// The right answer, but for the material.
    WrongMaterial,
}

#[derive(Clone)]
struct Key {
    id: String,
    spec: String,
    usage: String,
    state: String,
    manager: &'static str,
    deletion: Option<u64>,
    materials: Vec<String>,
    rotation: Option<u64>,
    grants: Vec<Grant>,
}

impl Key {
    fn arn(&self) -> String {
        format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/{}", self.id)
    }

    fn material(&self) -> Option<&String> {
        (self.spec == "SYMMETRIC_DEFAULT").then(|| self.materials.last()).flatten()
    }
}

#[derive(Clone, PartialEq)]
struct Grant {
    id: String,
    token: String,
    request: Value,
}

/// What a ciphertext stands for.
struct Sealed {
    plaintext: Vec<u8>,
    context: Value,
    key: String,
    material: String,
}

#[derive(Default)]
pub struct State {
    keys: Vec<Key>,
    aliases: BTreeMap<String, String>,
    sealed: HashMap<Vec<u8>, Sealed>,
    /// What the caller named `user` may do with any key, beside what grants allow.
    pub allowed: Vec<&'static str>,
    /// For requests of this operation, or of all if it is empty; this many times.
    pub fault: Option<(&'static str, Fault, usize)>,
    /// The operations asked for, in order.
    pub calls: Vec<String>,
    count: u64,
}

#[derive(Clone)]
pub struct Fake {
    state: Arc<Mutex<State>>,
    pub endpoint: String,
}

struct Refusal(u16, String, String);

type Answer = Result<Value, Refusal>;

fn refuse(code: &str, message: impl Into<String>) -> Refusal {
    Refusal(400, code.into(), message.into())
}

impl Fake {
    pub fn start() -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let fake = Fake { state: Arc::default(), endpoint };
        let server = fake.clone();
        // Both end with the test program.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let server = server.clone();
                std::thread::spawn(move || server.serve(stream.unwrap()));
            }
        });
        fake
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The operations since the last time.
    pub fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.state().calls)
    }

    pub fn fault(&self, operation: &'static str, fault: Fault, times: usize) {
        self.state().fault = Some((operation, fault, times));
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
            let mut headers = HashMap::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).ok()?;
                match line.trim_end().split_once(':') {
                    Some((name, value)) => headers.insert(name.to_lowercase(), value.trim().to_owned()),
                    None => break,
                };
            }
            let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
            reader.read_exact(&mut body).ok()?;
            self.answer(&stream, &headers, &body)?;
        }
    }

    fn answer(&self, mut stream: &TcpStream, headers: &HashMap<String, String>, body: &[u8]) -> Option<()> {
        let operation = headers.get("x-amz-target")?.strip_prefix("TrentService.")?.to_owned();
        let credential = headers.get("authorization")?.split_once("Credential=")?.1;
        let who = credential.split('/').next()?.to_owned();
        let mut state = self.state();
        state.calls.push(operation.clone());
        let fault = match &mut state.fault {
            Some((of, fault, times)) if (of.is_empty() || *of == operation) && *times > 0 => {
                *times -= 1;
                Some(*fault)
            }
            _ => None,
        };
        let request: Value = serde_json::from_slice(body).ok()?;
        let mut answer = state.answer(&operation, &request, &who);
        drop(state);
        match fault {
            Some(Fault::Reset) => return None,
            Some(Fault::Hang) => {
                std::thread::sleep(Duration::from_secs(30));
                return None;
            }
            Some(Fault::Html) => {
                return send(stream, 200, "text/html", b"<html><body>Please log in</body></html>");
            }
            Some(Fault::Unavailable) => return send(stream, 503, "text/html", b"<html>no server</html>"),
            Some(Fault::Empty) => return send(stream, 200, JSON, b"{}"),
            Some(Fault::HalfJson) => {
                let text = answer.unwrap_or_default().to_string();
                return send(stream, 200, JSON, &text.as_bytes()[..text.len() / 2]);
            }
            Some(Fault::Internal) => answer = Err(Refusal(500, "KMSInternalException".into(), String::new())),
            Some(Fault::Code(code)) => answer = Err(refuse(code, "a fault was asked for")),
            Some(Fault::WrongKey) => {
                let other =
                    format!("arn:aws:kms:{REGION}:{ACCOUNT}:key/ffffffff-0000-0000-0000-000000000000");
                answer.as_mut().ok()?["KeyId"] = other.into();
            }
            Some(Fault::NoKey) => drop(answer.as_mut().ok()?.as_object_mut()?.remove("KeyId")),
            Some(Fault::WrongMaterial) => answer.as_mut().ok()?["SourceKeyMaterialId"] = "other".into(),
            Some(Fault::PlaintextLength(length)) => {
                answer.as_mut().ok()?["Plaintext"] = Base64::encode_string(&vec![7; length]).into();
            }
            Some(Fault::Slow | Fault::Truncated) | None => {}
        }
        let (status, body) = match answer {
            Ok(answer) => (200, answer.to_string()),
            Err(Refusal(status, code, message)) => {
                (status, json!({ "__type": code, "message": message }).to_string())
            }
        };
        match fault {
            Some(Fault::Slow) => {
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).ok()?;
                for byte in body.bytes() {
                    stream.write_all(&[byte]).ok()?;
                    std::thread::sleep(Duration::from_millis(100));
                }
                Some(())
            }
            Some(Fault::Truncated) => {
                write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len()).ok()?;
                stream.write_all(&body.as_bytes()[..body.len() / 2]).ok()?;
                None
            }
            _ => send(stream, status, JSON, body.as_bytes()),
        }
    }
}

const JSON: &str = "application/x-amz-json-1.1";

fn send(mut stream: &TcpStream, status: u16, kind: &str, body: &[u8]) -> Option<()> {
    let head = format!(
        "HTTP/1.1 {status} Status\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nx-amzn-RequestId: \
         11111111-2222-3333-4444-555555555555\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).ok()
}

/// The operations that have DryRun.
const DRY: [&str; 7] = [
    "GenerateDataKeyWithoutPlaintext",
    "Decrypt",
    "Encrypt",
    "ReEncrypt",
    "CreateGrant",
    "RevokeGrant",
    "RetireGrant",
];

impl State {
    fn next(&mut self) -> String {
        self.count += 1;
        format!("{:08x}-0000-4000-8000-000000000000", self.count)
    }

    fn answer(&mut self, operation: &str, request: &Value, who: &str) -> Answer {
        let dry = request["DryRun"] == true && DRY.contains(&operation);
        let done = || {
            Err(refuse(
                "DryRunOperationException",
                "The request would have succeeded, but the DryRun option is set.",
            ))
        };
        match operation {
            "CreateKey" => Ok(self.create_key(request)),
            "CreateAlias" => {
                let target = text(request, "TargetKeyId")?;
                self.aliases.insert(text(request, "AliasName")?, target);
                Ok(json!({}))
            }
            "ListAliases" => self.list_aliases(request, who),
            "DescribeKey" => {
                let key = self.find(request, "KeyId", true)?;
                self.authorise(who, "DescribeKey", &key, request)?;
                Ok(json!({ "KeyMetadata": {
                    "AWSAccountId": ACCOUNT, "KeyId": key.id, "Arn": key.arn(), "CreationDate": 1.7e9,
                    "Enabled": key.state == "Enabled", "KeyState": key.state, "KeySpec": key.spec,
                    "KeyUsage": key.usage, "KeyManager": key.manager, "Origin": "AWS_KMS", "MultiRegion": false,
                    "DeletionDate": key.deletion, "CurrentKeyMaterialId": key.material(),
                    "Description": if key.manager == "AWS" { "Default key that protects volumes" } else { "" },
                }}))
            }
            "GenerateDataKeyWithoutPlaintext" => {
                let key = self.usable(request, "KeyId", who, operation)?;
                if request["KeySpec"] != "AES_256" {
                    return Err(refuse("ValidationException", "KeySpec"));
                }
                if dry {
                    return done();
                }
                let blob = self.seal(vec![self.count as u8; 32], &key, &request["EncryptionContext"]);
                Ok(json!({ "CiphertextBlob": blob, "KeyId": key.arn(), "KeyMaterialId": key.material() }))
            }
            "Encrypt" => {
                let key = self.usable(request, "KeyId", who, operation)?;
                let plaintext = bytes(request, "Plaintext")?;
                if !(1..=4096).contains(&plaintext.len()) {
                    return Err(refuse("ValidationException", "Plaintext"));
                }
                if dry {
                    return done();
                }
                let blob = self.seal(plaintext, &key, &request["EncryptionContext"]);
                Ok(
                    json!({ "CiphertextBlob": blob, "KeyId": key.arn(), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT" }),
                )
            }
            "Decrypt" => {
                let key = self.usable(request, "KeyId", who, operation)?;
                if dry && request["DryRunModifiers"] == json!(["IGNORE_CIPHERTEXT"]) {
                    return done();
                }
                let sealed = self.unseal(request, &key, "EncryptionContext")?;
                if dry {
                    return done();
                }
                Ok(json!({
                    "Plaintext": Base64::encode_string(&sealed.plaintext), "KeyId": key.arn(),
                    "KeyMaterialId": sealed.material, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
                }))
            }
            "ReEncrypt" => {
                let source = self.usable(request, "SourceKeyId", who, "ReEncryptFrom")?;
                let to = self.usable(request, "DestinationKeyId", who, "ReEncryptTo")?;
                if dry && request["DryRunModifiers"] == json!(["IGNORE_CIPHERTEXT"]) {
                    return done();
                }
                let sealed = self.unseal(request, &source, "SourceEncryptionContext")?;
                let (plaintext, material) = (sealed.plaintext.clone(), sealed.material.clone());
                if dry {
                    return done();
                }
                let blob = self.seal(plaintext, &to, &request["DestinationEncryptionContext"]);
                Ok(json!({
                    "CiphertextBlob": blob, "SourceKeyId": source.arn(), "KeyId": to.arn(),
                    "SourceKeyMaterialId": material, "DestinationKeyMaterialId": to.material(),
                }))
            }
            "CreateGrant" => {
                let key = self.usable(request, "KeyId", who, operation)?;
                if key.id == text(request, "KeyId")? && key.id.starts_with("alias/") {
                    return Err(refuse("InvalidArnException", "no alias"));
                }
                if dry {
                    return done();
                }
                self.create_grant(&key, request)
            }
            "ListGrants" => {
                let key = self.find(request, "KeyId", false)?;
                self.authorise(who, operation, &key, request)?;
                let from: usize = request["Marker"].as_str().map_or(0, |marker| marker.parse().unwrap());
                let page: Vec<Value> = key.grants[from..].iter().take(2).map(listed).collect();
                let more = from + page.len() < key.grants.len();
                let next = more.then(|| (from + page.len()).to_string());
                Ok(json!({ "Grants": page, "Truncated": more, "NextMarker": next }))
            }
            "RevokeGrant" | "RetireGrant" => {
                let key = self.find(request, "KeyId", false)?;
                let id = text(request, "GrantId")?;
                let Some(grant) = key.grants.iter().find(|grant| grant.id == id) else {
                    return Err(refuse("NotFoundException", format!("grant {id}")));
                };
                let own = operation == "RetireGrant" && grant.request["GranteePrincipal"] == principal(who);
                if !own {
                    self.authorise(who, operation, &key, request)?;
                }
                if dry {
                    return done();
                }
                self.key_mut(&key.id).grants.retain(|grant| grant.id != id);
                Ok(json!({}))
            }
            _ => self.administer(operation, request, who),
        }
    }

    fn administer(&mut self, operation: &str, request: &Value, who: &str) -> Answer {
        let found = self.find(request, "KeyId", false)?;
        self.authorise(who, operation, &found, request)?;
        if found.state == "PendingDeletion"
            && operation != "CancelKeyDeletion"
            && operation != "GetKeyRotationStatus"
        {
            return Err(pending(&found));
        }
        let material = self.next();
        let key = self.key_mut(&found.id);
        match operation {
            "EnableKey" => key.state = "Enabled".into(),
            "DisableKey" => key.state = "Disabled".into(),
            "ScheduleKeyDeletion" => {
                let days = request["PendingWindowInDays"].as_u64().unwrap_or(30);
                if !(7..=30).contains(&days) {
                    return Err(refuse("ValidationException", "PendingWindowInDays"));
                }
                key.state = "PendingDeletion".into();
                key.deletion = Some(1_800_000_000 + days * 86_400);
                return Ok(
                    json!({ "KeyId": key.arn(), "DeletionDate": key.deletion, "KeyState": key.state }),
                );
            }
            "CancelKeyDeletion" => (key.state, key.deletion) = ("Disabled".into(), None),
            "EnableKeyRotation" => {
                key.rotation = Some(request["RotationPeriodInDays"].as_u64().unwrap_or(365))
            }
            "DisableKeyRotation" => key.rotation = None,
            "RotateKeyOnDemand" => {
                key.materials.push(material);
                return Ok(json!({ "KeyId": key.arn() }));
            }
            "GetKeyRotationStatus" => {
                return Ok(json!({
                    "KeyId": key.arn(), "KeyRotationEnabled": key.rotation.is_some(),
                    "RotationPeriodInDays": key.rotation, "NextRotationDate": key.rotation.map(|_| 1.8e9),
                }));
            }
            _ => return Err(refuse("UnknownOperationException", operation)),
        }
        Ok(json!({}))
    }

    fn create_key(&mut self, request: &Value) -> Value {
        let id = self.next();
        let material = self.next();
        let or = |name: &str, default: &str| request[name].as_str().unwrap_or(default).to_owned();
        let key = Key {
            id,
            spec: or("KeySpec", "SYMMETRIC_DEFAULT"),
            usage: or("KeyUsage", "ENCRYPT_DECRYPT"),
            state: "Enabled".into(),
            manager: if request["Manager"] == "AWS" { "AWS" } else { "CUSTOMER" },
            deletion: None,
            materials: vec![material],
            rotation: None,
            grants: Vec::new(),
        };
        let metadata = json!({ "KeyMetadata": { "KeyId": key.id, "Arn": key.arn() } });
        self.keys.push(key);
        metadata
    }

    /// Two in a page.
    fn list_aliases(&mut self, request: &Value, who: &str) -> Answer {
        if who != "owner" && !self.allowed.contains(&"ListAliases") {
            return Err(denied(who, "ListAliases", "*"));
        }
        let all: Vec<Value> = self
            .aliases
            .iter()
            .map(|(name, target)| json!({ "AliasName": name, "TargetKeyId": target }))
            .collect();
        let from: usize = request["Marker"].as_str().map_or(0, |marker| marker.parse().unwrap());
        let limit = request["Limit"].as_u64().unwrap_or(2) as usize;
        let page: Vec<Value> = all[from..].iter().take(limit).cloned().collect();
        let more = from + page.len() < all.len();
        let next = more.then(|| (from + page.len()).to_string());
        Ok(json!({ "Aliases": page, "Truncated": more, "NextMarker": next }))
    }

    fn create_grant(&mut self, key: &Key, request: &Value) -> Answer {
        let principal = text(request, "GranteePrincipal")?;
        if !principal.starts_with("arn:aws:iam::") {
            return Err(refuse("InvalidArnException", "GranteePrincipal"));
        }
        let same = |grant: &&Grant| {
            let fields = ["Name", "GranteePrincipal", "RetiringPrincipal", "Operations", "Constraints"];
            request.get("Name").is_some() && fields.iter().all(|field| grant.request[field] == request[field])
        };
        let token = self.next().replace('-', "");
        // The token is another one each time, and every one of them works.
        if let Some(grant) = key.grants.iter().find(same) {
            return Ok(json!({ "GrantId": grant.id, "GrantToken": grant.token }));
        }
        let grant = Grant { id: self.next().replace('-', ""), token, request: request.clone() };
        let answer = json!({ "GrantId": grant.id, "GrantToken": grant.token });
        self.key_mut(&key.id).grants.push(grant);
        Ok(answer)
    }

    fn key_mut(&mut self, id: &str) -> &mut Key {
        self.keys.iter_mut().find(|key| key.id == id).unwrap()
    }

    /// The key that is named. Few operations take aliases.
    fn find(&self, request: &Value, field: &str, aliases: bool) -> Result<Key, Refusal> {
        let name = text(request, field)?;
        let prefix = format!("arn:aws:kms:{REGION}:{ACCOUNT}:");
        let short = name.strip_prefix(&prefix).unwrap_or(&name);
        let id = match short.strip_prefix("alias/") {
            Some(_) if !aliases => {
                return Err(refuse("InvalidArnException", format!("Invalid keyId {name}")));
            }
            Some(_) => self.aliases.get(short).cloned(),
            None => Some(short.strip_prefix("key/").unwrap_or(short).to_owned()),
        };
        let key = id.and_then(|id| self.keys.iter().find(|key| key.id == id));
        key.cloned().ok_or_else(|| refuse("NotFoundException", format!("Key '{name}' does not exist")))
    }

    /// The key, for a cryptographic operation or a grant: authorised, of the right kind, and in the right state.
    fn usable(&self, request: &Value, field: &str, who: &str, operation: &str) -> Result<Key, Refusal> {
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
    fn authorise(&self, who: &str, operation: &str, key: &Key, request: &Value) -> Result<(), Refusal> {
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

    fn seal(&mut self, plaintext: Vec<u8>, key: &Key, context: &Value) -> String {
        let blob = format!("ciphertext {} of {}", self.next(), key.id).into_bytes();
        let text = Base64::encode_string(&blob);
        let material = key.material().cloned().unwrap_or_default();
        let sealed = Sealed { plaintext, context: context.clone(), key: key.id.clone(), material };
        self.sealed.insert(blob, sealed);
        text
    }

    fn unseal(&self, request: &Value, key: &Key, context: &str) -> Result<&Sealed, Refusal> {
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

fn principal(who: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:role/{who}")
}

fn denied(who: &str, operation: &str, resource: &str) -> Refusal {
    let message = format!(
        "User: {} is not authorized to perform: kms:{operation} on resource: {resource}",
        principal(who)
    );
    refuse("AccessDeniedException", message)
}

fn pending(key: &Key) -> Refusal {
    refuse("KMSInvalidStateException", format!("{} is pending deletion.", key.arn()))
}

fn listed(grant: &Grant) -> Value {
    let mut entry = grant.request.clone();
    entry["GrantId"] = grant.id.clone().into();
    entry
}

fn text(request: &Value, field: &str) -> Result<String, Refusal> {
    let text = request[field].as_str().filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| refuse("ValidationException", format!("{field} must not be null")))
}

fn bytes(request: &Value, field: &str) -> Result<Vec<u8>, Refusal> {
    Base64::decode_vec(&text(request, field)?).map_err(|_| refuse("SerializationException", field))
}
