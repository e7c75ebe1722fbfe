import assert from "node:assert/strict";
import { test } from "node:test";
import { fromResumeToken, toResumeToken } from "../../services/watch/token.js";

const run = "0123456789".repeat(4);
const position = { generation: `4b0c0f0e-9d29-4c5e-9d53-1c9f0a6c8f10/${run}`, run, sequence: 1_700_000_000_000_001 };

test("a token says where it was made", () => {
  assert.deepEqual(fromResumeToken(toResumeToken(position)), position);
  assert.deepEqual(fromResumeToken(toResumeToken({ ...position, sequence: 0 })), { ...position, sequence: 0 });
});

test("a token with any letter changed, cut or added is none", () => {
  const token = toResumeToken(position);
  for (let at = 0; at < token.length; at++) {
    const letter = token[at] === "A" ? "B" : "A";
    assert.equal(fromResumeToken(token.slice(0, at) + letter + token.slice(at + 1)), undefined, `letter ${at}`);
    assert.equal(fromResumeToken(token.slice(0, at)), undefined, `cut at ${at}`);
  }
  for (const more of ["A", "=", "\n", " "]) assert.equal(fromResumeToken(token + more), undefined);
  assert.equal(fromResumeToken(Buffer.from("1 a b 1 00000000").toString("base64url")), undefined);
});
