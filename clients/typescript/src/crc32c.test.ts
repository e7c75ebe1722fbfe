import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { crc32c as reference } from "@node-rs/crc32";
import { crc32c } from "./crc32c.js";

test("crc32c is Castagnoli's", () => {
  assert.equal(crc32c(Buffer.from("123456789")), 0xe3069283);
  for (const size of [0, 1, 7, 8, 9, 63, 4096, 100_003]) {
    const bytes = randomBytes(size);
    assert.equal(crc32c(bytes), reference(bytes), String(size));
  }
});
