import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { UploadFileRequestSchema } from "./gen/safefile/v1/file_ops_service_pb.js";
import { encodeUploadFrame } from "./upload-frame.js";

test("a chunk encoded by hand has the bytes of the generated code", () => {
  for (const size of [0, 1, 127, 128, 16_384, 262_144]) {
    for (const offset of [0, 1, 127, 128, 2 ** 31, 2 ** 40 + 5]) {
      for (const sum of [undefined, 0, 0xffffffff]) {
        const data = randomBytes(size);
        const value = { data, offset: BigInt(offset), ...(sum === undefined ? {} : { crc32c: sum }) };
        const message = create(UploadFileRequestSchema, { part: { case: "chunk", value } });
        assert.deepEqual(
          encodeUploadFrame({ data, offset, crc32c: sum }),
          Buffer.from(toBinary(UploadFileRequestSchema, message)),
        );
      }
    }
  }
});
