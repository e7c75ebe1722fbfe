import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test from "node:test";
import { crc32c as reference } from "@node-rs/crc32";
import { crc32c, portableCrc32c } from "./crc32c.js";

test("the processor's own instruction is used where it is there", () => {
  assert.notEqual(crc32c, portableCrc32c);
});

for (const sum of [crc32c, portableCrc32c])
  test(`${sum === crc32c ? "crc32c" : "portableCrc32c"} is Castagnoli's`, () => {
    assert.equal(sum(Buffer.from("123456789")), 0xe3069283);
    for (const size of [0, 1, 7, 8, 9, 63, 4096, 100_003]) {
      const bytes = randomBytes(size);
      assert.equal(sum(bytes), reference(bytes), String(size));
    }
  });
