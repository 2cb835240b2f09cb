//! What a subscriber of tracing gets to see: each request with its region and number, and no secret.

use std::collections::BTreeMap;
use std::fmt::{Debug, Write as _};
use std::sync::{Arc, Mutex};

use atrest::keys::{
    Class, EncryptionContext, Envelope, Expect, GrantRequest, KeyProvider as _, Providers, RootKey, block_on,
    new_uuid,
};
use atrest_aws_kms::AwsKms;
use base64ct::{Base64, Encoding as _};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, dispatcher};
use tracing_core::span::Current;

use crate::Own;
use crate::fake::Fault;
use crate::server::Server;

pub const OWN: &[(&str, Own)] = &[
    ("each_request_has_a_span", each_request_has_a_span),
    ("a_log_of_everything_holds_no_secret", a_log_of_everything_holds_no_secret),
];

/// Everything that is told, at every level.
#[derive(Clone, Default)]
struct Listener(Arc<Mutex<Heard>>);

#[derive(Default)]
struct Heard {
    spans: Vec<Told>,
    metadata: Vec<&'static Metadata<'static>>,
    /// Of the threads that are in a span, where that is.
    entered: Vec<(std::thread::ThreadId, u64)>,
    events: Vec<(Level, String)>,
    text: String,
}

#[derive(Clone, Default)]
struct Told {
    name: &'static str,
    parent: Option<u64>,
    fields: BTreeMap<&'static str, String>,
}

struct Fields<'a>(&'a mut BTreeMap<&'static str, String>, &'a mut String);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let value = format!("{value:?}");
        writeln!(self.1, "{}={value}", field.name()).unwrap();
        self.0.insert(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        writeln!(self.1, "{}={value}", field.name()).unwrap();
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Listener {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let heard = &mut *self.0.lock().unwrap();
        let mut told = Told { name: span.metadata().name(), ..Told::default() };
        let thread = std::thread::current().id();
        let inner = heard.entered.iter().rev().find(|(of, _)| *of == thread).map(|(_, id)| *id);
        told.parent = span.parent().map(Id::into_u64).or(inner.filter(|_| span.is_contextual()));
        span.record(&mut Fields(&mut told.fields, &mut heard.text));
        heard.spans.push(told);
        heard.metadata.push(span.metadata());
        Id::from_u64(heard.spans.len() as u64)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        let heard = &mut *self.0.lock().unwrap();
        let told = &mut heard.spans[span.into_u64() as usize - 1];
        values.record(&mut Fields(&mut told.fields, &mut heard.text));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let heard = &mut *self.0.lock().unwrap();
        heard.events.push((*event.metadata().level(), event.metadata().target().to_owned()));
        event.record(&mut Fields(&mut BTreeMap::new(), &mut heard.text));
    }

    fn current_span(&self) -> Current {
        let heard = &*self.0.lock().unwrap();
        let this = std::thread::current().id();
        match heard.entered.iter().rev().find(|(thread, _)| *thread == this) {
            Some((_, id)) => Current::new(Id::from_u64(*id), heard.metadata[*id as usize - 1]),
            None => Current::none(),
        }
    }

    fn enter(&self, span: &Id) {
        self.0.lock().unwrap().entered.push((std::thread::current().id(), span.into_u64()));
    }

    fn exit(&self, span: &Id) {
        let heard = &mut *self.0.lock().unwrap();
        let this = (std::thread::current().id(), span.into_u64());
        let last = heard.entered.iter().rposition(|entered| *entered == this).unwrap();
        heard.entered.remove(last);
    }
}

impl Listener {
    /// Does `work` within a span `volume`, and listens.
    fn listen<T>(&self, work: impl FnOnce() -> T) -> T {
        dispatcher::with_default(&Dispatch::new(self.clone()), || {
            let span = tracing::info_span!("volume");
            span.in_scope(work)
        })
    }

    /// The requests since the last time: operation, region, and class of the error.
    fn requests(&self) -> Vec<[String; 3]> {
        let heard = &mut *self.0.lock().unwrap();
        let mut requests = Vec::new();
        for span in heard.spans.iter().filter(|span| span.name == "kms") {
            let parent = span.parent.expect("the span is the caller's child") as usize;
            assert_eq!(heard.spans[parent - 1].name, "volume");
            assert_eq!(span.fields["request_id"], "11111111-2222-3333-4444-555555555555");
            let names: Vec<&str> = span.fields.keys().copied().filter(|name| *name != "class").collect();
            assert_eq!(names, ["key", "operation", "region", "request_id"]);
            assert!(span.fields["key"].contains(&span.fields["region"]), "{:?}", span.fields);
            let field = |name| span.fields.get(name).cloned().unwrap_or_default();
            requests.push([field("operation"), field("region"), field("class")]);
        }
        heard.spans.iter_mut().for_each(|span| span.name = "");
        requests
    }
}

fn each_request_has_a_span() {
    let (server, fake) = Server::fake();
    let keys = ["us-east-1", "eu-west-1"].map(|region| server.key_in(region));
    let kms = server.provider();
    let listener = Listener::default();
    let create =
        |key: &str| block_on(Envelope::create(&kms, key, new_uuid().unwrap(), Class::Persistent)).unwrap().0;
    let request = |operation: &str, region: &str, class: &str| [operation, region, class].map(str::to_owned);
    for (key, region) in keys.iter().zip(["us-east-1", "eu-west-1"]) {
        let envelope = listener.listen(|| create(key));
        let made = ["GenerateDataKeyWithoutPlaintext", "DescribeKey", "Decrypt"];
        assert_eq!(listener.requests(), made.map(|operation| request(operation, region, "")));
        fake.fault("Decrypt", Fault::Code("AccessDeniedException"), 1);
        let providers = Providers::new().with(kms.clone());
        listener.listen(|| block_on(envelope.open(&providers, &Expect::any())).unwrap_err());
        let expected = [request("Decrypt", region, "not authorised"), request("DescribeKey", region, "")];
        assert_eq!(listener.requests(), expected);
    }
    // Nobody listens any more, and nothing goes on.
    create(&keys[0]);
    assert!(listener.requests().is_empty());
}

/// The SDK tells at level TRACE whole requests. What a service logs in a bad hour is everything.
fn a_log_of_everything_holds_no_secret() {
    let (server, fake) = Server::fake();
    let key = server.key();
    let mut options = server.options();
    options.grant_tokens = vec!["0123456789abcdef-a-token-from-elsewhere".to_owned()];
    let listener = Listener::default();
    let root = RootKey::generate().unwrap();
    let (wrapped, token) = listener.listen(|| {
        let kms = AwsKms::new(options).unwrap();
        let volume = new_uuid().unwrap();
        let context = EncryptionContext::for_volume(volume);
        let wrapped = block_on(kms.wrap(&root, &key, &context)).unwrap();
        assert_eq!(block_on(kms.unwrap(&wrapped)).unwrap().expose(), root.expose());
        let (envelope, _) = block_on(Envelope::create(&kms, &key, volume, Class::Persistent)).unwrap();
        let providers = Providers::new().with(kms.clone());
        let again = block_on(envelope.rewrap(0, "aws", &key, &providers, &Expect::any())).unwrap().envelope;
        block_on(again.open(&providers, &Expect::any())).unwrap();
        let admin = kms.admin().unwrap();
        let request = GrantRequest::to_open("arn:aws:iam::111122223333:role/user");
        let grant = block_on(admin.grant(&key, &request)).unwrap();
        block_on(admin.check(&key, Some(&wrapped))).unwrap();
        block_on(admin.grants(&key)).unwrap();
        // Faults are told in more words.
        for fault in [Fault::WrongKey, Fault::PlaintextLength(31), Fault::HalfJson, Fault::Html] {
            fake.fault("Decrypt", fault, 1);
            block_on(kms.unwrap(&wrapped)).unwrap_err();
        }
        fake.fault("Encrypt", Fault::Code("AccessDeniedException"), 1);
        block_on(kms.wrap(&root, &key, &context)).unwrap_err();
        (wrapped, grant.token.unwrap())
    });
    let heard = listener.0.lock().unwrap();
    // It was listened to in earnest: the SDK told of itself, in spans and at level DEBUG.
    assert!(heard.text.contains(&key) && heard.text.contains("not authorised"));
    let of_sdk = |(_, target): &&(Level, String)| target.starts_with("aws_");
    assert!(heard.events.iter().filter(of_sdk).count() > 20);
    assert!(heard.spans.iter().any(|span| span.name == "try_attempt"));
    let mut secrets = vec![token, "0123456789abcdef-a-token-from-elsewhere".to_owned()];
    let state = fake.state();
    let ciphertexts = state.sealed.keys().map(Vec::as_slice);
    let plaintexts = state.sealed.values().map(|sealed| sealed.plaintext.as_slice());
    let sealed: Vec<&[u8]> = ciphertexts.chain(plaintexts).collect();
    assert!(sealed.contains(&root.expose().as_slice()) && sealed.contains(&wrapped.wrapped.as_slice()));
    for bytes in sealed {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let list = format!("{bytes:?}");
        secrets.extend([Base64::encode_string(bytes), hex, list]);
    }
    for secret in secrets {
        let found = heard.text.find(&secret);
        let line = |at: usize| heard.text[..at].rsplit('\n').next().unwrap_or_default().len();
        assert!(found.is_none(), "{secret:?} is told, {} bytes into a line", line(found.unwrap()));
    }
    let loud = heard.events.iter().find(|(level, _)| *level == Level::TRACE);
    assert_eq!(loud, None, "nothing of level TRACE");
}
