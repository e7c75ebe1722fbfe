use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use tonic::{Status, Streaming};

use crate::v1;

/// A message of ReadFile or ReadRevision.
pub(crate) enum Part {
    Header(Box<v1::ContentHeader>),
    Chunk(v1::ContentChunk),
    Trailer(v1::ContentTrailer),
    Unknown,
}

pub(crate) type Parts = Pin<Box<dyn Stream<Item = Result<Part, Status>> + Send>>;

pub(crate) fn parts<M: Into<Part> + Send + 'static>(messages: Streaming<M>) -> Parts {
    Box::pin(messages.map(|message| message.map(Into::into)))
}

macro_rules! from_response {
    ($message:ident, $module:ident) => {
        impl From<v1::$message> for Part {
            fn from(message: v1::$message) -> Self {
                match message.part {
                    Some(v1::$module::Part::Header(header)) => Part::Header(header.into()),
                    Some(v1::$module::Part::Chunk(chunk)) => Part::Chunk(chunk),
                    Some(v1::$module::Part::Trailer(trailer)) => Part::Trailer(trailer),
                    None => Part::Unknown,
                }
            }
        }
    };
}

from_response!(ReadFileResponse, read_file_response);
from_response!(ReadRevisionResponse, read_revision_response);
