import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import test, { type TestContext } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { crc32c } from "@node-rs/crc32";
import { type ClientOptions, SafefileClient, SafefileError } from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { collect, FakeServer, fileInfo, type Handler } from "./fake-server.js";
import { fault } from "./fault.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const UNAVAILABLE = fault(grpc.status.UNAVAILABLE, "RECOVERY_STATE", "The replica is replaying.", {
  metadata: { outcome: "NOT_COMMITTED" },
});

const chunk = (data: string, offset: number, sum?: number) => ({
  part: { case: "chunk", value: { data: Buffer.from(data), offset: BigInt(offset), crc32c: sum } },
});
const trailer = (sha256: Uint8Array, sizeBytes: number) => ({
  part: { case: "trailer", value: { sha256, sizeBytes: BigInt(sizeBytes) } },
});

for (const [name, parts, says] of [
  ["is cut after a chunk", [chunk("abc", 0)], /cut short/],
  ["is cut before its trailer", [chunk("abcdef", 0)], /cut short/],
  ["lacks a piece", [chunk("abc", 0), chunk("f", 5)], /jumped from byte 3 to 5/],
  ["is longer than it said", [chunk("abcdefgh", 0)], /more bytes/],
  ["has another digest", [chunk("abcdef", 0), trailer(randomBytes(32), 6)], /SHA-256/],
  ["ends early with a trailer", [chunk("abc", 0), trailer(new Uint8Array(), 3)], /3 bytes of 6/],
] as const) {
  test(`a download that ${name} is an error`, async (t) => {
    const { fake, client } = await start(t);
    fake.put("a", "abcdef");
    fake.plant("ReadFile", sends(fake, parts));
    const download = await client.download("a");
    await assert.rejects(
      collect(download),
      (error) => error instanceof SafefileError && error.code === grpc.status.DATA_LOSS && says.test(error.message),
    );
    assert.equal(download.sha256, undefined);
  });
}

test("a part that is damaged on the way is noticed by its CRC32C", async (t) => {
  const { fake, client } = await start(t);
  fake.put("a", "abcdefghij");
  fake.plant("ReadFile", sends(fake, [chunk("abc", 0, crc32c(Buffer.from("abd"))), trailer(new Uint8Array(), 3)], 3));
  await assert.rejects(client.read("a", { limit: 3 }), /damaged/);
});

test("a download that fails in the middle says why, and one that stands still ends", async (t) => {
  const { fake, client } = await start(t, { idleMs: 200 });
  fake.put("a", "abcdef");
  fake.plant("ReadFile", (call) => {
    call.write(header(fake));
    call.emit("error", fault(grpc.status.DATA_LOSS, "REVISION_CORRUPT", "does not match"));
  });
  await assert.rejects(collect(await client.download("a")), { reason: "REVISION_CORRUPT" });
  fake.plant("ReadFile", (call) => void call.write(header(fake)));
  await assert.rejects(collect(await client.download("a")), { code: grpc.status.DEADLINE_EXCEEDED });
});

test("a download is repeated until its header is here, a read until it is whole", async (t) => {
  const { fake, client } = await start(t);
  fake.put("a", "abcdef");
  fake.plant("ReadFile", (call) => call.emit("error", UNAVAILABLE));
  fake.plant("ReadFile", (call) => {
    call.write(header(fake));
    call.emit("error", UNAVAILABLE);
  });
  const { bytes } = await client.read("a");
  assert.equal(Buffer.from(bytes).toString(), "abcdef");
  assert.equal(fake.calls("ReadFile").length, 3);
  assert.deepEqual(fake.unhit, []);
});

test("leaving a download early cancels it at the server", async (t) => {
  const { fake, client } = await start(t);
  fake.put("a", "abcdef");
  const gone = new Promise<void>((resolve) => {
    fake.plant("ReadFile", (call) => {
      call.on("cancelled", resolve);
      call.write(header(fake));
      call.write(chunk("abc", 0));
    });
  });
  for await (const _data of await client.download("a")) break;
  await gone;
});

test("a source that cannot be read again leaves open what an attempt before it left open", async (t) => {
  const { fake, client } = await start(t);
  // All of it came, and the answer was lost.
  fake.plant("UploadFile", (call) => {
    call.on("data", () => undefined);
    call.on("end", () => call.emit("error", { code: grpc.status.UNAVAILABLE, details: "gone" }));
  });
  let opened = 0;
  const source = () => {
    if (++opened > 1) throw new Error("the file is gone");
    return [Buffer.from("content")];
  };
  const failed = client.upload("a", source, { requestId: "left-open" });
  await assert.rejects(failed, (error: SafefileError) => {
    assert.equal(error.outcome, "UNKNOWN");
    assert.equal(error.requestId, "left-open");
    assert.match(String(error.cause), /the file is gone/);
    return true;
  });
  assert.equal(opened, 2);
});

test("an upload takes no more of its source than the server reads", async (t) => {
  const { fake, client } = await start(t);
  const { promise: going, resolve: go } = Promise.withResolvers<void>();
  let received = 0;
  fake.plant("UploadFile", (call, reply) => {
    // Reads nothing until told.
    void going.then(() => {
      call.on("data", ({ part }: { part: { case: string; value: { data: Uint8Array } } }) => {
        if (part.case === "chunk") received += part.value.data.length;
      });
      call.on("end", () => reply(null, { result: {} }));
    });
  });
  const total = 64 * MIB;
  let taken = 0;
  let progress = 0;
  async function* source() {
    for (; taken < total; taken += MIB) yield Buffer.alloc(MIB, taken / MIB);
  }
  const done = client.upload("big", source(), {
    onProgress(sent) {
      progress = sent;
    },
  });
  let before = -1;
  while (before !== taken) {
    before = taken;
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  assert.ok(taken <= 8 * MIB, `took ${taken} bytes ahead`);
  go();
  await done;
  assert.equal(received, total);
  assert.equal(progress, total);
});

test("an upload that can be had again is repeated with the same request_id, a stream is not", async (t) => {
  const { fake, client } = await start(t);
  const bytes = randomBytes(MIB);
  const ids: string[] = [];
  const refuses: Handler = (call, reply) => {
    call.on("data", ({ part }: { part: { case: string; value: { options: { requestId: string } } } }) => {
      if (part.case === "header") ids.push(part.value.options.requestId);
    });
    call.on("end", () => reply(UNAVAILABLE));
  };
  fake.plant("UploadFile", refuses, refuses);
  await client.upload("a", () => [bytes], { requestId: "mine" });
  assert.deepEqual(ids, ["mine", "mine"]);
  assert.ok(fake.head("a")!.bytes!.equals(bytes));
  // The last one because the fake, of which no more is expected than of a server that lost all, holds nothing.
  assert.equal(fake.calls("UploadFile").length, 4);

  fake.plant("UploadFile", refuses);
  const error = await client.upload("b", [bytes]).catch((reason) => reason);
  assert.equal(error.reason, "RECOVERY_STATE");
  assert.equal(fake.calls("UploadFile").length, 5);
  assert.equal(fake.head("b"), undefined);
});

test("a source that fails commits nothing, and its own error comes back", async (t) => {
  const { fake, client } = await start(t);
  async function* source() {
    yield Buffer.alloc(MIB);
    throw new Error("the disk is gone");
  }
  await assert.rejects(client.upload("a", source()), /the disk is gone/);
  assert.equal(fake.head("a"), undefined);
});

test("an early answer ends an upload", async (t) => {
  const { fake, client } = await start(t);
  const conflict = fault(grpc.status.ABORTED, "PRECONDITION_FAILED", "changed", {
    metadata: { outcome: "NOT_COMMITTED" },
  });
  fake.plant("UploadFile", (_call, reply) => reply(conflict));
  let taken = 0;
  async function* source() {
    for (; taken < 10_000; taken++) yield Buffer.alloc(MIB);
  }
  await assert.rejects(client.upload("a", source(), { ifRevision: 3 }), { reason: "PRECONDITION_FAILED" });
  assert.ok(taken < 100, `sent ${taken} MiB`);
});

test("cancelling an upload before its end changes nothing and says so; a server that hangs is left", async (t) => {
  const { client } = await start(t);
  async function* endless() {
    for (;;) {
      yield Buffer.alloc(KIB);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  await assert.rejects(client.upload("a", endless(), { signal: AbortSignal.timeout(100) }), {
    code: grpc.status.CANCELLED,
    outcome: "NOT_COMMITTED",
  });

  const hung = await start(t, { deadlineMs: 200 });
  hung.fake.plant("UploadFile", (call) => void call.resume());
  await assert.rejects(hung.client.upload("a", Buffer.from("x")), {
    code: grpc.status.DEADLINE_EXCEEDED,
    outcome: "UNKNOWN",
  });
});

function header(fake: FakeServer, sizeBytes = 6) {
  return { part: { case: "header", value: { file: fileInfo(fake, "a"), offset: 0n, sizeBytes: BigInt(sizeBytes) } } };
}

function sends(fake: FakeServer, parts: readonly object[], sizeBytes = 6): Handler {
  return (call) => {
    for (const part of [header(fake, sizeBytes), ...parts]) call.write(part);
    call.end();
  };
}

async function start(t: TestContext, options: Partial<ClientOptions> = {}) {
  const cleanup = Cleanup.of(t);
  const fake = await FakeServer.start(cleanup);
  const client = new SafefileClient({ address: fake.address, ...options });
  cleanup.defer(() => client.close());
  return { fake, client };
}
