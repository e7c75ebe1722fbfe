use std::fmt::Display;

use safefile::tonic::Code;
use safefile::{Error, ServiceError};
use serde_json::{Map, Value, json};

/// Why a command failed.
pub enum Failure {
    Service(Box<ServiceError>),
    Other(String),
    /// One that was rendered when it came.
    Known(Value),
}

impl Failure {
    pub fn other(error: impl Display) -> Self {
        Failure::Other(error.to_string())
    }

    pub fn json(&self) -> Value {
        match self {
            Failure::Service(error) => service_json(error),
            Failure::Other(message) => json!({"other": message}),
            Failure::Known(value) => value.clone(),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Service(error) => Failure::Service(error),
            other => Failure::other(other),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Failure::other(error)
    }
}

pub fn service_json(error: &ServiceError) -> Value {
    let mut out = Map::new();
    let mut set = |name: &str, value: Value| out.insert(name.into(), value);
    set("code", code_name(error.code).into());
    set("message", error.message.clone().into());
    set("metadata", json!(error.metadata));
    let fields = error.field_violations.iter();
    let fields = fields.map(|it| json!({"field": it.field, "description": it.description}));
    set("fieldViolations", fields.collect());
    let conditions = error.condition_violations.iter();
    let conditions =
        conditions.map(|it| json!({"type": it.kind, "subject": it.subject, "description": it.description}));
    set("preconditionViolations", conditions.collect());
    if let Some(reason) = &error.reason {
        set("reason", reason.clone().into());
    }
    if let Some(outcome) = error.outcome {
        set("outcome", outcome.as_str().into());
    }
    if let Some(stage) = error.stage() {
        set("stage", stage.into());
    }
    if let Some(id) = error.request_id() {
        set("requestId", id.into());
    }
    if let Some(after) = error.retry_after {
        set("retryAfterMs", json!(after.as_millis() as u64));
    }
    if let Some(resource) = &error.resource {
        set("resource", json!({"type": resource.kind, "name": resource.name}));
    }
    Value::Object(out)
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
