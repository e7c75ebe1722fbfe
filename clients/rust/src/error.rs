use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use tonic::{Code, Status};
use tonic_types::pb;

const DOMAIN: &str = "safefile";

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The service refused it, or it could not be reached.
    #[error(transparent)]
    Service(Box<ServiceError>),
    /// The source of an upload could not be read. Nothing was changed: when an earlier attempt may have committed, this
    /// is the source of a [`ServiceError`] with the outcome `Unknown`.
    #[error("the source of the upload failed: {0}")]
    Source(#[source] io::Error),
    /// The content is larger than the caller wants in memory.
    #[error("{path} has {size_bytes} bytes, more than {bytes_max}: use download()")]
    TooLarge {
        /// What was read.
        path: String,
        /// How many bytes would have come.
        size_bytes: u64,
        /// How many were allowed.
        bytes_max: u64,
    },
    /// A lock ended while it was held: what was done last under it may not have been alone.
    #[error("the lock {lock_id} was lost")]
    LockLost {
        /// Which lock.
        lock_id: String,
        /// Why it could not be renewed. None when only its time ran out.
        #[source]
        cause: Option<Box<ServiceError>>,
    },
    /// The options of the client cannot be used.
    #[error("{0}")]
    Configuration(String),
}

impl Error {
    /// The facts of an error of the service; of a lost lock, why it was lost.
    pub fn service(&self) -> Option<&ServiceError> {
        match self {
            Error::Service(error) => Some(error),
            Error::LockLost { cause, .. } => cause.as_deref(),
            _ => None,
        }
    }

    /// Whether the service gave this reason, for example "PRECONDITION_FAILED".
    pub fn is_reason(&self, reason: &str) -> bool {
        self.service().and_then(|error| error.reason.as_deref()) == Some(reason)
    }
}

impl From<ServiceError> for Error {
    fn from(error: ServiceError) -> Self {
        Error::Service(Box::new(error))
    }
}

/// For readers of a [`Download`](crate::Download) through `AsyncRead`: the cause is in `get_ref`.
impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        io::Error::other(error)
    }
}

/// What became of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Nothing changed.
    NotCommitted,
    /// The change is durable and visible.
    Committed,
    /// Not known: repeat the call with the same request id to learn it.
    Unknown,
}

impl Outcome {
    /// As in the metadata of errors: "NOT_COMMITTED".
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::NotCommitted => "NOT_COMMITTED",
            Outcome::Committed => "COMMITTED",
            Outcome::Unknown => "UNKNOWN",
        }
    }

    fn named(name: &str) -> Option<Self> {
        [Outcome::NotCommitted, Outcome::Committed, Outcome::Unknown]
            .into_iter()
            .find(|outcome| outcome.as_str() == name)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A field of the request and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldViolation {
    /// Its name.
    pub field: String,
    /// What is wrong.
    pub description: String,
}

/// A condition that did not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConditionViolation {
    /// Which kind of condition.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// What was found.
    pub description: String,
}

/// A limit that was met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaViolation {
    /// What it is about.
    pub subject: String,
    /// What was found.
    pub description: String,
}

/// What was not found, or was in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// Which kind of thing.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A call that failed: why, and what that means for the file.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServiceError {
    /// The gRPC status code.
    pub code: Code,
    /// A sentence for people.
    pub message: String,
    /// An `ErrorReason` without its prefix. None when the error is not of the service itself.
    pub reason: Option<String>,
    /// What became of the file. Set for every failed change.
    pub outcome: Option<Outcome>,
    /// Every dynamic value of the message, as text; errors.proto has the keys.
    pub metadata: BTreeMap<String, String>,
    /// Fields of the request that are wrong.
    pub field_violations: Vec<FieldViolation>,
    /// Conditions that did not hold.
    pub condition_violations: Vec<ConditionViolation>,
    /// Limits that were met.
    pub quota_violations: Vec<QuotaViolation>,
    /// When the service says that the call may be repeated.
    pub retry_after: Option<Duration>,
    /// What was not found, or was in the way.
    pub resource: Option<Resource>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl ServiceError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        ServiceError {
            code,
            message: message.into(),
            reason: None,
            outcome: None,
            metadata: BTreeMap::new(),
            field_violations: Vec::new(),
            condition_violations: Vec::new(),
            quota_violations: Vec::new(),
            retry_after: None,
            resource: None,
            source: None,
        }
    }

    /// Of a change: the id with which it can be repeated.
    pub fn request_id(&self) -> Option<&str> {
        self.metadata.get("request_id").map(String::as_str)
    }

    /// The stage that failed, for example "lock". None when no stage ran.
    pub fn stage(&self) -> Option<&str> {
        self.metadata.get("stage").map(String::as_str)
    }

    /// The error that a call ended with.
    pub fn from_status(status: Status) -> Self {
        // A proxy, or another service at this address, may send anything: then code and message are left.
        let found = pb::Status::decode(status.details()).ok().filter(|_| !status.details().is_empty());
        let mut error = ServiceError::new(status.code(), status.message());
        if let Some(found) = found {
            if !found.message.is_empty() {
                error.message.clone_from(&found.message);
            }
            error.read(&found);
        }
        error.source = Some(Arc::new(status));
        error
    }

    /// An error that came inside a message, as in `RestoreItem`.
    pub fn from_message(status: &pb::Status) -> Self {
        let mut error = ServiceError::new(Code::from_i32(status.code), status.message.clone());
        error.read(status);
        error
    }

    pub(crate) fn with_outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = Some(outcome);
        self
    }

    pub(crate) fn with_request_id(mut self, request_id: &str) -> Self {
        self.metadata.entry("request_id".into()).or_insert_with(|| request_id.into());
        self
    }

    /// What else ended the call.
    pub(crate) fn because(mut self, cause: Error) -> Self {
        self.source = Some(Arc::new(cause));
        self
    }

    fn read(&mut self, status: &pb::Status) {
        let details = &status.details;
        if let Some(info) = find::<pb::ErrorInfo>(details, "ErrorInfo")
            && info.domain == DOMAIN
        {
            self.outcome = info.metadata.get("outcome").and_then(|name| Outcome::named(name));
            self.reason = Some(info.reason).filter(|reason| !reason.is_empty());
            self.metadata = info.metadata.into_iter().collect();
        }
        if let Some(found) = find::<pb::BadRequest>(details, "BadRequest") {
            self.field_violations = (found.field_violations.into_iter())
                .map(|it| FieldViolation { field: it.field, description: it.description })
                .collect();
        }
        if let Some(found) = find::<pb::PreconditionFailure>(details, "PreconditionFailure") {
            self.condition_violations = (found.violations.into_iter())
                .map(|it| ConditionViolation { kind: it.r#type, subject: it.subject, description: it.description })
                .collect();
        }
        if let Some(found) = find::<pb::QuotaFailure>(details, "QuotaFailure") {
            self.quota_violations = (found.violations.into_iter())
                .map(|it| QuotaViolation { subject: it.subject, description: it.description })
                .collect();
        }
        self.retry_after = find::<pb::RetryInfo>(details, "RetryInfo")
            .and_then(|info| info.retry_delay)
            .and_then(|delay| Duration::try_from(delay).ok());
        self.resource = find::<pb::ResourceInfo>(details, "ResourceInfo")
            .map(|found| Resource { kind: found.resource_type, name: found.resource_name });
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ServiceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|cause| cause as &(dyn std::error::Error + 'static))
    }
}

/// The first detail of this type. None also when it cannot be read: the others still can.
fn find<M: Message + Default>(details: &[prost_types::Any], name: &str) -> Option<M> {
    let is_wanted = |url: &str| url.rsplit('/').next().and_then(|it| it.strip_prefix("google.rpc.")) == Some(name);
    let detail = details.iter().find(|any| is_wanted(&any.type_url))?;
    M::decode(detail.value.as_slice()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn any(name: &str, message: &impl Message) -> prost_types::Any {
        prost_types::Any { type_url: format!("type.googleapis.com/google.rpc.{name}"), value: message.encode_to_vec() }
    }

    fn status(domain: &str) -> pb::Status {
        let metadata = [("outcome", "NOT_COMMITTED"), ("stage", "lock"), ("request_id", "r-1")]
            .map(|(key, value)| (key.to_string(), value.to_string()));
        let info = pb::ErrorInfo {
            reason: "LOCK_TIMEOUT".into(),
            domain: domain.into(),
            metadata: metadata.into_iter().collect(),
        };
        let retry = pb::RetryInfo { retry_delay: Some(prost_types::Duration { seconds: 1, nanos: 500_000_000 }) };
        let resource =
            pb::ResourceInfo { resource_type: "file".into(), resource_name: "a/b".into(), ..Default::default() };
        pb::Status {
            code: Code::Aborted as i32,
            message: "in the details".into(),
            details: vec![
                any("ErrorInfo", &info),
                any("RetryInfo", &retry),
                any("ResourceInfo", &resource),
                prost_types::Any { type_url: "type.googleapis.com/google.rpc.BadRequest".into(), value: vec![0xff] },
            ],
        }
    }

    #[test]
    fn details_become_facts() {
        let details = status("safefile").encode_to_vec();
        let error = ServiceError::from_status(Status::with_details(Code::Aborted, "short", details.into()));
        assert_eq!(error.message, "in the details");
        assert_eq!(error.reason.as_deref(), Some("LOCK_TIMEOUT"));
        assert_eq!(error.outcome, Some(Outcome::NotCommitted));
        assert_eq!((error.stage(), error.request_id()), (Some("lock"), Some("r-1")));
        assert_eq!(error.retry_after, Some(Duration::from_millis(1500)));
        assert_eq!(error.resource.unwrap().name, "a/b");
        assert!(error.field_violations.is_empty());
    }

    #[test]
    fn another_domain_is_not_read() {
        let error = ServiceError::from_message(&status("example.com"));
        assert_eq!((error.reason, error.outcome), (None, None));
        assert!(error.metadata.is_empty());
    }

    #[test]
    fn what_cannot_be_decoded_leaves_code_and_message() {
        let broken = bytes::Bytes::from_static(&[0xff, 0xff]);
        let error = ServiceError::from_status(Status::with_details(Code::Internal, "short", broken));
        assert_eq!((error.code, error.message.as_str()), (Code::Internal, "short"));
    }
}
