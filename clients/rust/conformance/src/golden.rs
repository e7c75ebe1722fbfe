use prost::Message;
use safefile::ServiceError;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tonic_types::pb;

use crate::args::Args;
use crate::content::hex;
use crate::failure::{Failure, service_json};
use crate::message::message;

mod storage {
    #![allow(dead_code, clippy::all)]
    include!("gen/safefile.storage.v1.rs");
}

const HEADER_BYTES: usize = 41;
const TYPE_OPERATION: u8 = 1;

pub fn golden(mut args: Args) -> Result<Value, Failure> {
    let (kind, file) = (args.text_or_empty("kind")?, args.text_or_empty("file")?);
    args.end()?;
    let bytes = std::fs::read(file)?;
    match kind.as_str() {
        "status" => {
            let status = pb::Status::decode(&bytes[..]).map_err(Failure::other)?;
            Ok(json!({"error": service_json(&ServiceError::from_message(&status))}))
        }
        "content" => Ok(json!({"sha256": hex(&Sha256::digest(&bytes)), "crc32c": crc32c::crc32c(&bytes)})),
        "frame" => frame(&bytes),
        _ => Err(Failure::other(format!("unknown kind {kind:?}"))),
    }
}

/// Little endian: u32 CRC-32C of all that follows, u32 payload bytes, u64 sequence, u64 durable sequence, 16 bytes of
/// incarnation, u8 type, payload.
fn frame(bytes: &[u8]) -> Result<Value, Failure> {
    let Some(frame) = valid(bytes) else { return Ok(json!({"valid": false})) };
    let u64_at = |at: usize| frame[at..at + 8].iter().rev().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    let mut value = json!({
        "valid": true,
        "sequence": u64_at(8),
        "durableSequence": u64_at(16),
        "incarnation": hex(&frame[24..40]),
        "type": frame[40],
    });
    if frame[40] == TYPE_OPERATION {
        let record = storage::OperationRecord::decode(&frame[HEADER_BYTES..]).map_err(Failure::other)?;
        value["record"] = message("safefile.storage.v1.OperationRecord", &record)?;
    }
    Ok(value)
}

fn valid(bytes: &[u8]) -> Option<&[u8]> {
    let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    let end = HEADER_BYTES.checked_add(u32_at(4)? as usize)?;
    let frame = bytes.get(..end)?;
    (crc32c::crc32c(&frame[4..]) == u32_at(0)?).then_some(frame)
}
