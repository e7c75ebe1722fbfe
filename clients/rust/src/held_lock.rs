use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::error::{Error, ServiceError};
use crate::locks::Locks;
use crate::options::CallOptions;
use crate::{Result, v1};

/// Tried again after this, as long as the lock may last.
const RETRY: Duration = Duration::from_millis(200);
/// No lock lasts longer here, whatever a server says: a day, so that no moment overflows.
const TTL_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A lock that is renewed as long as somebody needs it. Dropping it releases it in the background;
/// [`release`](HeldLock::release) waits for that.
#[must_use = "a lock is released when it is dropped"]
pub struct HeldLock {
    locks: Locks,
    lock: v1::Lock,
    state: Arc<State>,
    renewing: JoinHandle<()>,
    is_released: bool,
}

struct State {
    lost: CancellationToken,
    term: Mutex<Term>,
}

struct Term {
    /// When it runs out unless it is renewed.
    ends_at: Instant,
    /// Why the last renewal failed.
    failure: Option<Box<ServiceError>>,
}

impl State {
    fn term(&self) -> MutexGuard<'_, Term> {
        self.term.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the clock too, and tells whoever listens: a lock may run out while nothing runs that would notice.
    fn is_lost(&self) -> bool {
        let has_ended = Instant::now() >= self.term().ends_at;
        if has_ended {
            self.lost.cancel();
        }
        self.lost.is_cancelled()
    }
}

impl HeldLock {
    /// `asked_at` is when its last renewal was asked for: it lasts for `ttl` at least from then on.
    pub(crate) fn new(locks: Locks, lock: v1::Lock, ttl: Duration, asked_at: Instant) -> Self {
        let ttl = ttl.min(TTL_MAX);
        let term = Term { ends_at: asked_at + ttl, failure: None };
        let state = Arc::new(State { lost: CancellationToken::new(), term: Mutex::new(term) });
        let renewing = tokio::spawn(renew(locks.clone(), lock.lock_id.clone(), ttl, state.clone()));
        HeldLock { locks, lock, state, renewing, is_released: false }
    }

    /// The lock as it was when it was acquired.
    pub fn lock(&self) -> &v1::Lock {
        &self.lock
    }

    /// For the `lock_id` of changes.
    pub fn lock_id(&self) -> &str {
        &self.lock.lock_id
    }

    /// The fencing token of the first path: strictly rising with every exclusive holder.
    pub fn fencing_token(&self) -> i64 {
        self.lock.targets.first().map_or(0, |target| target.fencing_token)
    }

    /// Cancelled when the lock is lost, or may be. As the `cancel` of calls it ends what is done under the lock.
    pub fn lost(&self) -> CancellationToken {
        self.state.is_lost();
        self.state.lost.child_token()
    }

    /// Whether the lock is lost, or may be.
    pub fn is_lost(&self) -> bool {
        self.state.is_lost()
    }

    /// Why it is lost. None while it is not.
    pub fn error(&self) -> Option<Error> {
        self.is_lost()
            .then(|| Error::LockLost { lock_id: self.lock.lock_id.clone(), cause: self.state.term().failure.clone() })
    }

    /// Ends it. False when it had ended before.
    pub async fn release(mut self) -> Result<bool> {
        self.renewing.abort();
        let released = self.locks.release(&self.lock.lock_id, &CallOptions::default()).await;
        // Not before: whoever gives up waiting leaves the release to the drop.
        self.is_released = true;
        released
    }
}

impl Drop for HeldLock {
    fn drop(&mut self) {
        self.renewing.abort();
        if self.is_released {
            return;
        }
        // Without a runtime it ends by itself.
        if let Ok(runtime) = Handle::try_current() {
            let (locks, lock_id) = (self.locks.clone(), self.lock.lock_id.clone());
            runtime.spawn(async move { locks.release(&lock_id, &CallOptions::default()).await.ok() });
        }
    }
}

impl fmt::Debug for HeldLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldLock").field("lock", &self.lock).field("is_lost", &self.is_lost()).finish()
    }
}

/// Renews the lock at a third of its time, until it is lost.
async fn renew(locks: Locks, lock_id: String, ttl: Duration, state: Arc<State>) {
    let mut ends_at = state.term().ends_at;
    let mut next_at = Instant::now() + ttl / 3;
    loop {
        sleep_until(next_at.min(ends_at)).await;
        let asked_at = Instant::now();
        if state.is_lost() {
            return;
        }
        let options = CallOptions { deadline: Some(ends_at - asked_at), ..Default::default() };
        let failure = match locks.renew(&lock_id, Some(ttl), &options).await {
            Ok(_) => {
                ends_at = asked_at + ttl;
                next_at = asked_at + ttl / 3;
                None
            }
            Err(error) => {
                next_at = Instant::now() + RETRY;
                Some(error)
            }
        };
        let is_lost = failure.as_ref().is_some_and(|error| error.is_reason("LOCK_LOST"));
        let failure = failure.and_then(|error| match error {
            Error::Service(error) => Some(error),
            _ => None,
        });
        *state.term() = Term { ends_at, failure };
        if is_lost {
            return state.lost.cancel();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;
    use futures_util::FutureExt;
    use prost::Message;

    fn lock() -> v1::Lock {
        v1::Lock { lock_id: "l".into(), ..Default::default() }
    }

    #[tokio::test]
    async fn a_lock_that_ran_out_is_lost_before_anything_runs() {
        let script = Script::new(|_| Err(tonic::Code::Unavailable)).await;
        let asked_at = Instant::now() - Duration::from_millis(20);
        let held = HeldLock::new(script.client.locks(), lock(), Duration::from_millis(10), asked_at);
        // Nothing was awaited: the task that renews could not run.
        let told = held.lost();
        assert!(held.is_lost() && told.is_cancelled());
        assert!(matches!(held.error(), Some(Error::LockLost { cause: None, .. })));
        let lasting = HeldLock::new(script.client.locks(), lock(), Duration::from_secs(60), Instant::now());
        assert!(!lasting.is_lost() && lasting.error().is_none());
    }

    #[tokio::test]
    async fn no_moment_overflows() {
        let script = Script::new(|_| Err(tonic::Code::Unavailable)).await;
        let held = HeldLock::new(script.client.locks(), lock(), Duration::MAX, Instant::now());
        tokio::task::yield_now().await;
        assert!(!held.is_lost() && !held.renewing.is_finished());
    }

    #[tokio::test]
    async fn a_release_that_nobody_waits_for_is_made() {
        let mut script = Script::new(|_| Ok(v1::ReleaseLockResponse { released: true }.encode_to_vec())).await;
        let held = HeldLock::new(script.client.locks(), lock(), Duration::from_secs(60), Instant::now());
        // Given up before the call could be sent.
        assert!(held.release().now_or_never().is_none());
        script.called("ReleaseLock").await;
    }
}
