use futures_util::{StreamExt, TryStreamExt};
use safefile::{
    AppendOptions, Client, Condition, CopyOptions, ListOptions, MakeDirectoryOptions, MoveOptions, PatchOptions,
    ReadOptions, RemoveOptions, Transaction, WriteOptions,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::args::Args;
use crate::content::{Content, Seen, seen};
use crate::failure::Failure;
use crate::message::{message, messages, optional, result};
use crate::options::{attributes, call_options, change_options, edits, target_options};

type Done = Result<Value, Failure>;

pub async fn stat(client: &Client, mut args: Args) -> Done {
    let (path, options) = (args.text_or_empty("path")?, call_options(&mut args)?);
    args.end()?;
    let file = client.stat(&path, &options).await?;
    Ok(json!({"file": message("safefile.v1.FileInfo", &file)?}))
}

pub async fn list(client: &Client, mut args: Args) -> Done {
    let path = args.text_or_empty("path")?;
    let options = ListOptions {
        call: call_options(&mut args)?,
        recursive: args.flag("recursive")?,
        page_size: args.number("pageSize")?,
    };
    args.end()?;
    let files: Vec<_> = client.list(&path, options).try_collect().await?;
    Ok(json!({"files": messages("FileInfo", &files)?}))
}

pub fn read_options(args: &mut Args) -> Result<ReadOptions, Failure> {
    Ok(ReadOptions {
        call: call_options(args)?,
        offset: args.number("offset")?.unwrap_or_default(),
        limit: args.number("limit")?,
        bytes_max: args.number("bytesMax")?,
    })
}

pub async fn read(client: &Client, mut args: Args) -> Done {
    let (path, options) = (args.text_or_empty("path")?, read_options(&mut args)?);
    args.end()?;
    let (bytes, file) = client.read(&path, &options).await?;
    Ok(json!({"file": message("safefile.v1.FileInfo", &file)?, "content": seen(&bytes)}))
}

pub async fn download(client: &Client, mut args: Args) -> Done {
    let (path, options) = (args.text_or_empty("path")?, read_options(&mut args)?);
    let (pause, stop_after) = (args.ms("pauseMs")?, args.number::<u64>("stopAfterBytes")?);
    args.end()?;
    let mut download = client.download(&path, &options).await?;
    if options.bytes_max.is_some_and(|bytes_max| download.size_bytes() > bytes_max) {
        return Err(Failure::other(format!("{path} has {} bytes", download.size_bytes())));
    }
    let mut content = Seen::default();
    while let Some(piece) = download.next().await {
        content.add(&piece?);
        if stop_after.is_some_and(|bytes| content.size_bytes >= bytes) {
            return Ok(json!({}));
        }
        if let Some(pause) = pause {
            sleep(pause).await;
        }
    }
    Ok(json!({"file": optional("FileInfo", download.file())?, "content": content.json()}))
}

pub async fn write(client: &Client, mut args: Args) -> Done {
    let path = args.text_or_empty("path")?;
    let content = Content::take_or_empty(&mut args, "content")?;
    let options = WriteOptions { change: change_options(&mut args)?, mode: args.number("mode")? };
    args.end()?;
    let written = client.write(&path, content.bytes().await?, options).await?;
    Ok(json!({"result": result(&written)?}))
}

pub async fn append(client: &Client, mut args: Args) -> Done {
    let path = args.text_or_empty("path")?;
    let content = Content::take_or_empty(&mut args, "content")?;
    let options = AppendOptions { change: change_options(&mut args)?, mode: args.number("mode")? };
    args.end()?;
    let appended = client.append(&path, content.bytes().await?, options).await?;
    Ok(json!({"result": result(&appended.result)?, "offset": appended.offset}))
}

pub async fn patch(client: &Client, mut args: Args) -> Done {
    let (path, edits) = (args.text_or_empty("path")?, edits(&mut args).await?);
    let options = PatchOptions { change: change_options(&mut args)?, ..Default::default() };
    args.end()?;
    Ok(json!({"result": result(&client.patch(&path, &edits, options).await?)?}))
}

pub async fn set_attributes(client: &Client, mut args: Args) -> Done {
    let (path, changed) = (args.text_or_empty("path")?, attributes(&mut args)?);
    let options = change_options(&mut args)?;
    args.end()?;
    Ok(json!({"result": result(&client.set_attributes(&path, changed, options).await?)?}))
}

pub async fn move_file(client: &Client, mut args: Args) -> Done {
    let (path, target) = (args.text_or_empty("path")?, args.text_or_empty("target")?);
    let options = MoveOptions { change: change_options(&mut args)?, target: target_options(&mut args)? };
    args.end()?;
    let moved = client.move_file(&path, &target, options).await?;
    let source_revision = optional("Revision", moved.source_revision.as_ref())?;
    Ok(json!({"result": result(&moved.result)?, "sourceRevision": source_revision}))
}

pub async fn copy(client: &Client, mut args: Args) -> Done {
    let (path, target) = (args.text_or_empty("path")?, args.text_or_empty("target")?);
    let options = CopyOptions {
        change: change_options(&mut args)?,
        target: target_options(&mut args)?,
        revision: args.int("revision")?.unwrap_or_default(),
    };
    args.end()?;
    Ok(json!({"result": result(&client.copy(&path, &target, options).await?)?}))
}

pub async fn make_directory(client: &Client, mut args: Args) -> Done {
    let path = args.text_or_empty("path")?;
    let options = MakeDirectoryOptions {
        change: change_options(&mut args)?,
        mode: args.number("mode")?,
        allow_existing: args.flag("allowExisting")?,
    };
    args.end()?;
    Ok(json!({"result": result(&client.make_directory(&path, options).await?)?}))
}

pub async fn remove(client: &Client, mut args: Args) -> Done {
    let path = args.text_or_empty("path")?;
    let options = RemoveOptions { change: change_options(&mut args)?, recursive: args.flag("recursive")? };
    args.end()?;
    Ok(json!({"result": result(&client.remove(&path, options).await?)?}))
}

pub async fn transaction(client: &Client, mut args: Args) -> Done {
    let mut transaction = Transaction::new();
    for step in args.list("steps")? {
        transaction = add(transaction, step).await?;
    }
    let options = change_options(&mut args)?;
    args.end()?;
    let done = client.transaction(transaction, options).await?;
    Ok(json!({"result": result(&done.result)?, "items": messages("TransactionItem", &done.items)?}))
}

async fn add(tx: Transaction, mut step: Args) -> Result<Transaction, Failure> {
    let (action, path) = (step.text_or_empty("action")?, step.text_or_empty("path")?);
    let condition = Condition { etag: step.text("etag")?, if_revision: step.int("ifRevision")? };
    let is_check = action == "check";
    let mut tx = match action.as_str() {
        "write" => {
            let content = Content::take_or_empty(&mut step, "content")?.bytes().await?;
            tx.write(path, content, step.number("mode")?)
        }
        "append" => tx.append(path, Content::take_or_empty(&mut step, "content")?.bytes().await?),
        "patch" => tx.patch(path, &edits(&mut step).await?),
        "remove" => tx.remove(path),
        "move" => tx.move_file(path, step.text_or_empty("target")?, target_options(&mut step)?),
        "copy" => {
            let (target, revision) = (step.text_or_empty("target")?, step.int("revision")?.unwrap_or_default());
            tx.copy(path, target, revision, target_options(&mut step)?)
        }
        "rollback" => tx.rollback(path, step.int("revision")?.unwrap_or_default()),
        "attributes" => tx.attributes(path, attributes(&mut step)?),
        "check" => tx.check(path, condition.clone()),
        _ => return Err(Failure::other(format!("unknown action {action:?}"))),
    };
    step.end()?;
    if !is_check {
        if let Some(etag) = condition.etag {
            tx = tx.if_etag(etag);
        }
        if let Some(revision) = condition.if_revision {
            tx = tx.if_revision(revision);
        }
    }
    Ok(tx)
}
