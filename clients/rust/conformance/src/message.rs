use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::Value;

use crate::failure::Failure;

/// The API, the storage format and google.rpc, as buf built them.
static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| {
    DescriptorPool::decode(&include_bytes!("gen/descriptors.binpb")[..]).expect("buf writes valid descriptors")
});

/// The message in protobuf's canonical JSON. `name` is that of its proto.
pub fn message(name: &str, message: &impl Message) -> Result<Value, Failure> {
    let descriptor = POOL.get_message_by_name(name).ok_or_else(|| Failure::other(format!("no message {name}")))?;
    let dynamic = DynamicMessage::decode(descriptor, &message.encode_to_vec()[..]).map_err(Failure::other)?;
    serde_json::to_value(&dynamic).map_err(Failure::other)
}

/// The same, of each; `name` is below safefile.v1.
pub fn messages<M: Message>(name: &str, all: &[M]) -> Result<Value, Failure> {
    all.iter().map(|it| message(&format!("safefile.v1.{name}"), it)).collect()
}

/// The same, of one that may be missing.
pub fn optional(name: &str, it: Option<&impl Message>) -> Result<Value, Failure> {
    it.map_or(Ok(Value::Null), |it| message(&format!("safefile.v1.{name}"), it))
}

pub fn result(it: &safefile::v1::MutationResult) -> Result<Value, Failure> {
    message("safefile.v1.MutationResult", it)
}
