use std::collections::HashMap;
use std::sync::Mutex;

use futures_util::TryStreamExt;
use safefile::{Client, HeldLock, LockOptions, LockTarget, LocksOptions};
use serde_json::{Value, json};

use crate::args::Args;
use crate::driver::lock;
use crate::failure::Failure;
use crate::message::{message, messages};
use crate::options::call_options;

type Done = Result<Value, Failure>;
type Held = Mutex<HashMap<String, HeldLock>>;

fn lock_options(args: &mut Args) -> Result<(Vec<LockTarget>, LockOptions), Failure> {
    let mut targets = Vec::new();
    for mut target in args.list("targets")? {
        targets.push(LockTarget {
            path: target.text_or_empty("path")?,
            subtree: target.flag("subtree")?,
            shared: target.flag("shared")?,
        });
        target.end()?;
    }
    let options = LockOptions {
        call: call_options(args)?,
        ttl: args.ms("ttlMs")?,
        lock_wait: args.ms("lockWaitMs")?,
        priority: args.number("priority")?.unwrap_or_default(),
        request_id: args.text("requestId")?,
        owner: args.text_or_empty("owner")?,
        session: args.text_or_empty("session")?,
        labels: args.object("labels")?,
    };
    Ok((targets, options))
}

pub async fn acquire(client: &Client, mut args: Args) -> Done {
    let (targets, options) = lock_options(&mut args)?;
    args.end()?;
    let acquired = client.locks().acquire(targets, &options).await?;
    Ok(json!({"lock": message("safefile.v1.Lock", &acquired)?}))
}

pub async fn renew(client: &Client, mut args: Args) -> Done {
    let (lock_id, ttl) = (args.text_or_empty("lockId")?, args.ms("ttlMs")?);
    let options = call_options(&mut args)?;
    args.end()?;
    let renewed = client.locks().renew(&lock_id, ttl, &options).await?;
    Ok(json!({"lock": message("safefile.v1.Lock", &renewed)?}))
}

pub async fn release(client: &Client, mut args: Args) -> Done {
    let (lock_id, options) = (args.text_or_empty("lockId")?, call_options(&mut args)?);
    args.end()?;
    Ok(json!({"released": client.locks().release(&lock_id, &options).await?}))
}

pub async fn list(client: &Client, mut args: Args) -> Done {
    let options = LocksOptions {
        call: call_options(&mut args)?,
        path: args.text_or_empty("path")?,
        client_locks_only: args.flag("clientLocksOnly")?,
        page_size: args.number("pageSize")?,
    };
    args.end()?;
    let locks: Vec<_> = client.locks().list(&options).try_collect().await?;
    Ok(json!({"locks": messages("LockEntry", &locks)?}))
}

pub async fn break_lock(client: &Client, mut args: Args) -> Done {
    let (lock_id, reason) = (args.text_or_empty("lockId")?, args.text_or_empty("reason")?);
    let options = call_options(&mut args)?;
    args.end()?;
    client.locks().break_lock(&lock_id, &reason, &options).await?;
    Ok(json!({}))
}

pub async fn hold(client: &Client, mut args: Args, held: &Held) -> Done {
    let handle = args.text_or_empty("handle")?;
    let (targets, options) = lock_options(&mut args)?;
    args.end()?;
    let guard = client.locks().hold(targets, &options).await?;
    let value = json!({"lockId": guard.lock_id(), "fencingToken": guard.fencing_token()});
    lock(held).insert(handle, guard);
    Ok(value)
}

pub fn held(mut args: Args, held: &Held) -> Done {
    let handle = args.text_or_empty("handle")?;
    args.end()?;
    match lock(held).get(&handle) {
        Some(guard) => Ok(json!({"lost": guard.is_lost()})),
        None => Err(Failure::other(format!("no lock {handle:?}"))),
    }
}

pub async fn unhold(mut args: Args, held: &Held) -> Done {
    let handle = args.text_or_empty("handle")?;
    args.end()?;
    let guard = lock(held).remove(&handle);
    let guard = guard.ok_or_else(|| Failure::other(format!("no lock {handle:?}")))?;
    Ok(json!({"released": guard.release().await?}))
}
