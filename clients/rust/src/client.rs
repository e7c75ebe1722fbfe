use std::future::Future;
use std::sync::Arc;

use crate::channel::Channel;
use bytes::Bytes;
use tokio::time::sleep_until;
use tonic::{Request, Response, Status};

use crate::call::{CallContext, Caller, unless_cancelled};
use crate::change::{
    DATA_BYTES_MAX, attributes, check_size, condition, edits, edits_bytes, mutation_options, number, present,
    request_id, result, timestamp,
};
use crate::connection::{connect, files, recovery};
use crate::digest::sha256;
use crate::error::Outcome;
use crate::follow::{Followed, follow};
use crate::options::{
    AppendOptions, AsOf, Attributes, CallOptions, ChangeOptions, ClientOptions, CopyOptions, Edit, ListOptions,
    MakeDirectoryOptions, MoveOptions, Overwrite, PatchOptions, ReadOptions, RemoveOptions, RestoreOptions,
    UploadOptions, WatchOptions, WatchRestoreOptions, WriteOptions,
};
use crate::pages::pages;
use crate::part::{Parts, parts};
use crate::retry::cancelled;
use crate::upload::upload;
use crate::{BoxStream, Download, Error, Locks, Result, Source, Transaction, trace_context, v1};

const PAGE_SIZE: i32 = 1_000;
const WHOLE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Safe file changes over gRPC. A client holds one connection, made when it is needed, and may be used by many calls
/// at once; its clones share the connection.
#[derive(Clone)]
pub struct Client {
    caller: Caller,
}

/// What an append did.
#[derive(Clone, Debug)]
pub struct Appended {
    /// What all changes say.
    pub result: v1::MutationResult,
    /// Where in the file the added bytes begin.
    pub offset: u64,
}

/// What a move did.
#[derive(Clone, Debug)]
pub struct Moved {
    /// At the target: its `backup_revision` is one of the target.
    pub result: v1::MutationResult,
    /// The revision that ended the source. None for `validate_only`.
    pub source_revision: Option<v1::Revision>,
}

/// What a transaction did.
#[derive(Clone, Debug)]
pub struct Transacted {
    /// Of the whole: one operation id for all. `file`, `revision` and `backup_revision` are in the items.
    pub result: v1::MutationResult,
    /// One per step, in their order.
    pub items: Vec<v1::TransactionItem>,
}

impl Client {
    /// A client of the service at this address, `host:port`. It connects with its first call. Needs a tokio runtime.
    pub fn new(address: impl Into<String>) -> Result<Self> {
        Client::with_options(ClientOptions { addresses: vec![address.into()], ..Default::default() })
    }

    /// A client of the service at one of several addresses, or with other limits. Needs a tokio runtime.
    pub fn with_options(options: ClientOptions) -> Result<Self> {
        let channel = connect(options.addresses.clone())?;
        Ok(Client { caller: Caller { channel, options: Arc::new(options) } })
    }

    /// The connection, for the generated stubs of [`v1`]: calls made so are not repeated, and fail with a
    /// [`tonic::Status`], which [`ServiceError::from_status`](crate::ServiceError::from_status) reads.
    pub fn channel(&self) -> Channel {
        self.caller.channel.clone()
    }

    /// Any other unary RPC by its generated stub. It is repeated while the service is `UNAVAILABLE`, so give a change its
    /// request id.
    ///
    /// ```ignore
    /// client.call(GetReportRequest::default(), &CallOptions::default(), |channel, request| async move {
    ///     AdminServiceClient::new(channel).get_report(request).await
    /// });
    /// ```
    pub async fn call<I, O, F, R>(&self, request: I, options: &CallOptions, stub: F) -> Result<O>
    where
        I: Clone,
        F: Fn(Channel, Request<I>) -> R,
        R: Future<Output = Result<Response<O>, Status>>,
    {
        self.caller.unary(self.caller.reading(options), request, stub).await
    }

    /// Locks over several calls.
    pub fn locks(&self) -> Locks {
        Locks { caller: self.caller.clone() }
    }

    /// What is at a path now. Empty is the root.
    pub async fn stat(&self, path: &str, options: &CallOptions) -> Result<v1::FileInfo> {
        let request = v1::StatFileRequest { volume: self.caller.volume(options), path: path.into() };
        let stub = |channel, request| async move { files(channel).stat_file(request).await };
        present(self.call(request, options, stub).await?.file)
    }

    /// The entries of a directory, sorted, over all pages.
    pub fn list(&self, path: &str, options: ListOptions) -> BoxStream<v1::FileInfo> {
        let (client, path) = (self.clone(), path.to_string());
        pages(move |page_token| {
            let (client, path, options) = (client.clone(), path.clone(), options.clone());
            async move {
                let request = v1::ListFilesRequest {
                    volume: client.caller.volume(&options.call),
                    path,
                    recursive: options.recursive,
                    page_size: options.page_size.unwrap_or(PAGE_SIZE),
                    page_token,
                };
                let stub = |channel, request| async move { files(channel).list_files(request).await };
                let page = client.call(request, &options.call, stub).await?;
                Ok((page.files, page.next_page_token))
            }
        })
    }

    /// A whole small file at once.
    pub async fn read(&self, path: &str, options: &ReadOptions) -> Result<(Bytes, v1::FileInfo)> {
        let (bytes, download) = self.whole(options, || self.download(path, options)).await?;
        Ok((bytes, present(download.file().cloned())?))
    }

    /// A file of any size, as it arrives. What it gives is whole only once it has ended without an error.
    pub async fn download(&self, path: &str, options: &ReadOptions) -> Result<Download> {
        let request = v1::ReadFileRequest {
            volume: self.caller.volume(&options.call),
            path: path.into(),
            revision: 0,
            offset: number(options.offset),
            limit: number(options.limit.unwrap_or_default()),
        };
        self.open(path, options, request, |channel, request| async move {
            Ok(parts(files(channel).read_file(request).await?.into_inner()))
        })
        .await
    }

    /// Creates or replaces a file. More than 1 MiB travels as an upload.
    pub async fn write(&self, path: &str, data: impl Into<Bytes>, options: WriteOptions) -> Result<v1::MutationResult> {
        let data = data.into();
        let WriteOptions { change, mode } = options;
        if data.len() > DATA_BYTES_MAX {
            let options = UploadOptions { change, mode, ..Default::default() };
            return self.upload(path, data, options).await;
        }
        let carried = Carried::new(self, &change);
        let sha256 = sha256(&data);
        let Carried { volume, options, id } = carried;
        let request = v1::WriteFileRequest { volume, path: path.into(), options, data, mode, sha256 };
        let stub = |channel, request| async move { files(channel).write_file(request).await };
        result(self.change(&change, &id, request, stub).await?.result, &id)
    }

    /// Creates or replaces a file of any size. No more of the source is read than the server takes. When the connection
    /// breaks it goes on from what the server holds, unless the source cannot be read again.
    pub async fn upload(
        &self,
        path: &str,
        source: impl Into<Source>,
        options: UploadOptions,
    ) -> Result<v1::MutationResult> {
        let source = source.into();
        let size_bytes = options.size_bytes.or(source.bytes().map(|bytes| bytes.len() as u64));
        let digest = options.sha256.clone().or_else(|| source.bytes().map(|bytes| sha256(bytes)));
        let header = v1::UploadHeader {
            volume: self.caller.volume(&options.change.call),
            path: path.into(),
            options: Some(mutation_options(&options.change)),
            mode: options.mode,
            size_bytes: size_bytes.map(number),
            sha256: digest.unwrap_or_default(),
            upload_id: String::new(),
        };
        upload(&self.caller, source, &options, header).await
    }

    /// Adds 1 byte to 1 MiB at the end of a file, creating it when it is missing. Readers see all of them or none.
    pub async fn append(&self, path: &str, data: impl Into<Bytes>, options: AppendOptions) -> Result<Appended> {
        let data = data.into();
        let AppendOptions { change, mode } = options;
        let Carried { volume, options, id } = Carried::new(self, &change);
        check_size(data.len(), "data", &id)?;
        let sha256 = sha256(&data);
        let request = v1::AppendFileRequest { volume, path: path.into(), options, data, mode, sha256 };
        let stub = |channel, request| async move { files(channel).append_file(request).await };
        let answer = self.change(&change, &id, request, stub).await?;
        let offset = u64::try_from(answer.offset).unwrap_or_default();
        Ok(Appended { result: result(answer.result, &id)?, offset })
    }

    /// Replaces parts of a file that exists. Readers see all edits or none. The edits, 1 to 1,000 with at most 1 MiB of
    /// data together, come in rising order of offset and without overlap.
    pub async fn patch(&self, path: &str, parts: &[Edit], options: PatchOptions) -> Result<v1::MutationResult> {
        let PatchOptions { change, sha256 } = options;
        let Carried { volume, options, id } = Carried::new(self, &change);
        check_size(edits_bytes(parts), "edits", &id)?;
        let sha256 = sha256.unwrap_or_default();
        let request = v1::PatchFileRequest { volume, path: path.into(), options, edits: edits(parts), sha256 };
        let stub = |channel, request| async move { files(channel).patch_file(request).await };
        result(self.change(&change, &id, request, stub).await?.result, &id)
    }

    /// Changes mode, time or extended attributes of a file, as one revision.
    pub async fn set_attributes(
        &self,
        path: &str,
        changed: Attributes,
        change: ChangeOptions,
    ) -> Result<v1::MutationResult> {
        let Carried { volume, options, id } = Carried::new(self, &change);
        let attributes = attributes(changed);
        let request = v1::SetAttributesRequest {
            volume,
            path: path.into(),
            options,
            mode: attributes.mode,
            update_time: attributes.update_time,
            set_xattrs: attributes.set_xattrs,
            remove_xattrs: attributes.remove_xattrs,
        };
        let stub = |channel, request| async move { files(channel).set_attributes(request).await };
        result(self.change(&change, &id, request, stub).await?.result, &id)
    }

    /// Moves a file or directory, atomically; missing parents of the target are made. A directory moves with at most
    /// 1,000 files and directories in it, to where nothing is.
    pub async fn move_file(&self, source: &str, target: &str, options: MoveOptions) -> Result<Moved> {
        let MoveOptions { change, target: at_target } = options;
        let Carried { volume, options, id } = Carried::new(self, &change);
        let request = v1::MoveFileRequest {
            volume,
            path: source.into(),
            options,
            target_path: target.into(),
            overwrite: at_target.overwrite,
            target_precondition: condition(&at_target.condition),
        };
        let stub = |channel, request| async move { files(channel).move_file(request).await };
        let answer = self.change(&change, &id, request, stub).await?;
        Ok(Moved { result: result(answer.result, &id)?, source_revision: answer.source_revision })
    }

    /// Copies a file, or one of its revisions; missing parents of the target are made.
    pub async fn copy(&self, source: &str, target: &str, options: CopyOptions) -> Result<v1::MutationResult> {
        let CopyOptions { change, target: at_target, revision } = options;
        let Carried { volume, options, id } = Carried::new(self, &change);
        let request = v1::CopyFileRequest {
            volume,
            path: source.into(),
            options,
            target_path: target.into(),
            overwrite: at_target.overwrite,
            target_precondition: condition(&at_target.condition),
            revision,
        };
        let stub = |channel, request| async move { files(channel).copy_file(request).await };
        result(self.change(&change, &id, request, stub).await?.result, &id)
    }

    /// Makes a directory and its missing parents.
    pub async fn make_directory(&self, path: &str, options: MakeDirectoryOptions) -> Result<v1::MutationResult> {
        let MakeDirectoryOptions { change, mode, allow_existing } = options;
        let Carried { volume, options, id } = Carried::new(self, &change);
        let request = v1::MakeDirectoryRequest { volume, path: path.into(), options, mode, allow_existing };
        let stub = |channel, request| async move { files(channel).make_directory(request).await };
        result(self.change(&change, &id, request, stub).await?.result, &id)
    }

    /// Deletes a file. Its content stays as the revision `backup_revision`.
    pub async fn remove(&self, path: &str, options: RemoveOptions) -> Result<v1::MutationResult> {
        let RemoveOptions { change, recursive } = options;
        let Carried { volume, options, id } = Carried::new(self, &change);
        let request = v1::DeleteFileRequest { volume, path: path.into(), options, recursive };
        let stub = |channel, request| async move { files(channel).delete_file(request).await };
        result(self.change(&change, &id, request, stub).await?.result, &id)
    }

    /// Up to 1,000 changes on many paths: all are committed or none is, also across crashes. The conditions belong to the
    /// steps; those of `change` must not be set.
    pub async fn transaction(&self, steps: Transaction, change: ChangeOptions) -> Result<Transacted> {
        let Carried { volume, options, id } = Carried::new(self, &change);
        check_size(steps.data_bytes(), "operations", &id)?;
        let request = v1::ExecuteTransactionRequest { volume, options, operations: steps.operations };
        let stub = |channel, request| async move { files(channel).execute_transaction(request).await };
        let answer = self.change(&change, &id, request, stub).await?;
        Ok(Transacted { result: result(answer.result, &id)?, items: answer.items })
    }

    /// The changes of a file or tree as they are committed, in order per path. The first message comes at once: whatever is
    /// committed after it is seen. Goes on by itself after a break.
    pub fn watch(&self, path: &str, options: WatchOptions) -> BoxStream<v1::WatchFilesResponse> {
        let WatchOptions { volume, cancel, recursive, resume_token } = options;
        let volume = self.caller.volume(&CallOptions { volume, ..Default::default() });
        let path = path.to_string();
        let request = move |resume_token| v1::WatchFilesRequest {
            volume: volume.clone(),
            path: path.clone(),
            recursive,
            resume_token,
        };
        let followed = Followed {
            request: Box::new(request),
            position_of: |it: &v1::WatchFilesResponse| &it.resume_token,
            from: resume_token,
        };
        let stub = |channel, request| async move { files(channel).watch_files(request).await };
        follow(&self.caller, cancel, followed, stub)
    }

    /// The revisions of a path, newest first, over all pages.
    pub fn revisions(&self, path: &str, options: ListOptions) -> BoxStream<v1::Revision> {
        let (client, path) = (self.clone(), path.to_string());
        pages(move |page_token| {
            let (client, path, options) = (client.clone(), path.clone(), options.clone());
            async move {
                let request = v1::ListRevisionsRequest {
                    volume: client.caller.volume(&options.call),
                    path,
                    page_size: options.page_size.unwrap_or(PAGE_SIZE),
                    page_token,
                };
                let stub = |channel, request| async move { recovery(channel).list_revisions(request).await };
                let page = client.call(request, &options.call, stub).await?;
                Ok((page.revisions, page.next_page_token))
            }
        })
    }

    /// The content of a revision at once. 0 is the newest.
    pub async fn read_revision(
        &self,
        path: &str,
        revision: i64,
        options: &ReadOptions,
    ) -> Result<(Bytes, v1::Revision)> {
        let open = || self.download_revision(path, revision, options);
        let (bytes, download) = self.whole(options, open).await?;
        Ok((bytes, present(download.revision().cloned())?))
    }

    /// The content of a revision of any size, as it arrives; also of a file that is deleted now. 0 is the newest.
    pub async fn download_revision(&self, path: &str, revision: i64, options: &ReadOptions) -> Result<Download> {
        let request = v1::ReadRevisionRequest {
            volume: self.caller.volume(&options.call),
            path: path.into(),
            revision,
            offset: number(options.offset),
            limit: number(options.limit.unwrap_or_default()),
        };
        self.open(path, options, request, |channel, request| async move {
            Ok(parts(recovery(channel).read_revision(request).await?.into_inner()))
        })
        .await
    }

    /// Makes an earlier revision the live file again, as a new revision.
    pub async fn rollback(&self, path: &str, revision: i64, change: ChangeOptions) -> Result<v1::MutationResult> {
        let Carried { volume, options, id } = Carried::new(self, &change);
        let request = v1::RollbackFileRequest { volume, path: path.into(), options, revision };
        let stub = |channel, request| async move { recovery(channel).rollback_file(request).await };
        result(self.change(&change, &id, request, stub).await?.result, &id)
    }

    /// Starts to restore a file or a tree, and returns at once.
    pub async fn start_restore(
        &self,
        path: &str,
        as_of: AsOf,
        options: RestoreOptions,
    ) -> Result<v1::StartRestoreResponse> {
        use v1::start_restore_request::Point;
        let id = request_id(options.request_id.as_ref());
        let overwrite_policy = match options.overwrite {
            Overwrite::Always => v1::OverwritePolicy::Always,
            Overwrite::Never => v1::OverwritePolicy::Never,
        };
        let request = v1::StartRestoreRequest {
            volume: self.caller.volume(&options.call),
            path: path.into(),
            tree: options.tree,
            overwrite_policy: overwrite_policy.into(),
            include: options.include,
            exclude: options.exclude,
            delete_extra: options.delete_extra,
            target_path: options.target_path.unwrap_or_default(),
            dry_run: options.dry_run,
            request_id: id.clone(),
            priority: options.priority,
            labels: options.labels,
            point: Some(match as_of {
                AsOf::Time(time) => Point::AsOfTime(timestamp(time)),
                AsOf::Operation(operation) => Point::AsOfOperation(operation),
            }),
        };
        let context = CallContext { request_id: Some(&id), ..self.caller.reading(&options.call) };
        let stub = |channel, request| async move { recovery(channel).start_restore(request).await };
        self.caller.unary(context, request, stub).await
    }

    /// The events of a restore until it ends, also across a restart of the server.
    pub fn watch_restore(&self, restore_id: &str, options: WatchRestoreOptions) -> BoxStream<v1::WatchRestoreResponse> {
        let WatchRestoreOptions { cancel, cursor } = options;
        let restore_id = restore_id.to_string();
        let request = move |cursor| v1::WatchRestoreRequest { restore_id: restore_id.clone(), cursor };
        let followed = Followed {
            request: Box::new(request),
            position_of: |it: &v1::WatchRestoreResponse| &it.cursor,
            from: cursor,
        };
        let stub = |channel, request| async move { recovery(channel).watch_restore(request).await };
        follow(&self.caller, cancel, followed, stub)
    }

    async fn change<I, O, F, R>(&self, options: &ChangeOptions, id: &str, request: I, stub: F) -> Result<O>
    where
        I: Clone,
        F: Fn(Channel, Request<I>) -> R,
        R: Future<Output = Result<Response<O>, Status>>,
    {
        let context = CallContext {
            deadline: self.caller.deadline(&options.call, options.lock_wait),
            cancel: options.call.cancel.as_ref(),
            request_id: Some(id),
        };
        self.caller.unary(context, request, stub).await
    }

    /// Until the header is here nothing was given to the caller, so it may be repeated.
    async fn open<I, F, R>(&self, path: &str, options: &ReadOptions, request: I, stub: F) -> Result<Download>
    where
        I: Clone,
        F: Fn(Channel, Request<I>) -> R,
        R: Future<Output = Result<Parts, Status>>,
    {
        let cancel = options.call.cancel.as_ref();
        let mut retry = self.caller.retry();
        loop {
            let mut request = Request::new(request.clone());
            trace_context::inject(request.metadata_mut());
            let start = stub(self.channel(), request);
            let failure = match Download::open(path, self.caller.options.idle_max, cancel, start).await {
                Ok(download) => return Ok(download),
                Err(failure) => failure,
            };
            let resume = retry.next(failure, None)?;
            if unless_cancelled(cancel, sleep_until(resume)).await.is_none() {
                return Err(cancelled(None, Outcome::Unknown));
            }
        }
    }

    async fn whole<F, R>(&self, options: &ReadOptions, open: F) -> Result<(Bytes, Download)>
    where
        F: Fn() -> R,
        R: Future<Output = Result<Download>>,
    {
        let bytes_max = options.bytes_max.unwrap_or(WHOLE_BYTES_MAX);
        let cancel = options.call.cancel.as_ref();
        let mut retry = self.caller.retry();
        loop {
            let mut download = open().await?;
            let failure: Error = match download.bytes(bytes_max).await {
                Ok(bytes) => return Ok((bytes, download)),
                Err(failure) => failure,
            };
            let resume = retry.next(failure, None)?;
            if unless_cancelled(cancel, sleep_until(resume)).await.is_none() {
                return Err(cancelled(None, Outcome::Unknown));
            }
        }
    }
}

/// What all changes carry.
struct Carried {
    volume: String,
    options: Option<v1::MutationOptions>,
    id: String,
}

impl Carried {
    fn new(client: &Client, change: &ChangeOptions) -> Self {
        let options = mutation_options(change);
        let id = options.request_id.clone();
        Carried { volume: client.caller.volume(&change.call), options: Some(options), id }
    }
}
