use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use safefile::{Client, Source, UploadOptions};
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempPath};
use tokio::io::AsyncReadExt;

use crate::args::Args;
use crate::content::{Content, from_hex};
use crate::driver::lock;
use crate::failure::Failure;
use crate::message::result;
use crate::options::change_options;

pub async fn upload(client: &Client, mut args: Args) -> Result<Value, Failure> {
    let path = args.text_or_empty("path")?;
    let content = Content::take_or_empty(&mut args, "content")?;
    let kind = args.text("source")?.unwrap_or("bytes".into());
    let is_declared = args.flag_or("declare", true)? && kind != "bytes";
    let fails_at = args.number("failAfterBytes")?;
    let mut options = UploadOptions {
        change: change_options(&mut args)?,
        mode: args.number("mode")?,
        size_bytes: args.number("sizeBytes")?,
        sha256: args.text("sha256")?.map(|it| from_hex(&it)).transpose()?,
        upload_id: args.text("uploadId")?,
        ..Default::default()
    };
    args.end()?;
    if is_declared {
        options.size_bytes = options.size_bytes.or(Some(content.size_bytes()));
        if options.sha256.is_none() {
            options.sha256 = Some(content.sha256().await?);
        }
    }
    let (sent_bytes, resumed_at) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (sent, resumed) = (sent_bytes.clone(), resumed_at.clone());
    options.on_progress = Some(Arc::new(move |bytes| sent.store(bytes, Ordering::Relaxed)));
    options.on_resumed = Some(Arc::new(move |offset| lock(&resumed).push(offset)));
    let mut file = None;
    let source = match kind.as_str() {
        // Bytes in memory cannot fail: what opens them again can.
        "bytes" if fails_at.is_none() => Source::from(content.bytes().await?),
        "bytes" => Source::open(move || {
            let mut reader = content.reader();
            reader.fails_at = fails_at;
            async move { Ok(reader) }
        }),
        "file" => file_source(file.insert(temporary(&content).await?), fails_at),
        "stream" => {
            let mut reader = content.reader();
            reader.fails_at = fails_at;
            Source::reader(reader)
        }
        _ => return Err(Failure::other(format!("unknown source {kind:?}"))),
    };
    let uploaded = client.upload(&path, source, options).await?;
    drop(file);
    Ok(json!({
        "result": result(&uploaded)?,
        "resumedAt": *lock(&resumed_at),
        "sentBytes": sent_bytes.load(Ordering::Relaxed),
    }))
}

fn file_source(path: &TempPath, fails_at: Option<u64>) -> Source {
    let Some(fails_at) = fails_at else { return Source::file(path.to_path_buf()) };
    let path = path.to_path_buf();
    Source::open(move || {
        let path = path.clone();
        async move {
            let file = tokio::fs::File::open(path).await?.take(fails_at);
            let mut failing = Content::Fill { size: 0, seed: 0 }.reader();
            failing.fails_at = Some(0);
            Ok(file.chain(failing))
        }
    })
}

async fn temporary(content: &Content) -> Result<TempPath, Failure> {
    let mut file = NamedTempFile::new()?;
    let (mut reader, mut piece) = (content.reader(), vec![0; 1 << 16]);
    loop {
        let length = reader.read(&mut piece).await?;
        if length == 0 {
            return Ok(file.into_temp_path());
        }
        file.write_all(&piece[..length])?;
    }
}
