/** What the golden files hold, made by the server's own code. */

import { create, type DescMessage, fromJson, type JsonValue, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../services/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../services/gen/google/rpc/status_pb.js";
import { encodeHeader, FrameType } from "../../services/journal/frame.js";
import { encodeOperation } from "../../services/journal/record.js";
import type { OperationId } from "../../services/model/operation.js";
import type { FilePath } from "../../services/model/path.js";
import { bytesOf } from "./match.js";

const INCARNATION = Buffer.from("000102030405060708090a0b0c0d0e0f", "hex");

function frame(): Buffer {
  const payload = encodeOperation({
    operation: "00041061050R3GG28A1C60T3GF.4711" as OperationId,
    requestId: "golden:request",
    requestSha256: bytesOf({ fill: { size: 32, seed: 1 } }),
    timeMs: 1_767_225_600_123,
    labels: { by: "golden" },
    traceId: "0af7651916cd43dd8448eb211c80319c",
    changes: [
      {
        path: "conf/grüße.json" as FilePath,
        kind: "WRITE",
        epoch: 3,
        baseOperation: "00041061050R3GG28A1C60T3GF.4700" as OperationId,
        baseRevision: 41,
        external: undefined,
        revision: 42,
        content: {
          sha256: bytesOf({ fill: { size: 32, seed: 2 } }),
          sizeBytes: 6,
          mode: 0o640,
          body: { inline: Buffer.from("hello\n") },
          xattrs: { reviewed: Buffer.from("yes") },
          owner: { uid: 1000, gid: 100 },
        },
        createOnly: false,
        inode: 18_446_744_073_709_551_615n,
        mtimeNs: 1_767_225_600_123_456_789n,
        sourceRevision: 0,
        backupRevision: 41,
        directoryMode: 0,
      },
    ],
  });
  const header = encodeHeader(
    { type: FrameType.operation, sequence: 4711, durableSequence: 4709, payload },
    INCARNATION,
  );
  return Buffer.concat([header, payload]);
}

function damaged(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  copy[copy.length - 3]! ^= 0x10;
  return copy;
}

function status(code: number, reason: string): Buffer {
  const pack = <D extends DescMessage>(schema: D, json: JsonValue) => anyPack(schema, fromJson(schema, json));
  const details = [
    pack(ErrorInfoSchema, {
      reason,
      domain: "safefile",
      metadata: {
        outcome: "NOT_COMMITTED",
        stage: "commit",
        path: "conf/grüße.json",
        revision: "42",
        request_id: "golden:request",
      },
    }),
    pack(BadRequestSchema, { fieldViolations: [{ field: "options.priority", description: "must be at most 100" }] }),
    pack(PreconditionFailureSchema, {
      violations: [{ type: "ETAG", subject: "conf/grüße.json", description: "is another" }],
    }),
    pack(RetryInfoSchema, { retryDelay: "1.250s" }),
    pack(ResourceInfoSchema, { resourceType: "file", resourceName: "conf/grüße.json" }),
  ];
  return Buffer.from(toBinary(StatusSchema, create(StatusSchema, { code, message: "Somebody was faster.", details })));
}

/** The bytes by the files' names. */
export function golden(): ReadonlyMap<string, Buffer> {
  const whole = frame();
  return new Map([
    ["frame.bin", whole],
    ["damaged-frame.bin", damaged(whole)],
    ["status.bin", status(10, "PRECONDITION_FAILED")],
    ["other-status.bin", status(6, "ALREADY_EXISTS")],
    ["content.bin", bytesOf({ fill: { size: 70_003, seed: 42 } })],
  ]);
}
