use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use crate::channel::Channel;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status};

use crate::Error;
use crate::error::{Outcome, ServiceError};
use crate::options::{CallOptions, ClientOptions};
use crate::retry::{Retry, cancelled};
use crate::trace_context;
use crate::transport_error::failed;

/// What all calls of a client share.
#[derive(Clone)]
pub(crate) struct Caller {
    pub(crate) channel: Channel,
    pub(crate) options: Arc<ClientOptions>,
}

/// One call.
pub(crate) struct CallContext<'a> {
    pub(crate) deadline: Duration,
    pub(crate) cancel: Option<&'a CancellationToken>,
    /// The request's id when the call is a change; its errors then say an outcome.
    pub(crate) request_id: Option<&'a str>,
}

impl Caller {
    pub(crate) fn retry(&self) -> Retry {
        Retry::new(self.options.retry.clone())
    }

    pub(crate) fn volume(&self, options: &CallOptions) -> String {
        let volume = options.volume.as_ref().or(self.options.volume.as_ref());
        volume.cloned().unwrap_or_default()
    }

    pub(crate) fn deadline(&self, options: &CallOptions, lock_wait: Option<Duration>) -> Duration {
        let with_wait = self.options.deadline.saturating_add(lock_wait.unwrap_or_default());
        options.deadline.unwrap_or(with_wait)
    }

    /// A call that changes nothing.
    pub(crate) fn reading<'a>(&self, options: &'a CallOptions) -> CallContext<'a> {
        CallContext { deadline: self.deadline(options, None), cancel: options.cancel.as_ref(), request_id: None }
    }

    /// A unary call, repeated while the service is UNAVAILABLE.
    pub(crate) async fn unary<I, O, F, R>(&self, context: CallContext<'_>, message: I, stub: F) -> Result<O, Error>
    where
        I: Clone,
        F: Fn(Channel, Request<I>) -> R,
        R: Future<Output = Result<Response<O>, Status>>,
    {
        let CallContext { deadline, cancel, request_id } = context;
        let end = far(deadline);
        let mut retry = self.retry();
        if cancel.is_some_and(CancellationToken::is_cancelled) {
            return Err(cancelled(request_id, Outcome::NotCommitted));
        }
        loop {
            let mut request = Request::new(message.clone());
            request.set_timeout(end.saturating_duration_since(Instant::now()));
            trace_context::inject(request.metadata_mut());
            let answer = timeout_at(end, stub(self.channel.clone(), request));
            let failure = match unless_cancelled(cancel, answer).await {
                Some(Ok(Ok(response))) => return Ok(response.into_inner()),
                Some(Ok(Err(status))) => failed(status, request_id, Outcome::Unknown),
                Some(Err(_)) => overdue(deadline, request_id),
                None => cancelled(request_id, Outcome::Unknown),
            };
            let resume = retry.next(failure, Some(end))?;
            if unless_cancelled(cancel, sleep_until(resume)).await.is_none() {
                return Err(cancelled(request_id, retry.outcome_between()));
            }
        }
    }
}

fn overdue(deadline: Duration, request_id: Option<&str>) -> Error {
    let message = format!("The call took longer than its deadline of {} ms.", deadline.as_millis());
    let error = ServiceError::new(Code::DeadlineExceeded, message);
    match request_id {
        Some(id) => error.with_outcome(Outcome::Unknown).with_request_id(id).into(),
        None => error.into(),
    }
}

/// So far from now; a day at most, which is for ever here and cannot overflow.
pub(crate) fn far(duration: Duration) -> Instant {
    Instant::now() + duration.min(Duration::from_secs(24 * 60 * 60))
}

/// None when the caller ended the call before `future` was ready. The future is dropped then, which cancels its call.
pub(crate) async fn unless_cancelled<T>(
    cancel: Option<&CancellationToken>,
    future: impl Future<Output = T>,
) -> Option<T> {
    match cancel {
        None => Some(future.await),
        Some(token) => tokio::select! {
            biased;
            () = token.cancelled() => None,
            value = future => Some(value),
        },
    }
}
