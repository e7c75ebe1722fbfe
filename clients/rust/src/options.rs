use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use crate::RetryPolicy;

/// How a client connects, and what its calls do unless they say otherwise.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// `host:port`, one or several: the first that answers is used, and the next when it is gone.
    pub addresses: Vec<String>,
    /// How long a call may take, repeats included. Time given to wait for a lock is added. 30 s.
    pub deadline: Duration,
    /// How long a stream of content may stand still. 60 s.
    pub idle_max: Duration,
    /// The volume of all calls. The replica's only volume unless given.
    pub volume: Option<String>,
    /// What is repeated, and how often.
    pub retry: RetryPolicy,
}

impl Default for ClientOptions {
    fn default() -> Self {
        ClientOptions {
            addresses: vec!["127.0.0.1:7420".into()],
            deadline: Duration::from_secs(30),
            idle_max: Duration::from_secs(60),
            volume: None,
            retry: RetryPolicy::default(),
        }
    }
}

/// What every call takes.
#[derive(Clone, Debug, Default)]
pub struct CallOptions {
    /// The volume; the client's own unless given.
    pub volume: Option<String>,
    /// How long the call may take, repeats included. For content, how long it may take from the last byte on.
    pub deadline: Option<Duration>,
    /// Ends the call with the code `CANCELLED` and, of a change, what is known of its outcome. Dropping the future ends it
    /// as well, without a word.
    pub cancel: Option<CancellationToken>,
}

/// What must be true of a path, `PRECONDITION_FAILED` when it is not. Both hold when both are given.
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// The file has exactly this etag.
    pub etag: Option<String>,
    /// The file is exactly this revision. 0 means that nothing may be there, else `ALREADY_EXISTS`.
    pub if_revision: Option<i64>,
}

/// What every change takes.
#[derive(Clone, Debug, Default)]
pub struct ChangeOptions {
    /// What every call takes.
    pub call: CallOptions,
    /// Only if the file has exactly this etag.
    pub etag: Option<String>,
    /// Only if the file is exactly this revision. 0 means that nothing may be there, else `ALREADY_EXISTS`.
    pub if_revision: Option<i64>,
    /// Makes a repeat of the whole call safe. A random UUID unless given.
    pub request_id: Option<String>,
    /// Check only, change nothing.
    pub validate_only: bool,
    /// How long to wait for the path to be free. Zero does not wait; the server's default unless given.
    pub lock_wait: Option<Duration>,
    /// Who goes first among those waiting: -100 to 100, higher first.
    pub priority: i32,
    /// The lock under which the change is made; `LOCK_LOST` when it has ended.
    pub lock_id: Option<String>,
    /// Kept with the revision. No secrets.
    pub labels: HashMap<String, String>,
}

macro_rules! change_options {
    ($($name:ident),*) => {$(
        impl From<ChangeOptions> for $name {
            fn from(change: ChangeOptions) -> Self {
                $name { change, ..Default::default() }
            }
        }
    )*};
}

change_options!(
    WriteOptions,
    UploadOptions,
    AppendOptions,
    PatchOptions,
    MoveOptions,
    CopyOptions,
    MakeDirectoryOptions,
    RemoveOptions
);

/// Of [`Client::list`](crate::Client::list) and [`Client::revisions`](crate::Client::revisions).
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// What every call takes; the deadline is that of one page.
    pub call: CallOptions,
    /// Also everything below. Not for revisions.
    pub recursive: bool,
    /// Entries fetched at once. 1,000 unless given.
    pub page_size: Option<i32>,
}

/// Which part to read.
#[derive(Clone, Debug, Default)]
pub struct ReadOptions {
    /// What every call takes.
    pub call: CallOptions,
    /// Where to begin.
    pub offset: u64,
    /// The most bytes to read. Up to the end unless given.
    pub limit: Option<u64>,
    /// What is read at once may have so many bytes; more is [`Error::TooLarge`](crate::Error::TooLarge). 64 MiB unless
    /// given. A download has no limit.
    pub bytes_max: Option<u64>,
}

/// Of [`Client::write`](crate::Client::write).
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// What every change takes.
    pub change: ChangeOptions,
    /// The permission bits. Those of the file, or 0644 for a new one, unless given.
    pub mode: Option<u32>,
}

/// Of [`Client::append`](crate::Client::append).
#[derive(Clone, Debug, Default)]
pub struct AppendOptions {
    /// What every change takes.
    pub change: ChangeOptions,
    /// The permission bits of a file that did not exist. 0644 unless given.
    pub mode: Option<u32>,
}

type Told = Arc<dyn Fn(u64) + Send + Sync>;

/// Of [`Client::upload`](crate::Client::upload).
#[derive(Clone, Default)]
pub struct UploadOptions {
    /// What every change takes.
    pub change: ChangeOptions,
    /// The permission bits. Those of the file, or 0644 for a new one, unless given.
    pub mode: Option<u32>,
    /// The size of the whole, when known: then a source that ends early is an error and not a shorter file.
    pub size_bytes: Option<u64>,
    /// SHA-256 of the whole, when known: then the server refuses anything else.
    pub sha256: Option<Bytes>,
    /// The name under which the service keeps the bytes when the stream breaks. A random one unless given, and none for
    /// a source that cannot be read again. Give one to go on with an upload of an earlier process: the service is then
    /// asked first how much it holds. It stands for one content; several uploads at once under one name end each other.
    pub upload_id: Option<String>,
    /// Told where the upload stands, after each chunk. Falls back to what the service holds when a stream broke.
    pub on_progress: Option<Told>,
    /// Told when the upload goes on from bytes that the service holds already.
    pub on_resumed: Option<Told>,
}

impl fmt::Debug for UploadOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadOptions")
            .field("change", &self.change)
            .field("mode", &self.mode)
            .field("size_bytes", &self.size_bytes)
            .field("upload_id", &self.upload_id)
            .finish_non_exhaustive()
    }
}

/// Replaces `length` bytes at `offset` by `data`.
#[derive(Clone, Debug, Default)]
pub struct Edit {
    /// Where, in bytes, counted in the content before any edit. At most its size.
    pub offset: u64,
    /// How many bytes go. 0 inserts.
    pub length: u64,
    /// The bytes that come instead. None removes.
    pub data: Bytes,
}

/// Of [`Client::patch`](crate::Client::patch).
#[derive(Clone, Debug, Default)]
pub struct PatchOptions {
    /// What every change takes. Offsets mean little without a condition.
    pub change: ChangeOptions,
    /// SHA-256 of the whole file after the edits, when known: anything else is `CHECKSUM_MISMATCH`.
    pub sha256: Option<Bytes>,
}

/// Which attributes to change; at least one must be given.
#[derive(Clone, Debug, Default)]
pub struct Attributes {
    /// The permission bits, 0 to 0o777.
    pub mode: Option<u32>,
    /// The time of last change.
    pub modified_time: Option<SystemTime>,
    /// Extended attributes to set, by name without the "user." in front; at most 64 KiB together.
    pub set_xattrs: HashMap<String, Bytes>,
    /// Extended attributes to remove, by name without the "user." in front. Missing ones are no error.
    pub remove_xattrs: Vec<String>,
}

/// What may be at the target of a move or copy.
#[derive(Clone, Debug, Default)]
pub struct TargetOptions {
    /// Replace a file at the target; what was there stays as a revision. `ALREADY_EXISTS` unless given.
    pub overwrite: bool,
    /// What must be true of the target. The other conditions are about the source.
    pub condition: Condition,
}

/// Of [`Client::move_file`](crate::Client::move_file).
#[derive(Clone, Debug, Default)]
pub struct MoveOptions {
    /// What every change takes. Its conditions are about the source.
    pub change: ChangeOptions,
    /// What may be at the target.
    pub target: TargetOptions,
}

/// Of [`Client::copy`](crate::Client::copy).
#[derive(Clone, Debug, Default)]
pub struct CopyOptions {
    /// What every change takes. Its conditions are about the source.
    pub change: ChangeOptions,
    /// What may be at the target.
    pub target: TargetOptions,
    /// Which revision of the source. The live file unless given.
    pub revision: i64,
}

/// Of [`Client::make_directory`](crate::Client::make_directory).
#[derive(Clone, Debug, Default)]
pub struct MakeDirectoryOptions {
    /// What every change takes.
    pub change: ChangeOptions,
    /// The permission bits. 0755 unless given.
    pub mode: Option<u32>,
    /// Succeed, and change nothing, when the directory is there already. `ALREADY_EXISTS` unless given.
    pub allow_existing: bool,
}

/// Of [`Client::remove`](crate::Client::remove).
#[derive(Clone, Debug, Default)]
pub struct RemoveOptions {
    /// What every change takes.
    pub change: ChangeOptions,
    /// A directory with all below it.
    pub recursive: bool,
}

/// Of [`Client::watch`](crate::Client::watch).
#[derive(Clone, Debug, Default)]
pub struct WatchOptions {
    /// The volume; the client's own unless given.
    pub volume: Option<String>,
    /// Ends the watch with an error of the code `CANCELLED`. Dropping the stream ends it without a word.
    pub cancel: Option<CancellationToken>,
    /// Also what is below at any depth. The path itself and its direct entries unless given.
    pub recursive: bool,
    /// `resume_token` of the last event seen. From now on unless given.
    pub resume_token: String,
}

/// Of [`Client::watch_restore`](crate::Client::watch_restore).
#[derive(Clone, Debug, Default)]
pub struct WatchRestoreOptions {
    /// Ends the watch with an error of the code `CANCELLED`. Dropping the stream ends it without a word.
    pub cancel: Option<CancellationToken>,
    /// `cursor` of the last event seen. From the beginning unless given.
    pub cursor: String,
}

/// The point that a restore goes back to.
#[derive(Clone, Debug)]
pub enum AsOf {
    /// As it was at this time, by the servers' clocks.
    Time(SystemTime),
    /// As it was just after this operation.
    Operation(String),
}

/// What a restore does with files that are there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overwrite {
    /// Replaces them; what was there stays as a revision.
    #[default]
    Always,
    /// Leaves them as they are.
    Never,
}

/// Of [`Client::start_restore`](crate::Client::start_restore).
#[derive(Clone, Debug, Default)]
pub struct RestoreOptions {
    /// What every call takes.
    pub call: CallOptions,
    /// Everything at and below the path.
    pub tree: bool,
    /// What to do with files that are there.
    pub overwrite: Overwrite,
    /// Only what matches one of these globs.
    pub include: Vec<String>,
    /// Not what matches one of these globs.
    pub exclude: Vec<String>,
    /// Delete what did not exist then.
    pub delete_extra: bool,
    /// Restore to here and leave the path alone.
    pub target_path: Option<String>,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Makes a repeat of the whole call safe. A random UUID unless given.
    pub request_id: Option<String>,
    /// Who goes first among those waiting: -100 to 100, higher first.
    pub priority: i32,
    /// Kept with each revision. No secrets.
    pub labels: HashMap<String, String>,
}
