//! A tour of the client: what it does for files, and what it says when something is in the way.
//!
//! The server is at $SAFEFILE_ADDRESS, else 127.0.0.1:7420. The files are below $SAFEFILE_DIRECTORY, else "example".

use std::env;
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::{StreamExt, TryStreamExt};
use safefile::v1::{watch_files_response, watch_restore_response};
use safefile::{
    AsOf, ChangeOptions, Client, RemoveOptions, RestoreOptions, Source, Transaction, UploadOptions, WatchOptions,
    WatchRestoreOptions,
};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = env::var("SAFEFILE_ADDRESS").unwrap_or("127.0.0.1:7420".into());
    let dir = env::var("SAFEFILE_DIRECTORY").unwrap_or("example".into());
    let client = Client::new(address)?;

    write(&client, &dir).await?;
    conflict(&client, &dir).await?;
    let operation_id = transaction(&client, &dir).await?;
    watch(&client, &dir).await?;
    upload(&client, &dir).await?;
    restore(&client, &dir, operation_id).await?;
    Ok(())
}

async fn write(client: &Client, dir: &str) -> Result<(), Box<dyn Error>> {
    // [write]
    // Revision 0 means that nothing may be there: no file of somebody else is replaced.
    let only_new = ChangeOptions { if_revision: Some(0), ..Default::default() };
    let written = client.write(&format!("{dir}/notes.txt"), "hello\n", only_new.into()).await?;

    // When the call returns, the file is durable and visible, and its revision can be restored.
    let revision = written.revision.unwrap_or_default();
    println!("write: revision {}, {} bytes", revision.revision, revision.size_bytes);
    // [end]
    Ok(())
}

async fn conflict(client: &Client, dir: &str) -> Result<(), Box<dyn Error>> {
    // [conflict]
    let path = format!("{dir}/notes.txt");
    let (_, file) = client.read(&path, &Default::default()).await?;

    // Only if nobody changed the file since it was read.
    let unchanged = ChangeOptions { etag: Some(file.etag), ..Default::default() };
    client.write(&path, "hello again\n", unchanged.clone().into()).await?;

    // The second time somebody has: it was us. The error says why, what became of the file, and what is there now.
    match client.write(&path, "hello for ever\n", unchanged.into()).await {
        Err(safefile::Error::Service(error)) if error.reason.as_deref() == Some("PRECONDITION_FAILED") => {
            let outcome = error.outcome.map_or("", |outcome| outcome.as_str());
            println!(
                "conflict: PRECONDITION_FAILED, {outcome}, the file is at revision {}",
                error.metadata["revision"]
            );
        }
        other => return Err(format!("expected a conflict, not {other:?}").into()),
    }
    // [end]
    Ok(())
}

async fn transaction(client: &Client, dir: &str) -> Result<String, Box<dyn Error>> {
    // [transaction]
    // Nobody ever sees one of these files without the others, also not after a crash.
    let steps = Transaction::new()
        .write(format!("{dir}/tree/a"), "one\n", None)
        .write(format!("{dir}/tree/b"), "two\n", None)
        .write(format!("{dir}/tree/c"), "three\n", None);
    let done = client.transaction(steps, ChangeOptions::default()).await?;
    println!("transaction: {} changes, all or none", done.items.len());
    // [end]
    Ok(done.result.operation_id)
}

async fn watch(client: &Client, dir: &str) -> Result<(), Box<dyn Error>> {
    // [watch]
    let mut watch = client.watch(dir, WatchOptions { recursive: true, ..Default::default() });
    // The first message says that the watch has begun: what is committed from now on is seen.
    watch.try_next().await?;
    client.write(&format!("{dir}/watched.txt"), "look\n", Default::default()).await?;

    // When the server goes away, the watch goes on at the next one, behind the last message.
    while let Some(message) = watch.try_next().await? {
        let Some(watch_files_response::Event::Change(change)) = message.event else { continue };
        let revision = change.revision.unwrap_or_default();
        let kind = revision.kind().as_str_name().trim_start_matches("REVISION_KIND_");
        println!(
            "watch: {kind} of {}, revision {}",
            revision.path.trim_start_matches(&format!("{dir}/")),
            revision.revision
        );
        break;
    }
    // Dropping the stream ends the watch.
    // [end]
    Ok(())
}

async fn upload(client: &Client, dir: &str) -> Result<(), Box<dyn Error>> {
    // [upload]
    let path = format!("{dir}/large.bin");
    let content: Vec<u8> = (0..4 * 1024 * 1024_u32).map(|i| (i ^ (i >> 8)) as u8).collect();
    let resumed_at = Arc::new(AtomicU64::new(0));
    let told = resumed_at.clone();
    let options = UploadOptions {
        // Under this name the service keeps what it has when the upload breaks off.
        upload_id: Some(format!("{}-large", dir.replace('/', "-"))),
        on_resumed: Some(Arc::new(move |offset| told.store(offset, Ordering::Relaxed))),
        ..Default::default()
    };

    // A source that fails near its end: nothing is committed.
    let most = io::Cursor::new(content[..content.len() - 1024].to_vec());
    let failed = client.upload(&path, breaks_off_after(most), options.clone()).await;
    let Err(safefile::Error::Source(_)) = failed else { return Err(format!("{failed:?}").into()) };

    // The same name again: what the service holds already is not sent a second time.
    let sha256 = Sha256::digest(&content);
    let size = content.len();
    let uploaded = client.upload(&path, content, options).await?;
    let went_on = if resumed_at.load(Ordering::Relaxed) > 0 { "went on" } else { "began again" };
    let equal = if uploaded.revision.unwrap_or_default().sha256 == sha256[..] { "equal" } else { "different" };
    println!("upload: broke off, {went_on}, {size} bytes, digest {equal}");
    // [end]
    Ok(())
}

/// Gives all of `most`, then fails, each time it is opened.
fn breaks_off_after(most: io::Cursor<Vec<u8>>) -> Source {
    Source::open(move || {
        let most = most.clone();
        async move { Ok(most.chain(FailingReader)) }
    })
}

async fn restore(client: &Client, dir: &str, operation_id: String) -> Result<(), Box<dyn Error>> {
    // [restore]
    let tree = format!("{dir}/tree");
    client.remove(&tree, RemoveOptions { recursive: true, ..Default::default() }).await?;

    // All files below the directory, as they were just after the transaction.
    let options = RestoreOptions { tree: true, ..Default::default() };
    let started = client.start_restore(&tree, AsOf::Operation(operation_id), options).await?;
    let mut events = client.watch_restore(&started.restore_id, WatchRestoreOptions::default());
    let mut last = None;
    while let Some(event) = events.next().await {
        if let Some(watch_restore_response::Event::Progress(progress)) = event?.event {
            eprintln!("{} of {} files", progress.files_done, progress.files_total);
            last = Some(progress);
        }
    }
    let progress = last.unwrap_or_default();
    let state = progress.state().as_str_name().trim_start_matches("RESTORE_STATE_");
    println!("restore: {} of {} files, {state}", progress.files_restored, progress.files_total);
    // [end]
    Ok(())
}

/// A disk that breaks.
struct FailingReader;

impl tokio::io::AsyncRead for FailingReader {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<io::Result<()>> {
        std::task::Poll::Ready(Err(io::Error::other("the disk broke")))
    }
}
