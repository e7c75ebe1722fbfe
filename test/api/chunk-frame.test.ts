import assert from "node:assert/strict";
import { test } from "node:test";
import { create, fromBinary } from "@bufbuild/protobuf";
import { encoderOf } from "../../services/api/chunk-frame.js";
import { ReadFileResponseSchema } from "../../services/gen/safefile/v1/file_ops_service_pb.js";
import { ReadRevisionResponseSchema } from "../../services/gen/safefile/v1/recovery_service_pb.js";

test("a chunk put together by hand is the message that it was", () => {
  for (const schema of [ReadFileResponseSchema, ReadRevisionResponseSchema]) {
    const encode = encoderOf(schema);
    for (const sizeBytes of [0, 1, 127, 128, 16_383, 16_384, 256 * 1024, 1024 * 1024])
      for (const offset of [0n, 127n, 2n ** 40n])
        for (const sum of [{ crc32c: 0 }, { crc32c: 0xdeadbeef }, {}]) {
          const value = { data: Buffer.alloc(sizeBytes, "text"), offset, ...sum };
          const bytes = encode({ part: { case: "chunk", value } });
          const { part } = fromBinary(schema, bytes);
          assert(part.case === "chunk");
          assert.equal(Buffer.compare(part.value.data, value.data), 0);
          assert.deepEqual([part.value.offset, part.value.crc32c], [offset, value.crc32c]);
        }
    const header = create(schema, { part: { case: "header", value: { sizeBytes: 5n } } });
    assert.deepEqual(fromBinary(schema, encode(header)), header);
  }
});
