//! What tracing is told of the requests, and what it is not.
//!
//! Each request has a span of level DEBUG with the name `kms`, within the span that the caller is in: the operation, the
//! key and its region, the service's number for the request, and the class of what went wrong. Nothing of it is secret.
//!
//! The SDK has events of its own. Those of level TRACE hold whole requests, in which are plaintext keys on their way to
//! be wrapped, wrapped keys and grant tokens; so they are held back, whatever the caller's subscriber would take.

use tracing::instrument::{Instrument as _, WithSubscriber as _};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, NoSubscriber};
use tracing::{Dispatch, Event, Level, Metadata, Span, Subscriber, dispatcher};

/// Sends a request for a key, within a span that tells of it.
macro_rules! send {
    ($kms:expr, $operation:expr, $key:expr, $request:expr) => {{
        use aws_sdk_kms::operation::RequestId as _;
        use tracing::{Instrument as _, field};
        let span = tracing::debug_span!(
            "kms",
            operation = $operation,
            key = $key,
            region = $kms.region($key),
            request_id = field::Empty,
            class = field::Empty
        );
        let answer = $request.send().instrument(span.clone()).await;
        let id = match &answer {
            Ok(answer) => answer.request_id(),
            Err(error) => error.request_id(),
        };
        span.record("request_id", id);
        answer.map_err(|error| {
            let error = $crate::fault::fault($operation, $key, error);
            span.record("class", field::display(error.class()));
            error
        })
    }};
}
pub(super) use send;

/// Where a call comes from, for what is done for it on another thread.
pub struct Caller {
    span: Span,
    subscriber: Dispatch,
}

impl Caller {
    /// The caller of this thread.
    pub fn here() -> Caller {
        let subscriber = dispatcher::get_default(|subscriber| match subscriber.is::<NoSubscriber>() {
            true => subscriber.clone(),
            false => Dispatch::new(Discreet { inner: subscriber.clone(), level: LevelFilter::current() }),
        });
        Caller { span: Span::current(), subscriber }
    }

    /// Has `work` take part in the caller's span, and tell the caller's subscriber of itself.
    pub async fn traced<F: Future>(self, work: F) -> F::Output {
        work.instrument(self.span).with_subscriber(self.subscriber).await
    }
}

/// The caller's subscriber, without what other crates have to say at level TRACE.
struct Discreet {
    inner: Dispatch,
    level: LevelFilter,
}

fn is_held_back(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    let ours = target.split("::").next() == Some(env!("CARGO_CRATE_NAME"));
    *metadata.level() == Level::TRACE && !ours
}

impl Subscriber for Discreet {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        match is_held_back(metadata) {
            true => Interest::never(),
            false => self.inner.register_callsite(metadata),
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        !is_held_back(metadata) && self.inner.enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.level)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.inner.new_span(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.inner.record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.inner.record_follows_from(span, follows);
    }

    fn event(&self, event: &Event<'_>) {
        self.inner.event(event);
    }

    fn enter(&self, span: &Id) {
        self.inner.enter(span);
    }

    fn exit(&self, span: &Id) {
        self.inner.exit(span);
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.inner.clone_span(span)
    }

    fn try_close(&self, span: Id) -> bool {
        self.inner.try_close(span)
    }
}
