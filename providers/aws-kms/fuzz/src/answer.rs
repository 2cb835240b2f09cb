//! A case: what is asked of the provider, and what the service answers.

use base64ct::{Base64, Encoding as _};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use serde_json::{Value, json};

use crate::secret::ROOT;

/// Calls, and the answers to their requests in order. Behind the last one the service answers as KMS does.
#[derive(Arbitrary, Debug)]
pub struct Case {
    pub calls: Vec<Call>,
    pub answers: Vec<Answer>,
}

/// By which of its names the key is called.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Name {
    Arn,
    Id,
    Alias,
    AliasArn,
    OfAws,
}

#[derive(Arbitrary, Debug)]
pub enum Call {
    Describe(Name),
    Generate(Name),
    Unwrap,
    Wrap(Name),
    Rewrap(Name),
    Create(Name),
    Open,
    RewrapEnvelope(Name),
    AddSlot(Name),
    List,
    Check(Name),
    Grant(Name),
    Grants(Name),
    Revoke,
    Retire,
    Policies(Name),
    Rotation(Name),
    SetRotation(bool),
    Rotate,
    ScheduleDeletion(u8),
}

/// The keys of a case; no case before had them.
#[derive(Clone, Debug, Default)]
pub struct Keys {
    pub number: u64,
}

impl Keys {
    const ACCOUNT: &str = "arn:aws:kms:eu-west-1:111122223333";

    /// The key's id: of the first one, of the one that it is moved to, of one that nobody asks for.
    pub fn id(&self, which: u8) -> String {
        format!("1234abcd-12ab-34cd-56ef-{which:02x}{:010x}", self.number & 0xff_ffff_ffff)
    }

    pub fn arn(&self, which: u8) -> String {
        format!("{}:key/{}", Keys::ACCOUNT, self.id(which))
    }

    pub fn name(&self, which: u8, name: Name) -> String {
        match name {
            Name::Arn => self.arn(which),
            Name::Id => self.id(which),
            Name::Alias => format!("alias/{which}"),
            Name::AliasArn => format!("{}:alias/{which}", Keys::ACCOUNT),
            Name::OfAws => "alias/aws/ebs".to_owned(),
        }
    }

    /// The ARN of the key that a request names.
    fn called(&self, name: &Value) -> String {
        let name = name.as_str().unwrap_or_default();
        let which = if name.contains(&self.id(1)) || name.ends_with("alias/1") { 1 } else { 0 };
        self.arn(which)
    }
}

#[derive(Arbitrary, Debug)]
pub struct Answer {
    /// 200 where there is none.
    pub status: Option<u16>,
    pub headers: Vec<Header>,
    pub body: Body,
    pub end: End,
}

#[derive(Arbitrary, Debug)]
pub struct Header {
    pub name: HeaderName,
    pub value: String,
}

#[derive(Arbitrary, Debug)]
pub enum HeaderName {
    ContentType,
    ErrorType,
    RequestId,
    Date,
    RetryAfter,
    QueryError,
    ContentEncoding,
    TransferEncoding,
    ContentLength,
    Connection,
    Other(String),
}

impl HeaderName {
    fn text(&self) -> &str {
        match self {
            HeaderName::ContentType => "Content-Type",
            HeaderName::ErrorType => "x-amzn-ErrorType",
            HeaderName::RequestId => "x-amzn-RequestId",
            HeaderName::Date => "Date",
            HeaderName::RetryAfter => "x-amz-retry-after",
            HeaderName::QueryError => "x-amzn-query-error",
            HeaderName::ContentEncoding => "Content-Encoding",
            HeaderName::TransferEncoding => "Transfer-Encoding",
            HeaderName::ContentLength => "Content-Length",
            HeaderName::Connection => "Connection",
            HeaderName::Other(name) => name,
        }
    }

    /// Whether the body is known to end where it does, whatever the header says.
    fn is_plain(&self) -> bool {
        use HeaderName::{ContentType, Date, ErrorType, QueryError, RequestId, RetryAfter};
        matches!(self, ContentType | ErrorType | RequestId | Date | RetryAfter | QueryError)
    }
}

#[derive(Arbitrary, Debug)]
pub enum Body {
    /// As KMS answers, but for these fields.
    Proper(Vec<Edit>),
    /// An error of KMS's, by its number in [`CODES`], or another.
    Error {
        code: u8,
        other: Option<String>,
        message: Option<String>,
        edits: Vec<Edit>,
    },
    Bytes(Vec<u8>),
    /// A list of so many entries with nothing in them.
    Entries {
        count: u16,
        truncated: bool,
    },
    /// Arrays or objects in each other.
    Deep {
        objects: bool,
        depth: u16,
        closed: bool,
    },
    /// Not even HTTP.
    Wire(Vec<u8>),
}

#[derive(Arbitrary, Debug)]
pub enum End {
    Whole,
    /// The connection ends when so much of the body was sent.
    Cut(u16),
    /// As many spaces follow.
    Spaces(u32),
    /// The text of a secret follows, for a parser that tells what it did not expect.
    Secret,
}

#[derive(Arbitrary, Debug)]
pub struct Edit {
    pub field: u8,
    pub change: Change,
}

#[derive(Arbitrary, Debug)]
pub enum Change {
    Missing,
    Null,
    Text(String),
    /// Of a number: an integer, one with so many digits, or with an exponent.
    Integer(i64),
    Digits(u8),
    Exponent(i16),
    Bool(bool),
    /// So many bytes in base64.
    Bytes(u16),
    /// So much of the root key in base64, perhaps damaged. Of the plaintext only: the service would tell by other fields.
    Secret {
        bytes: u8,
        broken: Option<u8>,
    },
    /// Another key.
    Key {
        which: u8,
        name: Name,
    },
    Deep(u16),
    /// The field comes twice, the second time as text.
    Twice(String),
    /// Under a name that is nearly the same.
    Renamed(u8),
    /// A plaintext beside it.
    Plaintext,
    /// A word that the field may have.
    Word(u8),
    /// As it stands.
    Json(String),
}

/// What KMS says, and what stands before it.
const CODES: [&str; 34] = [
    "AccessDeniedException",
    "NotFoundException",
    "DisabledException",
    "KMSInvalidStateException",
    "KeyUnavailableException",
    "IncorrectKeyException",
    "InvalidCiphertextException",
    "InvalidKeyUsageException",
    "UnsupportedOperationException",
    "LimitExceededException",
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
    "SlowDown",
    "DependencyTimeoutException",
    "KMSInternalException",
    "InternalFailure",
    "ServiceUnavailable",
    "ExpiredTokenException",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "OptInRequired",
    "InvalidArnException",
    "ValidationException",
    "InvalidGrantTokenException",
    "InvalidGrantIdException",
    "InvalidMarkerException",
    "SerializationException",
    "DryRunOperationException",
    "ConflictException",
];

const WORDS: [&str; 20] = [
    "Enabled",
    "Disabled",
    "PendingDeletion",
    "PendingImport",
    "PendingReplicaDeletion",
    "Unavailable",
    "Creating",
    "Updating",
    "CUSTOMER",
    "AWS",
    "SYMMETRIC_DEFAULT",
    "RSA_2048",
    "HMAC_256",
    "ENCRYPT_DECRYPT",
    "SIGN_VERIFY",
    "AWS_KMS",
    "EXTERNAL",
    "Decrypt",
    "alias/aws/ebs",
    "",
];

/// Written, and not changed any more.
struct Field {
    name: String,
    json: String,
}

fn field(name: &str, value: Value) -> Field {
    Field { name: name.to_owned(), json: value.to_string() }
}

fn object(fields: &[Field]) -> String {
    let fields: Vec<String> =
        fields.iter().map(|field| format!("{}:{}", Value::from(field.name.as_str()), field.json)).collect();
    format!("{{{}}}", fields.join(","))
}

/// What stands around the fields that can be changed.
enum Around {
    Nothing,
    Object(&'static str),
    List(&'static str),
}

/// KMS's own answer: its inner fields and its outer ones.
fn proper(operation: &str, request: &Value, keys: &Keys) -> (Around, Vec<Field>, Vec<Field>) {
    let key = keys.called(&request["KeyId"]);
    let blob = || Base64::encode_string(&[0x5a; 184]);
    // The same in every case, as the envelopes that are opened have it.
    let material = |arn: &str| if arn == keys.arn(1) { "b" } else { "a" }.repeat(64);
    let fields = |value: Value| -> Vec<Field> {
        let Value::Object(fields) = value else { return Vec::new() };
        fields.into_iter().map(|(name, value)| field(&name, value)).collect()
    };
    match operation {
        "GenerateDataKeyWithoutPlaintext" => {
            let answer = json!({ "CiphertextBlob": blob(), "KeyId": key, "KeyMaterialId": material(&key) });
            (Around::Nothing, fields(answer), Vec::new())
        }
        "Decrypt" => {
            let answer = json!({
                "KeyId": key, "Plaintext": Base64::encode_string(&ROOT), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT",
                "KeyMaterialId": material(&key),
            });
            (Around::Nothing, fields(answer), Vec::new())
        }
        "Encrypt" => {
            let answer =
                json!({ "CiphertextBlob": blob(), "KeyId": key, "EncryptionAlgorithm": "SYMMETRIC_DEFAULT" });
            (Around::Nothing, fields(answer), Vec::new())
        }
        "ReEncrypt" => {
            let (from, to) =
                (keys.called(&request["SourceKeyId"]), keys.called(&request["DestinationKeyId"]));
            let answer = json!({
                "CiphertextBlob": blob(), "SourceKeyId": from, "KeyId": to, "SourceKeyMaterialId": material(&from),
                "DestinationKeyMaterialId": material(&to),
            });
            (Around::Nothing, fields(answer), Vec::new())
        }
        "DescribeKey" => {
            let answer = json!({
                "Arn": key, "KeyId": "x", "KeyState": "Enabled", "Enabled": true, "KeyManager": "CUSTOMER",
                "KeySpec": "SYMMETRIC_DEFAULT", "KeyUsage": "ENCRYPT_DECRYPT", "Origin": "AWS_KMS",
                "CurrentKeyMaterialId": material(&key), "CreationDate": 1.7e9, "DeletionDate": 1.8e9,
                "MultiRegion": false, "Description": "text", "AWSAccountId": "111122223333",
                "MultiRegionConfiguration": { "ReplicaKeys": [{ "Arn": "x", "Region": "y" }] },
            });
            (Around::Object("KeyMetadata"), fields(answer), Vec::new())
        }
        "ListAliases" => {
            let entry = json!({ "AliasName": "alias/0", "AliasArn": "x", "TargetKeyId": keys.id(0) });
            let rest = json!({ "Truncated": false, "NextMarker": "m" });
            (Around::List("Aliases"), fields(entry), fields(rest))
        }
        "ListGrants" => {
            let entry = json!({
                "GrantId": "abcd", "Name": "name", "GranteePrincipal": "arn:aws:iam::111122223333:root",
                "RetiringPrincipal": "x", "Operations": ["Decrypt"], "CreationDate": 1.7e9,
                "Constraints": { "EncryptionContextSubset": { "a": "b" } },
            });
            let rest = json!({ "Truncated": false, "NextMarker": "m" });
            (Around::List("Grants"), fields(entry), fields(rest))
        }
        "CreateGrant" => {
            (Around::Nothing, fields(json!({ "GrantId": "abcd", "GrantToken": "token" })), Vec::new())
        }
        "GetKeyRotationStatus" => {
            let answer = json!({
                "KeyRotationEnabled": true, "RotationPeriodInDays": 365, "NextRotationDate": 1.8e9,
                "OnDemandRotationStartDate": 1.8e9, "KeyId": key,
            });
            (Around::Nothing, fields(answer), Vec::new())
        }
        "ScheduleKeyDeletion" => {
            let answer = json!({ "KeyId": key, "DeletionDate": 1.8e9, "KeyState": "PendingDeletion", "PendingWindowInDays": 7 });
            (Around::Nothing, fields(answer), Vec::new())
        }
        _ => (Around::Nothing, vec![field("KeyId", key.into())], Vec::new()),
    }
}

fn deep(objects: bool, depth: u16, closed: bool) -> String {
    // An answer is 64 KiB at most.
    let depth = usize::from(depth) % 20_000;
    let (open, close) = if objects { ("{\"\":", "}") } else { ("[", "]") };
    let end = if closed { close.repeat(depth) } else { String::new() };
    format!("{}0{end}", open.repeat(depth))
}

fn secret(bytes: u8, broken: Option<u8>) -> String {
    let secret: Vec<u8> = ROOT.into_iter().cycle().take(usize::from(bytes) % 65).collect();
    let mut text = Base64::encode_string(&secret);
    if let Some(at) = broken {
        text.insert(
            usize::from(at) % (text.len() + 1),
            ['!', '\n', '=', '\\', '\u{e9}', '"'][usize::from(at) % 6],
        );
    }
    text
}

fn apply(inner: &mut Vec<Field>, outer: &mut Vec<Field>, edits: &[Edit], keys: &Keys) {
    for edit in edits.iter().take(16) {
        let all = inner.len() + outer.len();
        if all == 0 {
            return;
        }
        let at = usize::from(edit.field) % all;
        let (fields, at) = if at < inner.len() { (&mut *inner, at) } else { (&mut *outer, at - inner.len()) };
        let text = |text: &str| Value::from(text).to_string();
        let new = match &edit.change {
            Change::Missing => {
                fields.remove(at);
                continue;
            }
            Change::Null => "null".to_owned(),
            Change::Text(value) => text(value),
            Change::Integer(number) => number.to_string(),
            Change::Digits(digits) => "9".repeat(usize::from(*digits) * 4 + 1),
            Change::Exponent(exponent) => format!("1e{exponent}"),
            Change::Bool(value) => value.to_string(),
            Change::Bytes(len) => text(&Base64::encode_string(&vec![7; usize::from(*len) % 10_000])),
            Change::Secret { bytes, broken } if fields[at].name == "Plaintext" => {
                text(&secret(*bytes, *broken))
            }
            Change::Secret { .. } => continue,
            Change::Key { which, name } => text(&keys.name(which % 3, *name)),
            Change::Deep(depth) => deep(depth % 2 == 0, *depth, true),
            Change::Twice(value) => {
                let twin = Field { name: fields[at].name.clone(), json: text(value) };
                fields.push(twin);
                continue;
            }
            Change::Renamed(how) => {
                let name = &mut fields[at].name;
                *name = match how % 5 {
                    0 => name.to_lowercase(),
                    1 => name.to_uppercase(),
                    2 => format!("{name} "),
                    3 => format!("{name}\0"),
                    _ => String::new(),
                };
                continue;
            }
            Change::Plaintext => {
                fields.push(field("Plaintext", Base64::encode_string(&ROOT).into()));
                continue;
            }
            Change::Word(which) => text(WORDS[usize::from(*which) % WORDS.len()]),
            Change::Json(json) => json.clone(),
        };
        fields[at].json = new;
    }
}

/// An answer as it goes over the wire.
pub struct Sent {
    pub bytes: Vec<u8>,
    /// Status and body, where it is certain that they are read so.
    pub known: Option<(u16, Vec<u8>)>,
    /// Whether another answer may follow on the same connection.
    pub goes_on: bool,
}

/// KMS's own answer.
pub fn usual(operation: &str, request: &Value, keys: &Keys) -> Sent {
    let answer =
        Answer { status: None, headers: Vec::new(), body: Body::Proper(Vec::new()), end: End::Whole };
    answer.send(operation, request, keys)
}

impl Answer {
    pub fn send(&self, operation: &str, request: &Value, keys: &Keys) -> Sent {
        let mut status = self.status.map_or(200, |status| 100 + status % 500);
        let mut body = match &self.body {
            Body::Proper(edits) => {
                let (around, mut inner, mut outer) = proper(operation, request, keys);
                apply(&mut inner, &mut outer, edits, keys);
                match around {
                    Around::Nothing => {
                        inner.extend(outer);
                        object(&inner)
                    }
                    Around::Object(name) => {
                        outer.insert(0, Field { name: name.to_owned(), json: object(&inner) });
                        object(&outer)
                    }
                    Around::List(name) => {
                        let entry = object(&inner);
                        let json = format!("[{}]", vec![entry; 1 + edits.len() % 4].join(","));
                        outer.insert(0, Field { name: name.to_owned(), json });
                        object(&outer)
                    }
                }
                .into_bytes()
            }
            Body::Error { code, other, message, edits } => {
                if self.status.is_none() {
                    status = 400;
                }
                let code = other.as_deref().unwrap_or(CODES[usize::from(*code) % CODES.len()]);
                let mut fields = vec![field("__type", code.into())];
                if let Some(message) = message {
                    fields.push(field("message", message.as_str().into()));
                }
                apply(&mut fields, &mut Vec::new(), edits, keys);
                object(&fields).into_bytes()
            }
            Body::Bytes(bytes) => bytes.clone(),
            Body::Entries { count, truncated } => {
                let entries = vec!["{}"; usize::from(*count)].join(",");
                let name = if operation == "ListGrants" { "Grants" } else { "Aliases" };
                format!("{{\"{name}\":[{entries}],\"Truncated\":{truncated},\"NextMarker\":\"{count}\"}}")
                    .into_bytes()
            }
            Body::Deep { objects, depth, closed } => deep(*objects, *depth, *closed).into_bytes(),
            Body::Wire(bytes) => return Sent { bytes: bytes.clone(), known: None, goes_on: false },
        };
        let mut goes_on = !matches!(status, 100..=199 | 204 | 205 | 304);
        let mut known = goes_on;
        match self.end {
            End::Whole | End::Cut(_) => {}
            // Longer than a list may be.
            End::Spaces(spaces) => body.resize(body.len() + spaces as usize % (1 << 21), b' '),
            End::Secret => body.extend(Base64::encode_string(&ROOT).bytes()),
        }
        let mut head = format!("HTTP/1.1 {status} Status\r\nContent-Length: {}\r\n", body.len());
        for header in self.headers.iter().take(8) {
            let (name, value) = (header.name.text(), &header.value);
            known &= header.name.is_plain();
            let line_ends = |text: &str| text.replace(['\r', '\n'], " ");
            head.push_str(&format!("{}: {}\r\n", line_ends(name), line_ends(value)));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend(&body);
        goes_on &= known;
        if let End::Cut(at) = self.end {
            let cut = usize::from(at) % (body.len() + 1);
            bytes.truncate(bytes.len() - cut);
            known &= cut == 0;
            goes_on &= cut == 0;
        }
        Sent { bytes, known: known.then_some((status, body)), goes_on }
    }
}
