use std::error::Error as StdError;

use h2::Reason;
use tonic::{Code, ConnectError, Status, TimeoutExpired};

use crate::error::{Error, Outcome, ServiceError};

/// What tonic made of a call that got no answer says little by its code: a broken connection is UNKNOWN or CANCELLED.
/// So the code comes from the cause.
struct Broken {
    code: Code,
    /// Nothing was done by this call for certain.
    never_sent: bool,
}

/// The error of a call, with the outcome that follows when the service itself said none: a change that was never
/// sent, or that the server does not know, is NOT_COMMITTED; of any other nobody knows (`unanswered`). Errors of calls
/// that change nothing, those without a request id, say no outcome of their own.
pub(crate) fn failed(status: Status, request_id: Option<&str>, unanswered: Outcome) -> Error {
    let (error, never_sent) = read(status);
    let Some(request_id) = request_id else {
        return error.into();
    };
    let is_refused = match error.reason.as_deref() {
        Some("OUTCOME_UNKNOWN" | "INTERNAL") => false,
        Some(_) => true,
        None => never_sent || error.code == Code::Unimplemented,
    };
    let outcome = error.outcome.unwrap_or(if is_refused { Outcome::NotCommitted } else { unanswered });
    error.with_outcome(outcome).with_request_id(request_id).into()
}

/// The error of a stream that only reads.
pub(crate) fn read_failed(status: Status) -> Error {
    read(status).0.into()
}

fn read(status: Status) -> (ServiceError, bool) {
    let Some(cause) = status.source() else {
        return (ServiceError::from_status(status), false);
    };
    let Broken { code, never_sent } = classify(cause);
    let message = match code {
        Code::DeadlineExceeded => "The call took longer than its deadline.".into(),
        _ if never_sent => format!("No connection to the service: {}.", deepest(cause)),
        _ => format!("The connection to the service broke: {}.", deepest(cause)),
    };
    let mut error = ServiceError::from_status(status);
    (error.code, error.message) = (code, message);
    (error, never_sent)
}

fn classify(cause: &(dyn StdError + 'static)) -> Broken {
    let mut next = Some(cause);
    while let Some(error) = next {
        if error.is::<TimeoutExpired>() {
            return Broken { code: Code::DeadlineExceeded, never_sent: false };
        }
        if error.is::<ConnectError>() {
            return Broken { code: Code::Unavailable, never_sent: true };
        }
        if let Some(error) = error.downcast_ref::<h2::Error>()
            && error.is_reset()
            && error.is_remote()
        {
            return reset(error.reason());
        }
        next = error.source();
    }
    Broken { code: Code::Unavailable, never_sent: false }
}

/// As the gRPC protocol maps them.
fn reset(reason: Option<Reason>) -> Broken {
    let code = match reason {
        Some(Reason::REFUSED_STREAM) => Code::Unavailable,
        Some(Reason::CANCEL) => Code::Cancelled,
        Some(Reason::ENHANCE_YOUR_CALM) => Code::ResourceExhausted,
        Some(Reason::INADEQUATE_SECURITY) => Code::PermissionDenied,
        _ => Code::Internal,
    };
    Broken { code, never_sent: reason == Some(Reason::REFUSED_STREAM) }
}

fn deepest(cause: &(dyn StdError + 'static)) -> String {
    let mut deepest = cause;
    while let Some(next) = deepest.source() {
        deepest = next;
    }
    deepest.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;
    use std::sync::Arc;

    fn service(status: Status, unanswered: Outcome) -> ServiceError {
        match failed(status, Some("r-1"), unanswered) {
            Error::Service(error) => *error,
            other => panic!("{other}"),
        }
    }

    fn caused_by(error: impl StdError + Send + Sync + 'static) -> Status {
        let mut status = Status::unknown("transport error");
        status.set_source(Arc::new(error));
        status
    }

    #[test]
    fn a_broken_connection_is_unavailable_and_leaves_the_outcome_open() {
        let broken = || caused_by(io::Error::from(io::ErrorKind::ConnectionReset));
        let error = service(broken(), Outcome::Unknown);
        assert_eq!((error.code, error.outcome), (Code::Unavailable, Some(Outcome::Unknown)));
        assert_eq!(error.request_id(), Some("r-1"));
        assert_eq!(service(broken(), Outcome::NotCommitted).outcome, Some(Outcome::NotCommitted));
    }

    #[test]
    fn what_was_never_sent_changed_nothing() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let error = service(caused_by(ConnectError(Box::new(refused))), Outcome::Unknown);
        assert_eq!((error.code, error.outcome), (Code::Unavailable, Some(Outcome::NotCommitted)));
        assert!(error.message.starts_with("No connection"), "{}", error.message);
    }

    #[test]
    fn a_local_deadline_is_no_cancellation() {
        let error = service(caused_by(TimeoutExpired(())), Outcome::Unknown);
        assert_eq!((error.code, error.outcome), (Code::DeadlineExceeded, Some(Outcome::Unknown)));
    }

    #[test]
    fn a_server_that_does_not_know_the_call_changed_nothing() {
        assert_eq!(service(Status::unimplemented("no"), Outcome::Unknown).outcome, Some(Outcome::NotCommitted));
        assert_eq!(service(Status::internal("no"), Outcome::Unknown).outcome, Some(Outcome::Unknown));
    }
}
