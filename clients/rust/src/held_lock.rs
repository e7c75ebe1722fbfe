use std::fmt;
use std::sync::{Arc, OnceLock};
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

#[derive(Default)]
struct State {
    lost: CancellationToken,
    cause: OnceLock<Box<ServiceError>>,
}

impl HeldLock {
    /// `asked_at` is when its last renewal was asked for: it lasts for `ttl` at least from then on.
    pub(crate) fn new(locks: Locks, lock: v1::Lock, ttl: Duration, asked_at: Instant) -> Self {
        let state = Arc::new(State::default());
        let renewing = renew(locks.clone(), lock.lock_id.clone(), ttl, asked_at + ttl, state.clone());
        let renewing = tokio::spawn(renewing);
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
        self.state.lost.child_token()
    }

    /// Whether the lock is lost, or may be.
    pub fn is_lost(&self) -> bool {
        self.state.lost.is_cancelled()
    }

    /// Why it is lost. None while it is not.
    pub fn error(&self) -> Option<Error> {
        self.is_lost()
            .then(|| Error::LockLost { lock_id: self.lock.lock_id.clone(), cause: self.state.cause.get().cloned() })
    }

    /// Ends it. False when it had ended before.
    pub async fn release(mut self) -> Result<bool> {
        self.is_released = true;
        self.renewing.abort();
        self.locks.release(&self.lock.lock_id, &CallOptions::default()).await
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
async fn renew(locks: Locks, lock_id: String, ttl: Duration, mut ends_at: Instant, state: Arc<State>) {
    let mut failure = None;
    let mut next_at = Instant::now() + ttl / 3;
    loop {
        sleep_until(next_at.min(ends_at)).await;
        let asked_at = Instant::now();
        if asked_at >= ends_at {
            break;
        }
        let options = CallOptions { deadline: Some(ends_at - asked_at), ..Default::default() };
        match locks.renew(&lock_id, Some(ttl), &options).await {
            Ok(_) => {
                ends_at = asked_at + ttl;
                next_at = asked_at + ttl / 3;
                failure = None;
            }
            Err(error) => {
                let is_lost = error.is_reason("LOCK_LOST");
                if let Error::Service(error) = error {
                    failure = Some(error);
                }
                if is_lost {
                    break;
                }
                next_at = Instant::now() + RETRY;
            }
        }
    }
    if let Some(cause) = failure {
        state.cause.set(cause).ok();
    }
    state.lost.cancel();
}
