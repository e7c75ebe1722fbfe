import { createHash } from "node:crypto";
import { fromBinary } from "@bufbuild/protobuf";
import { crc32c } from "@node-rs/crc32";
import { SafefileError } from "@safefile/client";
import { StatusSchema } from "../../../services/gen/google/rpc/status_pb.js";
import { OperationRecordSchema } from "../../../services/gen/safefile/storage/v1/storage_pb.js";
import { errorFacts, json } from "./facts.js";

const HEADER_BYTES = 41;
const OPERATION = 1;

export function golden(kind: string, bytes: Buffer): object {
  switch (kind) {
    case "status":
      return { error: errorFacts(SafefileError.fromStatus(fromBinary(StatusSchema, bytes))) };
    case "content":
      return { sha256: createHash("sha256").update(bytes).digest("hex"), crc32c: crc32c(bytes) };
    case "frame":
      return frame(bytes);
    default:
      throw new Error(`${kind} is no kind of golden file`);
  }
}

/** Its form is in services/journal/frame.ts; read here without that, as the other languages do. */
function frame(bytes: Buffer): object {
  if (crc32c(bytes.subarray(4)) !== bytes.readUInt32LE(0)) return { valid: false };
  const type = bytes.readUInt8(40);
  const payload = bytes.subarray(HEADER_BYTES, HEADER_BYTES + bytes.readUInt32LE(4));
  return {
    valid: true,
    sequence: Number(bytes.readBigUInt64LE(8)),
    durableSequence: Number(bytes.readBigUInt64LE(16)),
    incarnation: bytes.toString("hex", 24, 40),
    type,
    ...(type === OPERATION ? { record: json(OperationRecordSchema, fromBinary(OperationRecordSchema, payload)) } : {}),
  };
}
