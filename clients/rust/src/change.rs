use std::time::{Duration, SystemTime};

use tonic::Code;
use uuid::Uuid;

use crate::error::{FieldViolation, Outcome, ServiceError};
use crate::options::{Attributes, ChangeOptions, Condition, Edit};
use crate::{Error, v1};

/// WriteFile, AppendFile, PatchFile and a whole transaction take this much content.
pub(crate) const DATA_BYTES_MAX: usize = 1024 * 1024;

pub(crate) fn request_id(given: Option<&String>) -> String {
    given.cloned().unwrap_or_else(|| Uuid::new_v4().to_string())
}

/// The request's id is settled here, once for all attempts of the call.
pub(crate) fn mutation_options(options: &ChangeOptions) -> v1::MutationOptions {
    v1::MutationOptions {
        request_id: request_id(options.request_id.as_ref()),
        validate_only: options.validate_only,
        precondition: precondition(options.etag.as_ref(), options.if_revision),
        lock_wait: options.lock_wait.map(duration),
        priority: options.priority,
        labels: options.labels.clone(),
        lock_id: options.lock_id.clone().unwrap_or_default(),
    }
}

pub(crate) fn condition(condition: &Condition) -> Option<v1::Precondition> {
    precondition(condition.etag.as_ref(), condition.if_revision)
}

fn precondition(etag: Option<&String>, if_revision: Option<i64>) -> Option<v1::Precondition> {
    if etag.is_none() && if_revision.is_none() {
        return None;
    }
    Some(v1::Precondition { etag: etag.cloned().unwrap_or_default(), if_revision })
}

pub(crate) fn edits(edits: &[Edit]) -> Vec<v1::FileEdit> {
    let edit = |edit: &Edit| v1::FileEdit {
        offset: number(edit.offset),
        length: number(edit.length),
        data: edit.data.clone(),
    };
    edits.iter().map(edit).collect()
}

pub(crate) fn edits_bytes(edits: &[Edit]) -> usize {
    edits.iter().map(|edit| edit.data.len()).sum()
}

pub(crate) fn attributes(attributes: Attributes) -> v1::TransactionAttributes {
    v1::TransactionAttributes {
        mode: attributes.mode,
        update_time: attributes.modified_time.map(timestamp),
        set_xattrs: attributes.set_xattrs,
        remove_xattrs: attributes.remove_xattrs,
    }
}

/// More would not fit into a message, and the refusal of that would not say what became of the file.
pub(crate) fn check_size(size_bytes: usize, field: &str, request_id: &str) -> Result<(), Error> {
    if size_bytes <= DATA_BYTES_MAX {
        return Ok(());
    }
    let problem = format!("must be at most {DATA_BYTES_MAX} bytes");
    let message = format!("{field} {problem}. Nothing was changed.");
    let mut error = ServiceError::new(Code::InvalidArgument, message);
    error.reason = Some("ARGUMENT_INVALID".into());
    error.metadata.insert("field".into(), field.into());
    error.metadata.insert("problem".into(), problem.clone());
    error.field_violations = vec![FieldViolation { field: field.into(), description: problem }];
    Err(error.with_outcome(Outcome::NotCommitted).with_request_id(request_id).into())
}

/// A field that every answer has.
pub(crate) fn present<T>(field: Option<T>) -> Result<T, Error> {
    field.ok_or_else(|| {
        ServiceError::new(Code::Internal, "The server's answer lacks a field that it always has.").into()
    })
}

/// The result that the answer to every change has. Without it nobody knows what became of the file.
pub(crate) fn result(field: Option<v1::MutationResult>, request_id: &str) -> Result<v1::MutationResult, Error> {
    field.ok_or_else(|| {
        let error = ServiceError::new(Code::Internal, "The server's answer holds no result.");
        error.with_outcome(Outcome::Unknown).with_request_id(request_id).into()
    })
}

/// Sizes and offsets are below 2^53 everywhere; what is not is refused by the service.
pub(crate) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(crate) fn duration(value: Duration) -> prost_types::Duration {
    prost_types::Duration { seconds: number(value.as_secs()), nanos: value.subsec_nanos().cast_signed() }
}

pub(crate) fn timestamp(value: SystemTime) -> prost_types::Timestamp {
    value.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_is_not_set() {
        let options = mutation_options(&ChangeOptions::default());
        assert_eq!((options.precondition, options.lock_wait), (None, None));
        assert_eq!(options.request_id.len(), 36);
        let given = ChangeOptions { if_revision: Some(0), lock_wait: Some(Duration::ZERO), ..Default::default() };
        let options = mutation_options(&given);
        assert_eq!(options.precondition.unwrap().if_revision, Some(0));
        assert_eq!(options.lock_wait, Some(prost_types::Duration::default()));
    }

    #[test]
    fn too_much_is_refused_as_the_service_would() {
        assert!(check_size(DATA_BYTES_MAX, "data", "r-1").is_ok());
        let Err(Error::Service(error)) = check_size(DATA_BYTES_MAX + 1, "data", "r-1") else {
            panic!("not refused");
        };
        assert_eq!((error.code, error.outcome), (Code::InvalidArgument, Some(Outcome::NotCommitted)));
        assert_eq!(error.request_id(), Some("r-1"));
        assert_eq!(error.field_violations[0].field, "data");
    }
}
