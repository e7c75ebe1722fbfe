import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { buffer } from "node:stream/consumers";
import test, { type TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import { context, propagation, ROOT_CONTEXT, type TextMapPropagator, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import { type ClientOptions, isReason, SafefileClient, SafefileError } from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { collect, FakeServer } from "./fake-server.js";
import { fault } from "./fault.js";

const MIB = 1024 * 1024;
const UNAVAILABLE = fault(grpc.status.UNAVAILABLE, "RECOVERY_STATE", "The replica is replaying.", { retryAfterMs: 20 });

test("an error is typed: reason, outcome, stage, what to correct and when to try again", async (t) => {
  const { fake, client } = await start(t, { retry: { attemptsMax: 1 } });
  fake.plant("WriteFile", (_call, reply) =>
    reply(
      fault(grpc.status.ABORTED, "LOCK_FENCED", "A rival took over a.txt. Nothing was changed.", {
        metadata: { path: "a.txt", stage: "commit", outcome: "NOT_COMMITTED" },
        fields: [{ field: "path", description: "is contended" }],
        conditions: [{ type: "etag", subject: "a.txt", description: "found another" }],
        resource: { resourceType: "safefile/file", resourceName: "a.txt" },
        retryAfterMs: 1_500,
      }),
    ),
  );
  const error = await failure(client.write("a.txt", Buffer.from("x"), { requestId: "r1" }));
  assert.equal(error.code, grpc.status.ABORTED);
  assert.equal(error.status, "ABORTED");
  assert.equal(error.reason, "LOCK_FENCED");
  assert.equal(error.outcome, "NOT_COMMITTED");
  assert.equal(error.stage, "commit");
  assert.equal(error.requestId, "r1");
  assert.equal(error.message, "A rival took over a.txt. Nothing was changed.");
  assert.equal(error.fieldViolations[0]?.field, "path");
  assert.equal(error.preconditionViolations[0]?.type, "etag");
  assert.deepEqual(error.resource, { type: "safefile/file", name: "a.txt" });
  assert.equal(error.retryAfterMs, 1_500);
  assert.ok(isReason(error, "LOCK_FENCED"));
  assert.ok(!isReason(error, "LOCK_LOST") && !isReason(new Error("LOCK_FENCED"), "LOCK_FENCED"));
});

test("details that are damaged, or of another service, leave the gRPC status readable", async (t) => {
  const { fake, client } = await start(t);
  const metadata = new grpc.Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from("ffffff", "hex"));
  fake.plant("StatFile", (_call, reply) =>
    reply(Object.assign(new Error("x"), { code: grpc.status.INTERNAL, details: "a proxy says no", metadata })),
  );
  const error = await failure(client.stat("a"));
  assert.equal(error.message, "a proxy says no");
  assert.equal(error.reason, undefined);
  assert.equal(error.outcome, undefined);
});

test("UNAVAILABLE alone is repeated, with the same request_id and not before RetryInfo", async (t) => {
  const { fake, client } = await start(t);
  const slow = fault(grpc.status.UNAVAILABLE, "RECOVERY_STATE", "replaying", { retryAfterMs: 300 });
  fake.plant("WriteFile", (_call, reply) => reply(slow));
  fake.plant("WriteFile", (_call, reply) => reply(UNAVAILABLE));
  const startMs = performance.now();
  await client.write("a", Buffer.from("x"));
  assert.ok(performance.now() - startMs >= 300);
  const ids = fake.calls("WriteFile").map(({ requestId }) => requestId);
  assert.equal(ids.length, 3);
  assert.match(ids[0]!, /^[0-9a-f-]{36}$/);
  assert.equal(new Set(ids).size, 1);

  await client.write("a", Buffer.from("y"));
  assert.notEqual(fake.seen.at(-1)!.requestId, ids[0]);

  for (const code of [grpc.status.ABORTED, grpc.status.INTERNAL, grpc.status.RESOURCE_EXHAUSTED]) {
    const before = fake.seen.length;
    const limited = fault(code, "LIMIT_EXCEEDED", "no", { retryAfterMs: 1, metadata: { outcome: "NOT_COMMITTED" } });
    fake.plant("WriteFile", (_call, reply) => reply(limited));
    assert.equal((await failure(client.write("a", Buffer.from("z")))).code, code);
    assert.equal(fake.seen.length, before + 1);
  }
  assert.deepEqual(fake.unhit, []);
});

test("repeats end: after so many attempts, or when RetryInfo lies behind the deadline", async (t) => {
  const { fake, client } = await start(t, { retry: { attemptsMax: 3, backoffMsMin: 1 } });
  for (let at = 0; at < 3; at++) fake.plant("StatFile", (_call, reply) => reply(UNAVAILABLE));
  assert.ok(isReason(await failure(client.stat("a")), "RECOVERY_STATE"));
  assert.equal(fake.calls("StatFile").length, 3);

  const late = fault(grpc.status.UNAVAILABLE, "RECOVERY_STATE", "later", { retryAfterMs: 60_000 });
  fake.plant("StatFile", (_call, reply) => reply(late));
  const startMs = performance.now();
  await failure(client.stat("a", { deadlineMs: 5_000 }));
  assert.ok(performance.now() - startMs < 2_000);
});

test("an outcome that got lost stays UNKNOWN when the repeats do not get through either", async (t) => {
  const { fake, client } = await start(t, { retry: { attemptsMax: 2, backoffMsMin: 1 } });
  const cut = Object.assign(new Error("x"), { code: grpc.status.UNAVAILABLE, details: "connection reset" });
  const refused = fault(grpc.status.UNAVAILABLE, "REPLICA_DRAINING", "bye", { metadata: { outcome: "NOT_COMMITTED" } });
  fake.plant(
    "WriteFile",
    (_call, reply) => reply(cut as grpc.ServiceError),
    (_call, reply) => reply(refused),
  );
  const error = await failure(client.write("a", Buffer.from("x")));
  assert.equal(error.reason, "REPLICA_DRAINING");
  assert.equal(error.outcome, "UNKNOWN");
  assert.equal(error.requestId, fake.seen[0]!.requestId);
});

test("a change that was never sent is NOT_COMMITTED", async (t) => {
  const client = new SafefileClient({ address: "127.0.0.1:1", retry: { attemptsMax: 2, backoffMsMin: 1 } });
  t.after(() => client.close());
  const error = await failure(client.write("a", Buffer.from("x")));
  assert.equal(error.code, grpc.status.UNAVAILABLE);
  assert.equal(error.outcome, "NOT_COMMITTED");
});

test("a signal cancels a call; what became of the change is not claimed", async (t) => {
  const { fake, client } = await start(t);
  fake.plant("WriteFile", () => undefined);
  const error = await failure(client.write("a", Buffer.from("x"), { signal: AbortSignal.timeout(100) }));
  assert.equal(error.code, grpc.status.CANCELLED);
  assert.equal(error.outcome, "UNKNOWN");
});

test("what was written is read, listed over pages, gone back to and removed", async (t) => {
  const { fake, client } = await start(t);
  const bytes = randomBytes(3 * MIB);
  await client.write("dir/large", bytes, { mode: 0o600, labels: { by: "test" } });
  assert.equal(fake.calls("UploadFile").length, 1);
  const { file, ...read } = await client.read("dir/large");
  assert.ok(Buffer.from(read.bytes).equals(bytes));
  assert.equal(file.mode, 0o600);
  assert.ok((await buffer((await client.download("dir/large")).readable())).equals(bytes));
  const part = await client.read("dir/large", { offset: 70_000, limit: 100 });
  assert.ok(Buffer.from(part.bytes).equals(bytes.subarray(70_000, 70_100)));

  for (let at = 0; at < 7; at++) await client.write(`dir/${at}`, Buffer.from(String(at)));
  const paths = (await collect(client.list("dir", { pageSize: 3 }))).map(({ path }) => path);
  assert.deepEqual(paths, [...Array.from({ length: 7 }, (_, at) => `dir/${at}`), "dir/large"]);
  assert.equal(fake.calls("ListFiles").length, 3);

  await client.write("dir/0", Buffer.from("later"), { ifRevision: 1 });
  const stale = await failure(client.write("dir/0", Buffer.from("x"), { ifRevision: 1 }));
  assert.ok(isReason(stale, "PRECONDITION_FAILED"));
  assert.equal((await client.rollback("dir/0", 1)).revision?.revision, 3n);
  assert.equal(Buffer.from((await client.readRevision("dir/0", 2)).bytes).toString(), "later");
  await client.remove("dir/0");
  const kinds = (await collect(client.revisions("dir/0"))).map(({ revision }) => revision);
  assert.deepEqual(kinds, [4n, 3n, 2n, 1n]);
  assert.ok(isReason(await failure(client.read("dir/0")), "PATH_NOT_FOUND"));
  await assert.rejects(client.read("dir/large", { bytesMax: MIB }), RangeError);
});

test("the active trace goes to the server, on every kind of call", async (t) => {
  const { fake, client } = await start(t);
  const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const w3c: TextMapPropagator = {
    inject: (_context, carrier, setter) => setter.set(carrier, "traceparent", traceparent),
    extract: (found) => found,
    fields: () => ["traceparent"],
  };
  await client.write("before", Buffer.from("x"));
  assert.equal(fake.seen.at(-1)!.traceparent, undefined);
  assert.ok(context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable()));
  assert.ok(propagation.setGlobalPropagator(w3c));
  t.after(() => {
    context.disable();
    propagation.disable();
    trace.disable();
  });
  await context.with(ROOT_CONTEXT, async () => {
    await client.write("a", Buffer.from("x"));
    await client.upload("b", [Buffer.from("x")]);
    await client.read("a");
  });
  for (const { traceparent: seen } of fake.seen.slice(-3)) assert.equal(seen, traceparent);
});

test("a restore is watched across a break, from the last event seen", async (t) => {
  const { fake, client } = await start(t, { retry: { attemptsMax: 2, backoffMsMin: 1 } });
  const cursors: string[] = [];
  const item = (cursor: string) => ({ cursor, event: { case: "item", value: { path: cursor } } });
  for (let at = 1; at <= 5; at++) {
    fake.plant("WatchRestore", (call) => {
      cursors.push(call.request.cursor);
      call.write(item(String(at)));
      call.emit("error", UNAVAILABLE);
    });
  }
  const seen = (await collect(client.watchRestore("R"))).map(({ cursor }) => cursor);
  assert.deepEqual(seen, ["1", "2", "3", "4", "5"]);
  assert.deepEqual(cursors, ["", "1", "2", "3", "4"]);
  assert.equal(fake.calls("WatchRestore").length, 6);
});

async function start(t: TestContext, options: Partial<ClientOptions> = {}) {
  const cleanup = Cleanup.of(t);
  const fake = await FakeServer.start(cleanup);
  const client = new SafefileClient({ address: fake.address, ...options });
  cleanup.defer(() => client.close());
  // A grpc-js server that is shut down while a reply is on its way logs about it.
  cleanup.defer(() => sleep(5));
  return { fake, client };
}

async function failure(call: Promise<unknown>): Promise<SafefileError> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof SafefileError, String(error));
    return error;
  }
  return assert.fail("the call did not fail");
}
