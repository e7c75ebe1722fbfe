use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use opentelemetry::Context;
use opentelemetry::context::FutureExt;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};
use safefile::{Client, ClientOptions, HeldLock, RetryPolicy};
use serde_json::{Value, json};

use crate::args::Args;
use crate::failure::Failure;
use crate::watches::Watch;
use crate::{files, golden, locks, recovery, upload, watches};

/// What commands leave behind for later ones, by name.
#[derive(Default)]
pub struct Driver {
    clients: Mutex<HashMap<String, Client>>,
    watches: Mutex<HashMap<String, Watch>>,
    held: Mutex<HashMap<String, HeldLock>>,
}

impl Driver {
    pub fn open(&self, name: &str, mut args: Args) -> Result<Value, Failure> {
        let unless_given = ClientOptions::default();
        let mut retry = RetryPolicy::default();
        if let Some(given) = args.any("retry") {
            let mut given = Args::new(given)?;
            retry = RetryPolicy {
                attempts_max: given.number("attemptsMax")?.unwrap_or(retry.attempts_max),
                time_max: given.ms("timeMsMax")?.unwrap_or(retry.time_max),
                backoff_min: given.ms("backoffMsMin")?.unwrap_or(retry.backoff_min),
                backoff_max: given.ms("backoffMsMax")?.unwrap_or(retry.backoff_max),
            };
            given.end()?;
        }
        let options = ClientOptions {
            addresses: args.texts("addresses")?,
            deadline: args.ms("deadlineMs")?.unwrap_or(unless_given.deadline),
            idle_max: args.ms("idleMs")?.unwrap_or(unless_given.idle_max),
            retry,
            ..unless_given
        };
        args.end()?;
        lock(&self.clients).insert(name.into(), Client::with_options(options)?);
        Ok(json!({}))
    }

    pub async fn run(&self, name: &str, verb: &str, mut args: Args) -> Result<Value, Failure> {
        let context = match args.text("traceparent")? {
            Some(traceparent) => remote(&traceparent)?,
            None => Context::new(),
        };
        self.dispatch(name, verb, args).with_context(context).await
    }

    async fn dispatch(&self, name: &str, verb: &str, args: Args) -> Result<Value, Failure> {
        match verb {
            "golden" => return golden::golden(args),
            "watchNext" => return watches::next(args, &self.watches).await,
            "watchStop" => return watches::stop(args, &self.watches),
            "held" => return locks::held(args, &self.held),
            "unhold" => return locks::unhold(args, &self.held).await,
            "close" => {
                args.end()?;
                lock(&self.clients).remove(name);
                return Ok(json!({}));
            }
            _ => {}
        }
        let client = lock(&self.clients).get(name).cloned();
        let client = &client.ok_or_else(|| Failure::other(format!("no client {name:?}")))?;
        match verb {
            "stat" => files::stat(client, args).await,
            "list" => files::list(client, args).await,
            "read" => files::read(client, args).await,
            "download" => files::download(client, args).await,
            "write" => files::write(client, args).await,
            "upload" => upload::upload(client, args).await,
            "append" => files::append(client, args).await,
            "patch" => files::patch(client, args).await,
            "setAttributes" => files::set_attributes(client, args).await,
            "move" => files::move_file(client, args).await,
            "copy" => files::copy(client, args).await,
            "makeDirectory" => files::make_directory(client, args).await,
            "remove" => files::remove(client, args).await,
            "transaction" => files::transaction(client, args).await,
            "revisions" => recovery::revisions(client, args).await,
            "readRevision" => recovery::read_revision(client, args).await,
            "rollback" => recovery::rollback(client, args).await,
            "startRestore" => recovery::start_restore(client, args).await,
            "watchRestore" => recovery::watch_restore(client, args).await,
            "watch" => watches::watch(client, args, &self.watches).await,
            "acquire" => locks::acquire(client, args).await,
            "renew" => locks::renew(client, args).await,
            "release" => locks::release(client, args).await,
            "listLocks" => locks::list(client, args).await,
            "breakLock" => locks::break_lock(client, args).await,
            "hold" => locks::hold(client, args, &self.held).await,
            _ => Err(Failure::other(format!("unknown verb {verb:?}"))),
        }
    }
}

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A context with the remote span of a `traceparent`.
fn remote(traceparent: &str) -> Result<Context, Failure> {
    let invalid = |_| Failure::other(format!("{traceparent:?} is no traceparent"));
    let mut fields = traceparent.split('-').skip(1).map(String::from);
    let mut field = || fields.next().unwrap_or_default();
    let trace_id = TraceId::from_hex(&field()).map_err(invalid)?;
    let span_id = SpanId::from_hex(&field()).map_err(invalid)?;
    let flags = TraceFlags::new(u8::from_str_radix(&field(), 16).map_err(invalid)?);
    let span = SpanContext::new(trace_id, span_id, flags, true, TraceState::default());
    Ok(Context::new().with_remote_span_context(span))
}
