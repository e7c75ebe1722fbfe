use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use opentelemetry::Context;
use opentelemetry::context::FutureExt;
use safefile::v1::WatchFilesResponse;
use safefile::v1::watch_files_response::Event;
use safefile::{Client, WatchOptions};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use crate::args::Args;
use crate::driver::lock;
use crate::failure::Failure;
use crate::message::messages;
use crate::options::cancel;

type Watches = Mutex<HashMap<String, Watch>>;

/// A watch, and what came of it since it was asked last.
pub struct Watch {
    seen: Arc<Seen>,
    reading: AbortHandle,
}

#[derive(Default)]
struct Seen {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Default)]
struct State {
    events: Vec<WatchFilesResponse>,
    /// How it ended.
    end: Option<Value>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

impl Seen {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut lock(&self.state));
        self.changed.notify_waiters();
    }

    /// Waits until `is_enough`, or the end.
    async fn until(&self, is_enough: impl Fn(&State) -> bool) {
        loop {
            let changed = self.changed.notified();
            {
                let state = lock(&self.state);
                if is_enough(&state) || state.end.is_some() {
                    return;
                }
            }
            changed.await;
        }
    }
}

pub async fn watch(client: &Client, mut args: Args, watches: &Watches) -> Result<Value, Failure> {
    let (path, handle) = (args.text_or_empty("path")?, args.text_or_empty("handle")?);
    let options = WatchOptions {
        volume: None,
        cancel: cancel(&mut args)?,
        recursive: args.flag("recursive")?,
        resume_token: args.text_or_empty("resumeToken")?,
    };
    let first_max = args.ms("deadlineMs")?.unwrap_or(Duration::from_secs(24 * 60 * 60));
    args.end()?;
    let seen = Arc::new(Seen::default());
    let mut stream = client.watch(&path, options);
    let read_into = seen.clone();
    let reading = tokio::spawn(
        async move {
            let end = loop {
                match stream.next().await {
                    Some(Ok(event)) => read_into.set(|state| state.events.push(event)),
                    Some(Err(error)) => break Failure::from(error),
                    None => break Failure::other("the watch ended"),
                }
            };
            read_into.set(|state| state.end = Some(end.json()));
        }
        .with_context(Context::current()),
    );
    let watch = Watch { seen: seen.clone(), reading: reading.abort_handle() };
    let first = timeout(first_max, seen.until(|state| !state.events.is_empty())).await;
    first.map_err(|_| Failure::other("the watch did not begin in time"))?;
    failure_of(&seen, |state| !state.events.is_empty())?;
    lock(watches).insert(handle, watch);
    Ok(json!({}))
}

pub async fn next(mut args: Args, watches: &Watches) -> Result<Value, Failure> {
    let (handle, changes) = (args.text_or_empty("handle")?, args.number("changes")?.unwrap_or(0_usize));
    let wait_max = args.ms("deadlineMs")?.unwrap_or(Duration::from_secs(24 * 60 * 60));
    args.end()?;
    let seen = lock(watches).get(&handle).map(|watch| watch.seen.clone());
    let seen = seen.ok_or_else(|| Failure::other(format!("no watch {handle:?}")))?;
    let is_change = |event: &&WatchFilesResponse| matches!(event.event, Some(Event::Change(_)));
    let is_enough = |state: &State| state.events.iter().filter(is_change).count() >= changes;
    if timeout(wait_max, seen.until(is_enough)).await.is_err() {
        return Err(Failure::other("too few changes came in time"));
    }
    failure_of(&seen, is_enough)?;
    let events = std::mem::take(&mut lock(&seen.state).events);
    Ok(json!({"events": messages("WatchFilesResponse", &events)?}))
}

pub fn stop(mut args: Args, watches: &Watches) -> Result<Value, Failure> {
    let handle = args.text_or_empty("handle")?;
    args.end()?;
    lock(watches).remove(&handle);
    Ok(json!({}))
}

/// The end of the watch, where it is over before there was enough.
fn failure_of(seen: &Seen, is_enough: impl Fn(&State) -> bool) -> Result<(), Failure> {
    let state = lock(&seen.state);
    match &state.end {
        Some(end) if !is_enough(&state) => Err(Failure::Known(end.clone())),
        _ => Ok(()),
    }
}
