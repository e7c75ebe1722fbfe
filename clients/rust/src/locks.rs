use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::call::{CallContext, Caller};
use crate::change::{duration, present, request_id};
use crate::connection::locks;
use crate::held_lock::HeldLock;
use crate::options::CallOptions;
use crate::pages::pages;
use crate::{BoxStream, Result, v1};

const PAGE_SIZE: i32 = 1_000;
/// How long the release of a lock may take that was never held.
const RELEASE_MAX: Duration = Duration::from_secs(5);

/// What to lock: a path, or how much of it and with whom.
#[derive(Clone, Debug, Default)]
pub struct LockTarget {
    /// The path; "" is the root, which can be locked with all below it only.
    pub path: String,
    /// Also everything below it.
    pub subtree: bool,
    /// Together with others who share it. Nobody changes it meanwhile.
    pub shared: bool,
}

impl<P: Into<String>> From<P> for LockTarget {
    fn from(path: P) -> Self {
        LockTarget { path: path.into(), ..Default::default() }
    }
}

/// How to lock.
#[derive(Clone, Debug, Default)]
pub struct LockOptions {
    /// What every call takes.
    pub call: CallOptions,
    /// How long it lasts unless renewed; the server's default unless given.
    pub ttl: Option<Duration>,
    /// How long to wait for it. Zero does not wait; the server's default unless given.
    pub lock_wait: Option<Duration>,
    /// Who goes first among those waiting: -100 to 100, higher first.
    pub priority: i32,
    /// Makes a repeat of the whole call safe. A random UUID unless given.
    pub request_id: Option<String>,
    /// What the caller calls itself, for people.
    pub owner: String,
    /// The same for all locks that are held together, so that circles of waits are found.
    pub session: String,
    /// Kept with the lock, for people. No secrets.
    pub labels: HashMap<String, String>,
}

/// Which locks to list.
#[derive(Clone, Debug, Default)]
pub struct LocksOptions {
    /// What every call takes; the deadline is that of one page.
    pub call: CallOptions,
    /// Only those that cover, or lie at or below, this path.
    pub path: String,
    /// Not the leases of changes.
    pub client_locks_only: bool,
    /// Locks fetched at once. 1,000 unless given.
    pub page_size: Option<i32>,
}

/// Locks over several calls: [`Client::locks`](crate::Client::locks). No change needs one: each locks for itself.
#[derive(Clone)]
pub struct Locks {
    pub(crate) caller: Caller,
}

impl Locks {
    /// Locks all of the targets or none. It lasts for its time to live; whoever needs it longer renews it.
    pub async fn acquire<T: Into<LockTarget>>(
        &self,
        targets: impl IntoIterator<Item = T>,
        options: &LockOptions,
    ) -> Result<v1::Lock> {
        let request = v1::AcquireLockRequest {
            volume: self.caller.volume(&options.call),
            targets: targets.into_iter().map(|it| target(it.into())).collect(),
            ttl: options.ttl.map(duration),
            lock_wait: options.lock_wait.map(duration),
            priority: options.priority,
            request_id: request_id(options.request_id.as_ref()),
            owner_name: options.owner.clone(),
            labels: options.labels.clone(),
            session: options.session.clone(),
        };
        let context = CallContext {
            deadline: self.caller.deadline(&options.call, options.lock_wait),
            ..self.caller.reading(&options.call)
        };
        let stub = |channel, request| async move { locks(channel).acquire_lock(request).await };
        present(self.caller.unary(context, request, stub).await?.lock)
    }

    /// Lets a lock last for `ttl` from now on; the server's default unless given. `LOCK_LOST` when it has ended.
    pub async fn renew(&self, lock_id: &str, ttl: Option<Duration>, options: &CallOptions) -> Result<v1::Lock> {
        let request = v1::RenewLockRequest { lock_id: lock_id.into(), ttl: ttl.map(duration) };
        let stub = |channel, request| async move { locks(channel).renew_lock(request).await };
        present(self.caller.unary(self.caller.reading(options), request, stub).await?.lock)
    }

    /// Ends a lock. False when it had ended already.
    pub async fn release(&self, lock_id: &str, options: &CallOptions) -> Result<bool> {
        let request = v1::ReleaseLockRequest { lock_id: lock_id.into() };
        let stub = |channel, request| async move { locks(channel).release_lock(request).await };
        Ok(self.caller.unary(self.caller.reading(options), request, stub).await?.released)
    }

    /// Locks, and renews the lock until the guard is released or dropped.
    pub async fn hold<T: Into<LockTarget>>(
        &self,
        targets: impl IntoIterator<Item = T>,
        options: &LockOptions,
    ) -> Result<HeldLock> {
        let lock = self.acquire(targets, options).await?;
        let remaining = lock.remaining.and_then(|it| Duration::try_from(it).ok());
        let ttl = remaining.unwrap_or_default();
        // Nobody knows how long the answer was under way, but of a renewal it is known when it was asked for.
        let asked_at = Instant::now();
        match self.renew(&lock.lock_id, Some(ttl), &options.call).await {
            Ok(lock) => Ok(HeldLock::new(self.clone(), lock, ttl, asked_at)),
            Err(error) => {
                // Nobody else knows its id. It ends by itself anyway: nobody waits long for its release.
                let options = CallOptions { deadline: Some(RELEASE_MAX), ..Default::default() };
                self.release(&lock.lock_id, &options).await.ok();
                Err(error)
            }
        }
    }

    /// Runs `work` while holding the lock, and releases it afterwards. When it is lost meanwhile the whole fails with
    /// that, also when `work` does not: what it did last may not have been alone.
    pub async fn with_lock<T: Into<LockTarget>, R, W>(
        &self,
        targets: impl IntoIterator<Item = T>,
        options: &LockOptions,
        work: W,
    ) -> Result<R>
    where
        W: AsyncFnOnce(&HeldLock) -> Result<R>,
    {
        let held = self.hold(targets, options).await?;
        let done = work(&held).await;
        let lost = held.error();
        // It ends by itself anyway: a release that fails is no failure of what was done.
        held.release().await.ok();
        match (done, lost) {
            (Ok(_), Some(lost)) => Err(lost),
            (done, _) => done,
        }
    }

    /// Who holds and who waits, over all pages.
    pub fn list(&self, options: &LocksOptions) -> BoxStream<v1::LockEntry> {
        let (caller, options) = (self.caller.clone(), options.clone());
        pages(move |page_token| {
            let (caller, options) = (caller.clone(), options.clone());
            async move {
                let request = v1::ListLocksRequest {
                    volume: caller.volume(&options.call),
                    path: options.path,
                    client_locks_only: options.client_locks_only,
                    page_size: options.page_size.unwrap_or(PAGE_SIZE),
                    page_token,
                };
                let stub = |channel, request| async move { locks(channel).list_locks(request).await };
                let page = caller.unary(caller.reading(&options.call), request, stub).await?;
                Ok((page.locks, page.next_page_token))
            }
        })
    }

    /// Ends somebody else's lock, and stops the change that uses it. `reason` is kept.
    pub fn break_lock(
        &self,
        lock_id: &str,
        reason: &str,
        options: &CallOptions,
    ) -> impl Future<Output = Result<v1::BreakLockResponse>> + Send {
        let request =
            v1::BreakLockRequest { lock_id: lock_id.into(), reason: reason.into(), request_id: request_id(None) };
        let stub = |channel, request| async move { locks(channel).break_lock(request).await };
        self.caller.unary(self.caller.reading(options), request, stub)
    }
}

fn target(target: LockTarget) -> v1::LockTarget {
    let scope = if target.subtree { v1::LockScope::Subtree } else { v1::LockScope::Path };
    let mode = if target.shared { v1::LockMode::Shared } else { v1::LockMode::Exclusive };
    v1::LockTarget { path: target.path, scope: scope.into(), mode: mode.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;
    use prost::Message;
    use tonic::Code;

    #[tokio::test]
    async fn a_lock_that_cannot_be_held_is_released() {
        let mut script = Script::new(|name| match name {
            "AcquireLock" => {
                let remaining = Some(duration(Duration::from_secs(60)));
                let lock = v1::Lock { lock_id: "l".into(), remaining, ..Default::default() };
                Ok(v1::AcquireLockResponse { lock: Some(lock), ..Default::default() }.encode_to_vec())
            }
            "ReleaseLock" => Ok(v1::ReleaseLockResponse { released: true }.encode_to_vec()),
            _ => Err(Code::Internal),
        })
        .await;
        let error = script.client.locks().hold(["a"], &LockOptions::default()).await.unwrap_err();
        assert_eq!(error.service().unwrap().code, Code::Internal);
        script.called("ReleaseLock").await;
    }
}
