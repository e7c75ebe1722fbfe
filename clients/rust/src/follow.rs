use std::future::Future;

use crate::channel::Channel;
use futures_util::stream::try_unfold;
use tokio::time::sleep_until;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

use crate::call::{Caller, unless_cancelled};
use crate::error::Outcome;
use crate::retry::{Retry, cancelled};
use crate::transport_error::read_failed;
use crate::{BoxStream, trace_context};

/// A stream that can be asked to go on behind a message.
pub(crate) struct Followed<I, M> {
    /// The request that begins behind a position; "" is where the service begins.
    pub(crate) request: Box<dyn Fn(String) -> I + Send>,
    /// Where a message stands.
    pub(crate) position_of: fn(&M) -> &String,
    /// Where to begin.
    pub(crate) from: String,
}

struct State<I, M, F> {
    followed: Followed<I, M>,
    start: F,
    channel: Channel,
    retry: Retry,
    cancel: Option<CancellationToken>,
    stream: Option<Streaming<M>>,
}

/// The messages of a stream until it ends. When the service is UNAVAILABLE, because its replica drains for example, it
/// goes on behind the last message seen, at another address where there are several; attempts are counted from the last
/// message.
pub(crate) fn follow<I, M, F, R>(
    caller: &Caller,
    cancel: Option<CancellationToken>,
    followed: Followed<I, M>,
    start: F,
) -> BoxStream<M>
where
    I: Send + 'static,
    M: Send + 'static,
    F: Fn(Channel, Request<I>) -> R + Send + 'static,
    R: Future<Output = Result<Response<Streaming<M>>, Status>> + Send,
{
    let state = State { followed, start, channel: caller.channel.clone(), retry: caller.retry(), cancel, stream: None };
    Box::pin(try_unfold(state, |mut state| async move {
        loop {
            let cancel = state.cancel.clone();
            match unless_cancelled(cancel.as_ref(), state.next()).await {
                Some(Ok(Some(message))) => {
                    state.followed.from.clone_from((state.followed.position_of)(&message));
                    state.retry.reset();
                    return Ok(Some((message, state)));
                }
                Some(Ok(None)) => return Ok(None),
                Some(Err(status)) => {
                    state.stream = None;
                    let resume = state.retry.next(read_failed(status), None)?;
                    // The next turn notices a cancellation.
                    unless_cancelled(cancel.as_ref(), sleep_until(resume)).await;
                }
                None => return Err(cancelled(None, Outcome::Unknown)),
            }
        }
    }))
}

impl<I, M, F, R> State<I, M, F>
where
    F: Fn(Channel, Request<I>) -> R,
    R: Future<Output = Result<Response<Streaming<M>>, Status>>,
{
    async fn next(&mut self) -> Result<Option<M>, Status> {
        if self.stream.is_none() {
            let mut request = Request::new((self.followed.request)(self.followed.from.clone()));
            trace_context::inject(request.metadata_mut());
            self.stream = Some((self.start)(self.channel.clone(), request).await?.into_inner());
        }
        match &mut self.stream {
            Some(stream) => stream.message().await,
            None => Ok(None),
        }
    }
}
