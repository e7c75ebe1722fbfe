use safefile::{Attributes, CallOptions, CancellationToken, ChangeOptions, Condition, Edit, TargetOptions};
use tokio::time::sleep;

use crate::args::Args;
use crate::content::Content;
use crate::failure::Failure;

/// What every call takes, but for the trace, which was taken before.
pub fn call_options(args: &mut Args) -> Result<CallOptions, Failure> {
    Ok(CallOptions { volume: None, deadline: args.ms("deadlineMs")?, cancel: cancel(args)? })
}

pub fn cancel(args: &mut Args) -> Result<Option<CancellationToken>, Failure> {
    let Some(after) = args.ms("cancelAfterMs")? else { return Ok(None) };
    let token = CancellationToken::new();
    if after.is_zero() {
        token.cancel();
        return Ok(Some(token));
    }
    let cancelled = token.clone();
    tokio::spawn(async move {
        sleep(after).await;
        cancelled.cancel();
    });
    Ok(Some(token))
}

pub fn change_options(args: &mut Args) -> Result<ChangeOptions, Failure> {
    Ok(ChangeOptions {
        call: call_options(args)?,
        etag: args.text("etag")?,
        if_revision: args.int("ifRevision")?,
        request_id: args.text("requestId")?,
        validate_only: args.flag("validateOnly")?,
        lock_wait: args.ms("lockWaitMs")?,
        priority: args.number("priority")?.unwrap_or_default(),
        lock_id: args.text("lockId")?,
        labels: args.object("labels")?,
    })
}

pub fn target_options(args: &mut Args) -> Result<TargetOptions, Failure> {
    let condition = Condition { etag: args.text("targetEtag")?, if_revision: args.int("targetIfRevision")? };
    Ok(TargetOptions { overwrite: args.flag("overwrite")?, condition })
}

pub fn attributes(args: &mut Args) -> Result<Attributes, Failure> {
    let xattrs = args.object("setXattrs")?.into_iter();
    Ok(Attributes {
        mode: args.number("mode")?,
        modified_time: args.time("updateTime")?,
        set_xattrs: xattrs.map(|(name, value)| (name, value.into())).collect(),
        remove_xattrs: args.texts("removeXattrs")?,
    })
}

pub async fn edits(args: &mut Args) -> Result<Vec<Edit>, Failure> {
    let mut edits = Vec::new();
    for mut edit in args.list("edits")? {
        edits.push(Edit {
            offset: edit.number("offset")?.unwrap_or_default(),
            length: edit.number("length")?.unwrap_or_default(),
            data: Content::take_or_empty(&mut edit, "content")?.bytes().await?,
        });
        edit.end()?;
    }
    Ok(edits)
}
