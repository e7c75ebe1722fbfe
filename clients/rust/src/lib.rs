//! Safe file changes over gRPC: the client of the Safefile service.
//!
//! [`Client`] has a method for everything that people do; [`v1`] holds the generated messages and stubs, for all else
//! ([`Client::call`], [`Client::channel`]). A call that fails says in [`ServiceError::outcome`] what became of the file.
//!
//! Dropping a future or stream cancels its call. Where it matters what became of a change, cancel it by
//! [`CallOptions::cancel`] instead: then the call ends with an error that says so.

mod call;
mod change;
mod channel;
mod client;
mod connection;
mod digest;
mod download;
mod error;
mod follow;
mod held_lock;
mod locks;
mod options;
mod pages;
mod part;
mod retry;
#[cfg(test)]
mod script;
mod source;
mod trace_context;
mod transaction;
mod transport_error;
mod upload;

pub use channel::Channel;
pub use client::{Appended, Client, Moved, Transacted};
pub use download::Download;
pub use error::{ConditionViolation, Error, FieldViolation, Outcome, QuotaViolation, Resource, ServiceError};
pub use held_lock::HeldLock;
pub use locks::{LockOptions, LockTarget, Locks, LocksOptions};
pub use options::{
    AppendOptions, AsOf, Attributes, CallOptions, ChangeOptions, ClientOptions, Condition, CopyOptions, Edit,
    ListOptions, MakeDirectoryOptions, MoveOptions, Overwrite, PatchOptions, ReadOptions, RemoveOptions,
    RestoreOptions, TargetOptions, UploadOptions, WatchOptions, WatchRestoreOptions, WriteOptions,
};
pub use retry::RetryPolicy;
pub use source::Source;
pub use transaction::Transaction;

pub use bytes::Bytes;
pub use prost_types;
pub use tokio_util::sync::CancellationToken;
pub use tonic;

/// What calls give.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A stream that can be kept in a variable and sent to another task.
pub type BoxStream<T> = std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<T>> + Send>>;

/// The generated messages and stubs.
#[allow(missing_docs, clippy::all, rustdoc::all)]
pub mod v1 {
    include!("gen/safefile.v1.rs");
    include!("gen/safefile.v1.tonic.rs");
}
