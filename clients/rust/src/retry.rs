use std::time::Duration;

use tokio::time::Instant;
use tonic::Code;
use uuid::Uuid;

use crate::error::{Error, Outcome, ServiceError};

/// How often and how long a call that is `UNAVAILABLE` is repeated, with the same request id.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// The first attempt included: 1 never repeats.
    pub attempts_max: u32,
    /// No attempt starts later than this after the first failure.
    pub time_max: Duration,
    /// The first pause. Each next one is twice as long, up to `backoff_max`, less a random part of up to a half.
    pub backoff_min: Duration,
    /// The longest pause.
    pub backoff_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        RetryPolicy {
            attempts_max: 5,
            time_max: Duration::from_secs(30),
            backoff_min: Duration::from_millis(100),
            backoff_max: Duration::from_secs(5),
        }
    }
}

/// Counts the attempts of one call.
pub(crate) struct Retry {
    policy: RetryPolicy,
    attempts: u32,
    failed_at: Option<Instant>,
    /// The failure of an attempt that may have committed.
    unknown: Option<Box<ServiceError>>,
}

impl Retry {
    pub(crate) fn new(policy: RetryPolicy) -> Self {
        Retry { policy, attempts: 1, failed_at: None, unknown: None }
    }

    /// Gives the moment of the next attempt when the call may be repeated, else the error to report.
    pub(crate) fn next(&mut self, failure: Error, end: Option<Instant>) -> Result<Instant, Error> {
        let error = match self.settle(failure) {
            Error::Service(error) if error.code == Code::Unavailable => error,
            other => return Err(other),
        };
        let pause = (self.backoff(random_fraction())).max(error.retry_after.unwrap_or_default());
        let now = Instant::now();
        let failed_at = *self.failed_at.get_or_insert(now);
        let in_time =
            |resume: &Instant| *resume - failed_at <= self.policy.time_max && end.is_none_or(|end| *resume < end);
        match now.checked_add(pause).filter(in_time) {
            Some(resume) if self.attempts < self.policy.attempts_max => {
                self.attempts += 1;
                Ok(resume)
            }
            _ => Err(Error::Service(error)),
        }
    }

    /// Progress was made: the next failure is a first one again.
    pub(crate) fn reset(&mut self) {
        self.attempts = 1;
        self.failed_at = None;
    }

    /// An attempt that may have committed is not settled by a later one that did not get through: only the service's
    /// own answer to the same request id settles it.
    pub(crate) fn settle(&mut self, failure: Error) -> Error {
        let Error::Service(mut error) = failure else {
            return failure;
        };
        let is_answer = error.reason.is_some() && error.code != Code::Unavailable;
        if error.outcome == Some(Outcome::Unknown) {
            self.unknown = Some(error.clone());
        } else if self.unknown.is_some() && !is_answer {
            error.outcome = Some(Outcome::Unknown);
        }
        Error::Service(error)
    }

    /// The failure of an attempt that may have committed.
    pub(crate) fn unsettled(&self) -> Option<&ServiceError> {
        self.unknown.as_deref()
    }

    /// What to say when the caller ends the call between two attempts.
    pub(crate) fn outcome_between(&self) -> Outcome {
        if self.unknown.is_some() { Outcome::Unknown } else { Outcome::NotCommitted }
    }

    fn backoff(&self, random: f64) -> Duration {
        let doubled = self.policy.backoff_min.saturating_mul(2_u32.saturating_pow(self.attempts - 1).min(1 << 20));
        doubled.min(self.policy.backoff_max).mul_f64(1.0 - random / 2.0)
    }
}

/// The error of a call that its caller ended.
pub(crate) fn cancelled(request_id: Option<&str>, outcome: Outcome) -> Error {
    let error = ServiceError::new(Code::Cancelled, "The call was cancelled.");
    match request_id {
        Some(id) => error.with_outcome(outcome).with_request_id(id).into(),
        None => error.into(),
    }
}

/// From 0 to 1. Spreads the repeats of many clients; nothing secret depends on it.
fn random_fraction() -> f64 {
    f64::from(Uuid::new_v4().as_fields().0) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unavailable() -> ServiceError {
        ServiceError::new(Code::Unavailable, "away")
    }

    fn service(error: Error) -> ServiceError {
        match error {
            Error::Service(error) => *error,
            other => panic!("{other}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn attempts_are_counted_until_progress() {
        let mut retry = Retry::new(RetryPolicy { attempts_max: 2, ..Default::default() });
        assert!(retry.next(unavailable().into(), None).is_ok());
        assert!(retry.next(unavailable().into(), None).is_err());
        retry.reset();
        assert!(retry.next(unavailable().into(), None).is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_double_within_their_bounds() {
        let mut retry = Retry::new(RetryPolicy { attempts_max: 99, ..Default::default() });
        for (attempts, ms) in [(1, 100), (2, 200), (6, 3200), (7, 5000), (60, 5000)] {
            retry.attempts = attempts;
            assert_eq!(retry.backoff(0.0), Duration::from_millis(ms));
            assert_eq!(retry.backoff(1.0), Duration::from_millis(ms) / 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_service_says_how_long_to_wait() {
        let mut retry = Retry::new(RetryPolicy::default());
        let mut error = unavailable();
        error.retry_after = Some(Duration::from_secs(7));
        assert_eq!(retry.next(error.clone().into(), None).unwrap() - Instant::now(), Duration::from_secs(7));
        error.retry_after = Some(Duration::from_secs(31));
        assert!(retry.next(error.clone().into(), None).is_err());
        error.retry_after = Some(Duration::MAX);
        assert!(retry.next(error.into(), None).is_err());
        let end = Instant::now() + Duration::from_millis(1);
        assert!(retry.next(unavailable().into(), Some(end)).is_err());
    }

    #[test]
    fn only_an_answer_settles_what_may_have_committed() {
        let mut retry = Retry::new(RetryPolicy::default());
        retry.settle(unavailable().with_outcome(Outcome::Unknown).into());
        let later = unavailable().with_outcome(Outcome::NotCommitted);
        assert_eq!(service(retry.settle(later.into())).outcome, Some(Outcome::Unknown));
        assert_eq!(retry.unsettled().unwrap().outcome, Some(Outcome::Unknown));
        let mut answer = ServiceError::new(Code::Aborted, "no").with_outcome(Outcome::NotCommitted);
        answer.reason = Some("PRECONDITION_FAILED".into());
        assert_eq!(service(retry.settle(answer.into())).outcome, Some(Outcome::NotCommitted));
    }

    #[test]
    fn nothing_else_is_repeated() {
        for code in [Code::Aborted, Code::DeadlineExceeded, Code::Unknown, Code::ResourceExhausted] {
            let mut retry = Retry::new(RetryPolicy::default());
            assert!(retry.next(ServiceError::new(code, "no").into(), None).is_err());
        }
    }
}
