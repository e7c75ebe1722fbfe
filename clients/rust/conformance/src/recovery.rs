use futures_util::TryStreamExt;
use safefile::{AsOf, Client, ListOptions, Overwrite, RestoreOptions, WatchRestoreOptions};
use serde_json::{Value, json};

use crate::args::Args;
use crate::content::seen;
use crate::failure::Failure;
use crate::files::read_options;
use crate::message::{message, messages, optional, result};
use crate::options::{call_options, cancel, change_options};

type Done = Result<Value, Failure>;

pub async fn revisions(client: &Client, mut args: Args) -> Done {
    let path = args.text_or_empty("path")?;
    let options =
        ListOptions { call: call_options(&mut args)?, page_size: args.number("pageSize")?, ..Default::default() };
    args.end()?;
    let revisions: Vec<_> = client.revisions(&path, options).try_collect().await?;
    Ok(json!({"revisions": messages("Revision", &revisions)?}))
}

pub async fn read_revision(client: &Client, mut args: Args) -> Done {
    let (path, revision) = (args.text_or_empty("path")?, args.int("revision")?.unwrap_or_default());
    let options = read_options(&mut args)?;
    args.end()?;
    let (bytes, revision) = client.read_revision(&path, revision, &options).await?;
    Ok(json!({"revision": message("safefile.v1.Revision", &revision)?, "content": seen(&bytes)}))
}

pub async fn rollback(client: &Client, mut args: Args) -> Done {
    let (path, revision) = (args.text_or_empty("path")?, args.int("revision")?.unwrap_or_default());
    let options = change_options(&mut args)?;
    args.end()?;
    Ok(json!({"result": result(&client.rollback(&path, revision, options).await?)?}))
}

pub async fn start_restore(client: &Client, mut args: Args) -> Done {
    let path = args.text_or_empty("path")?;
    let as_of = match (args.time("asOfTime")?, args.text("asOfOperation")?) {
        (Some(time), None) => AsOf::Time(time),
        (None, Some(operation)) => AsOf::Operation(operation),
        _ => return Err(Failure::other("asOfTime or asOfOperation is needed")),
    };
    let options = RestoreOptions {
        call: call_options(&mut args)?,
        tree: args.flag("tree")?,
        overwrite: match args.text("overwrite")?.as_deref() {
            None | Some("always") => Overwrite::Always,
            Some("never") => Overwrite::Never,
            Some(other) => return Err(Failure::other(format!("overwrite cannot be {other:?}"))),
        },
        include: args.texts("include")?,
        exclude: args.texts("exclude")?,
        delete_extra: args.flag("deleteExtra")?,
        target_path: args.text("targetPath")?,
        dry_run: args.flag("dryRun")?,
        request_id: args.text("requestId")?,
        priority: args.number("priority")?.unwrap_or_default(),
        labels: args.object("labels")?,
    };
    args.end()?;
    let started = client.start_restore(&path, as_of, options).await?;
    let restore = optional("Restore", started.restore.as_ref())?;
    Ok(json!({"restoreId": started.restore_id, "restore": restore}))
}

pub async fn watch_restore(client: &Client, mut args: Args) -> Done {
    let restore_id = args.text_or_empty("restoreId")?;
    let options = WatchRestoreOptions { cancel: cancel(&mut args)?, cursor: args.text_or_empty("cursor")? };
    // A watch lasts as long as the restore.
    args.ms("deadlineMs")?;
    args.end()?;
    let events: Vec<_> = client.watch_restore(&restore_id, options).try_collect().await?;
    Ok(json!({"events": messages("WatchRestoreResponse", &events)?}))
}
