//! From the SDK's errors to classes that a caller can act on. The SDK's own texts say little ("service error"): code,
//! message and request id are taken from the answer.

use super::routes::{InsecureEndpoint, TooLong};
use atrest::keys::{ErrorClass, ProviderError, ServiceAnswer};
use atrest::text::excerpt;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_kms::config::http::HttpResponse;
use aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_kms::operation::RequestId as _;
use std::error::Error;
use std::fmt::Write as _;

/// The error of `operation` on `key`.
pub fn fault<E>(operation: &str, key: &str, error: SdkError<E, HttpResponse>) -> ProviderError
where
    E: ProvideErrorMetadata + Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let request_id = error.request_id().map(str::to_owned);
    let (class, answer, cause) = match &error {
        SdkError::ServiceError(context) => {
            let meta = context.err().meta();
            let mut answer = ServiceAnswer::default();
            answer.code = meta.code().map(printable);
            answer.message = meta.message().map(printable);
            answer.request_id = request_id.as_deref().map(printable);
            let class = match &answer.code {
                Some(code) => of_code(code).unwrap_or_else(|| of_status(status)),
                None => of_status(status),
            };
            let cause = match (&answer.code, &answer.message) {
                (Some(code), Some(message)) => format!("{code}: {message}"),
                (Some(code), None) => code.clone(),
                _ => format!("an answer with status {} that is none of KMS", status.unwrap_or(0)),
            };
            (class, Some(answer), cause)
        }
        other => {
            let (class, cause) = local(other);
            (class, None, cause)
        }
    };
    let mut message = format!("AWS KMS {operation} with the key {key} failed: {class} ({cause}");
    if let Some(id) = &request_id {
        // Writing to a string does not fail.
        let _ = write!(message, "; request {}", printable(id));
    }
    message.push(')');
    if let Some(advice) = advice(class, operation) {
        message.push_str("; ");
        message.push_str(&advice);
    }
    let error = ProviderError::new(class, message);
    match answer {
        Some(answer) => error.with_answer(answer),
        None => error,
    }
}

/// An answer that no KMS gives.
pub fn malformed(operation: &str, key: &str, why: &str) -> ProviderError {
    ProviderError::new(
        ErrorClass::Malformed,
        format!("the answer of AWS KMS to {operation} with the key {key} is not usable: {why}"),
    )
}

/// The class of a code of KMS, or of what stands before it. `None` for one that is not known.
fn of_code(code: &str) -> Option<ErrorClass> {
    Some(match code {
        "AccessDeniedException" | "AccessDenied" | "NotAuthorizedException" => ErrorClass::NotAuthorised,
        "NotFoundException" => ErrorClass::KeyNotFound,
        "DisabledException" => ErrorClass::KeyDisabled,
        // Disabled, pending deletion, or else: only a description of the key tells.
        "KMSInvalidStateException" | "KeyUnavailableException" => ErrorClass::KeyUnavailable,
        "IncorrectKeyException" => ErrorClass::WrongKey,
        "InvalidCiphertextException" => ErrorClass::ContextMismatchOrCorrupt,
        "InvalidKeyUsageException" | "UnsupportedOperationException" => ErrorClass::WrongKeyType,
        "LimitExceededException" => ErrorClass::LimitExceeded,
        "ThrottlingException"
        | "Throttling"
        | "TooManyRequestsException"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "SlowDown" => ErrorClass::Throttled,
        "DependencyTimeoutException" => ErrorClass::TimedOut,
        "KMSInternalException"
        | "InternalFailure"
        | "InternalServerError"
        | "ServiceUnavailable"
        | "ServiceUnavailableException" => ErrorClass::Unreachable,
        "ExpiredTokenException"
        | "ExpiredToken"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "OptInRequired" => ErrorClass::NoCredentials,
        "InvalidArnException" => ErrorClass::KeyName,
        "ValidationException"
        | "InvalidGrantTokenException"
        | "InvalidGrantIdException"
        | "InvalidMarkerException"
        | "SerializationException" => ErrorClass::InvalidRequest,
        _ => return None,
    })
}

fn of_status(status: Option<u16>) -> ErrorClass {
    match status {
        Some(401) => ErrorClass::NoCredentials,
        Some(403) => ErrorClass::NotAuthorised,
        Some(429) => ErrorClass::Throttled,
        Some(500..=599) => ErrorClass::Unreachable,
        _ => ErrorClass::Malformed,
    }
}

/// What failed before an answer was there, or with an answer that cannot be read.
fn local<E>(error: &SdkError<E, HttpResponse>) -> (ErrorClass, String)
where
    E: Error + Send + Sync + 'static,
{
    // Those of our own first: a token service may have been what was asked.
    if let Some(cause) = causes(error).find(|cause| cause.is::<InsecureEndpoint>()) {
        return (ErrorClass::InvalidRequest, chain(cause));
    }
    if let Some(cause) = causes(error).find(|cause| cause.is::<CredentialsError>()) {
        return (ErrorClass::NoCredentials, chain(cause));
    }
    if let Some(cause) = causes(error).find(|cause| cause.is::<TooLong>()) {
        return (ErrorClass::Malformed, chain(cause));
    }
    let class = match error {
        SdkError::TimeoutError(_) => ErrorClass::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_timeout() => ErrorClass::TimedOut,
        SdkError::DispatchFailure(failure) if failure.is_user() => ErrorClass::InvalidRequest,
        SdkError::DispatchFailure(_) => ErrorClass::Unreachable,
        SdkError::ResponseError(_) => ErrorClass::Malformed,
        _ => ErrorClass::InvalidRequest,
    };
    (class, error.source().map_or_else(|| class.message().to_owned(), chain))
}

/// What an error comes from, step by step.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| cause.source())
}

/// An error with its causes, in one line.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = printable(&error.to_string());
        // Many only repeat what is behind them.
        if texts.last().is_none_or(|last| !last.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    printable(&texts.join(": "))
}

fn advice(class: ErrorClass, operation: &str) -> Option<String> {
    Some(match class {
        ErrorClass::NotAuthorised => {
            format!("the key's owner can allow kms:{operation} by a grant or the key's policy")
        }
        ErrorClass::KeyDisabled => "the key's owner can enable it again".to_owned(),
        ErrorClass::KeyNotFound => "check its name, the region and the account".to_owned(),
        ErrorClass::NoCredentials => {
            "set up AWS credentials, or renew them, and check the clock of this machine".to_owned()
        }
        ErrorClass::Throttled | ErrorClass::TimedOut => "try again later".to_owned(),
        ErrorClass::Unreachable => "check the network, the region and the endpoint, and try again".to_owned(),
        ErrorClass::ContextMismatchOrCorrupt => {
            "the wrapping belongs to another volume, or was changed; restore the header from a backup"
                .to_owned()
        }
        ErrorClass::LimitExceeded => {
            "remove grants that are not needed any more, or raise the quota".to_owned()
        }
        _ => return None,
    })
}

/// A text of the service as part of one line, and no longer than one.
pub fn printable(text: &str) -> String {
    excerpt(text, 300)
}
