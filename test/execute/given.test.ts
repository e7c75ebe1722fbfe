import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { PathBase } from "../../services/backup/base.js";
import { give } from "../../services/execute/given.js";
import type { Content } from "../../services/model/content.js";
import type { Edit } from "../../services/model/operation-request.js";
import type { Store } from "../../services/store/store.js";

const SIZE_MAX = 64;

/** Chunks of any sizes, and what they hold together: each byte says where it is. */
const chunked = fc.array(fc.integer({ min: 1, max: 16 }), { maxLength: 6 }).map((sizes) => {
  const whole = Buffer.from(Array.from({ length: sizes.reduce((sum, size) => sum + size, 0) }, (_, at) => at));
  let end = 0;
  const chunks = sizes.map((size) => {
    end += size;
    return whole.subarray(end - size, end);
  });
  return { whole, chunks };
});

/** Edits in rising order that do not overlap, by the gaps between them. */
const gaps = fc.array(
  fc.record({
    gap: fc.integer({ min: 0, max: 12 }),
    lengthBytes: fc.integer({ min: 0, max: 24 }),
    data: fc.uint8Array({ min: 200, maxLength: 6 }),
  }),
  { maxLength: 8 },
);

function editsWithin(sizeBytes: number, wanted: readonly { gap: number; lengthBytes: number; data: Uint8Array }[]) {
  const edits: Edit[] = [];
  let end = 0;
  for (const { gap, lengthBytes, data } of wanted) {
    const offset = Math.min(end + gap, sizeBytes);
    const length = Math.min(lengthBytes, sizeBytes - offset);
    edits.push({ offset, lengthBytes: length, data });
    end = offset + length;
  }
  return edits;
}

/** Last edit first, so that each finds its bytes where they were. */
const naive = (whole: Buffer, edits: readonly Edit[]): Buffer =>
  edits.reduceRight(
    (now, { offset, lengthBytes, data }) =>
      Buffer.concat([now.subarray(0, offset), data, now.subarray(offset + lengthBytes)]),
    whole,
  );

async function patched(chunks: readonly Uint8Array[], sizeBytes: number, edits: readonly Edit[]): Promise<Buffer> {
  const store = {
    read: async function* () {
      yield* chunks;
    },
  } as unknown as Store;
  const base = { intent: { path: "p" }, content: { sizeBytes } as Content } as PathBase;
  const given = await give({ from: "patch", edits, sha256: undefined }, base, [base], store);
  const parts: Uint8Array[] = [];
  for await (const part of given.chunks) parts.push(Buffer.from(part));
  assert(parts.every((part) => part.length > 0));
  return Buffer.concat(parts);
}

test("edits over chunks of any sizes are those over the whole, seams included", async () => {
  await fc.assert(
    fc.asyncProperty(chunked, gaps, async ({ whole, chunks }, wanted) => {
      assert(whole.length <= SIZE_MAX * 2);
      const edits = editsWithin(whole.length, wanted);
      assert.deepEqual(await patched(chunks, whole.length, edits), naive(whole, edits));
    }),
    { numRuns: 3_000 },
  );
});

test("an edit that reaches beyond the end by any number of bytes is refused", async () => {
  await fc.assert(
    fc.asyncProperty(chunked, fc.nat(), fc.integer({ min: 1 }), async ({ whole, chunks }, offset, beyond) => {
      const at = Math.min(offset, whole.length);
      const edits = [{ offset: at, lengthBytes: whole.length - at + beyond, data: Buffer.alloc(0) }];
      await assert.rejects(patched(chunks, whole.length, edits), /reaches to byte/);
    }),
    { numRuns: 300 },
  );
});
