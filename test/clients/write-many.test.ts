import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import path from "node:path";
import test, { type TestContext } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { type ClientOptions, type FileWrite, SafefileClient, type SafefileError } from "@safefile/client";
import { StatusSchema } from "../../services/gen/google/rpc/status_pb.js";
import type { WriteFilesRequest } from "../../services/gen/safefile/v1/file_ops_service_pb.js";
import { Cleanup } from "../cluster/cleanup.js";
import { freePort, startRedis } from "../cluster/redis.js";
import { startReplica } from "../cluster/replica.js";
import { tempVolume } from "../cluster/volume.js";
import { startWorld } from "../system/world.js";
import { collect, FakeServer, type Handler } from "./fake-server.js";
import { fault } from "./fault.js";

const MIB = 1024 * 1024;
const bytes = (text: string) => Buffer.from(text);

function* numbered(count: number): Generator<FileWrite> {
  for (let at = 0; at < count; at++) yield { path: `many/${at % 7}/${at}`, data: bytes(`content ${at}`) };
}

test("every write is answered once; one that fails ends nothing and says why", async (t) => {
  const { client, volume } = await startWorld(Cleanup.of(t));
  const failing: FileWrite[] = [
    { path: "many/stale", data: bytes("x"), ifRevision: 7, requestId: "stale" },
    { path: "../outside", data: bytes("x"), requestId: "outside" },
    { path: "many/large", data: Buffer.alloc(5 * MIB), requestId: "large" },
    { path: "many/odd", data: bytes("x"), requestId: "not an id", labels: { by: "test" } },
  ];
  const writes = [...numbered(400)];
  writes.splice(200, 0, ...failing);
  const answers = await collect(client.writeMany(writes));
  assert.equal(answers.length, writes.length);
  assert.equal(new Set(answers.map(({ requestId }) => requestId)).size, writes.length);
  const errors = answers.filter(({ error }) => error !== undefined);
  assert.deepEqual(errors.map(({ path: about, error }) => `${about} ${error?.reason} ${error?.outcome}`).sort(), [
    "../outside PATH_INVALID NOT_COMMITTED",
    "many/large ARGUMENT_INVALID NOT_COMMITTED",
    "many/odd ARGUMENT_INVALID NOT_COMMITTED",
    "many/stale PRECONDITION_FAILED NOT_COMMITTED",
  ]);
  for (const { error, requestId } of errors) assert.equal(error?.requestId, requestId);
  for (const { result, path: about } of answers) if (result) assert.equal(result.file?.path, about);
  for (const { path: name, data } of numbered(400)) assert.deepEqual(await readFile(path.join(volume, name)), data);
  assert.deepEqual(await collect(client.writeMany([])), []);
});

for (const how of ["is killed", "leaves in order"] as const) {
  test(`I5: a replica ${how} mid-stream: the other one answers the rest, each write is committed exactly once`, async (t) => {
    const cleanup = Cleanup.of(t);
    const [volume, redis] = await Promise.all([tempVolume(cleanup), startRedis({ cleanup })]);
    const first = await startReplica({ cleanup, volume, redis: [redis.url] });
    const second = await startReplica({ cleanup, volume, redis: [redis.url] });
    const client = new SafefileClient({
      address: `ipv4:${first.address},${second.address}`,
      retry: { attemptsMax: 100, backoffMsMax: 500 },
    });
    cleanup.defer(() => client.close());
    let gone: Promise<unknown> | undefined;
    let answered = 0;
    let left = 0;
    for await (const { path: about, result, error } of client.writeMany(numbered(200), { inFlight: 128 })) {
      assert.equal(error, undefined, `${about}: ${error?.message} ${error?.reason}`);
      assert.equal(result?.revision?.revision, 1n, `${about} was written twice`);
      if (result?.replayed) left++;
      answered++;
      if (answered === 40) gone = how === "is killed" ? first.kill() : first.stop();
    }
    assert.equal(answered, 200);
    await gone;
    t.diagnostic(`${left} writes were committed by the first and answered by the second`);
    for (const { path: name, data } of numbered(200)) {
      const revisions = await collect(client.revisions(name));
      assert.deepEqual(
        revisions.map(({ revision }) => revision),
        [1n],
        name,
      );
      assert.deepEqual(await readFile(path.join(volume, name)), data);
    }
  });
}

test("a broken stream: what had no answer is sent again, in order, with the same request ids", async (t) => {
  const { fake, client, streams } = await start(t);
  fake.plant(
    "WriteFiles",
    streams((ids, call) => {
      if (ids.length < 10) return;
      for (const id of ids.slice(3, 6)) call.write(done(id));
      call.emit("error", fault(grpc.status.UNAVAILABLE, "RECOVERY_STATE", "broken"));
    }),
    // The end of a stream is no answer either.
    streams((ids, call) => {
      if (ids.length < 7) return;
      call.write(done(ids[0]!));
      call.end();
    }),
    streams((ids, call) => call.write(done(ids.at(-1)!))),
  );
  const answers = await collect(client.writeMany(numbered(10), { inFlight: 10 }));
  const [first, second, third] = streams.seen;
  assert.equal(new Set(first).size, 10);
  assert.deepEqual(second, [...first!.slice(0, 3), ...first!.slice(6)], "other ids, or another order");
  assert.deepEqual(third, second!.slice(1));
  assert.deepEqual(answers.map(({ requestId }) => requestId).sort(), [...first!].sort());
  for (const { error } of answers) assert.equal(error, undefined);
  assert.deepEqual(fake.unhit, []);
});

test("an answer UNAVAILABLE is repeated on another stream, with the same request id, as often as the policy says", async (t) => {
  const { fake, client, streams } = await start(t, { retry: { attemptsMax: 3, backoffMsMin: 1 } });
  const busy = { code: 14, message: "leaving", details: [] };
  const refuses = () =>
    streams((ids, call) => {
      const id = ids.at(-1)!;
      call.write(id === "b" ? { requestId: id, answer: { case: "error", value: busy } } : done(id));
    });
  fake.plant("WriteFiles", refuses(), refuses(), refuses());
  const writes = ["a", "b", "c"].map((name) => ({ path: name, data: bytes(name), requestId: name }));
  const answers = await collect(client.writeMany(writes));
  const ends = Object.fromEntries(answers.map(({ requestId, error }) => [requestId, error?.status ?? "OK"]));
  assert.deepEqual(ends, { a: "OK", b: "UNAVAILABLE", c: "OK" });
  const asked = streams.seen.filter((ids) => ids.includes("b"));
  assert.equal(asked.length, 3, "a replica that leaves waits for the end of its streams");
  assert.equal(streams.seen.flat().length, 5);
});

test("the source is read no further than the window: of writes, of bytes, of answers that nobody takes", async (t) => {
  const { fake, client, streams } = await start(t);
  let read = 0;
  async function* source(data: Buffer): AsyncGenerator<FileWrite> {
    // An end, so that a client without a window fails instead of hanging.
    while (read < 1_000) yield { path: `endless/${read++}`, data };
  }
  // It answers nothing until it has all that it will get.
  let arrived = Promise.withResolvers<grpc.ServerDuplexStream<WriteFilesRequest, object>>();
  let wanted = 8;
  const holds = () => streams((ids, call) => ids.length === wanted && arrived.resolve(call));
  fake.plant("WriteFiles", holds(), holds());

  const leave = new AbortController();
  const few = client.writeMany(source(bytes("x")), { inFlight: 8, signal: leave.signal });
  const next = few.next();
  const call = await arrived.promise;
  await settled();
  assert.equal(read, 8, "more was read than may be in flight");
  for (const id of streams.seen[0]!) call.write(done(id));
  assert.equal((await next).value?.error, undefined);
  await settled();
  assert.equal(read, 9, "an answer that was taken makes room for one write");
  await few.return();

  read = 0;
  wanted = 16;
  arrived = Promise.withResolvers();
  const large = client.writeMany(source(Buffer.alloc(MIB)), { inFlight: 1000, signal: leave.signal });
  const waits = assert.rejects(collect(large), { status: "CANCELLED" });
  await arrived.promise;
  await settled();
  assert.equal(read, 16, "more bytes were read than are kept");
  leave.abort();
  await waits;
});

test("when the repeats are used up, each open write is answered with its outcome, and then the error is thrown", async (t) => {
  const { fake, client, streams } = await start(t, { retry: { attemptsMax: 2, backoffMsMin: 1 } });
  const breaks = () =>
    streams((ids, call) => {
      if (ids.length === 4) call.emit("error", fault(grpc.status.UNAVAILABLE, "RECOVERY_STATE", "broken"));
    });
  fake.plant("WriteFiles", breaks(), breaks());
  const { answers, error } = await untilThrown(client.writeMany(numbered(100), { inFlight: 4 }));
  assert.equal(answers.length, 4, "answers for what was never taken, or none for what was");
  for (const answer of answers) {
    assert.equal(answer.error?.outcome, "UNKNOWN");
    assert.equal(answer.error?.requestId, answer.requestId);
    assert.ok(streams.seen[0]!.includes(answer.requestId));
  }
  assert.deepEqual([error.reason, error.outcome], ["RECOVERY_STATE", "UNKNOWN"]);

  const nobody = new SafefileClient({
    address: `127.0.0.1:${await freePort()}`,
    retry: { attemptsMax: 2, backoffMsMin: 1 },
  });
  t.after(() => nobody.close());
  const unsent = await untilThrown(nobody.writeMany(numbered(3)));
  assert.deepEqual(
    unsent.answers.map((answer) => answer.error?.outcome),
    Array(3).fill("NOT_COMMITTED"),
  );
  assert.deepEqual([unsent.error.status, unsent.error.outcome], ["UNAVAILABLE", "NOT_COMMITTED"]);
});

test("an outcome lost with a stream stays UNKNOWN until the service itself settles it", async (t) => {
  const { fake, client, streams } = await start(t, { retry: { attemptsMax: 2, backoffMsMin: 1 } });
  const says = (code: number, reason: string) => {
    const { metadata } = fault(code, reason, "no", { metadata: { outcome: "NOT_COMMITTED" } });
    return fromBinary(StatusSchema, metadata.get("grpc-status-details-bin")[0] as Buffer);
  };
  fake.plant(
    "WriteFiles",
    streams((ids, call) => {
      if (ids.length === 2) call.emit("error", fault(grpc.status.UNAVAILABLE, "RECOVERY_STATE", "broken"));
    }),
    ...Array.from({ length: 3 }, () =>
      streams((ids, call) => {
        const id = ids.at(-1)!;
        const value = id === "open" ? says(14, "REPLICA_DRAINING") : says(10, "LOCK_FENCED");
        call.write({ requestId: id, answer: { case: "error", value } });
      }),
    ),
  );
  const writes = ["open", "settled"].map((name) => ({ path: name, data: bytes(name), requestId: name }));
  const answers = await collect(client.writeMany(writes));
  const ends = Object.fromEntries(
    answers.map(({ requestId, error }) => [requestId, `${error?.reason} ${error?.outcome}`]),
  );
  assert.deepEqual(ends, { open: "REPLICA_DRAINING UNKNOWN", settled: "LOCK_FENCED NOT_COMMITTED" });
});

test("a source that fails is thrown after the answers of what it gave; a loop that is left closes it", async (t) => {
  const { fake, client, streams } = await start(t);
  const answering = () => streams((ids, call) => call.write(done(ids.at(-1)!)));
  fake.plant("WriteFiles", answering(), answering(), answering());
  const broken = async function* () {
    yield* numbered(3);
    throw new Error("the disk is gone");
  };
  const answers: string[] = [];
  const reading = async () => {
    for await (const { requestId } of client.writeMany(broken())) answers.push(requestId);
  };
  await assert.rejects(reading(), /the disk is gone/);
  assert.equal(answers.length, 3);

  let isClosed = false;
  const watched = async function* () {
    try {
      yield* numbered(1_000);
    } finally {
      isClosed = true;
    }
  };
  for await (const _ of client.writeMany(watched(), { inFlight: 2 })) break;
  assert.ok(isClosed);

  const twice = ["a", "b"].map((name) => ({ path: name, data: bytes(name), requestId: "same" }));
  await assert.rejects(collect(client.writeMany(twice)), /same is in flight already/);
  assert.throws(() => client.writeMany([], { inFlight: 0 }), RangeError);
});

test("a server that falls silent, and a signal, leave the open writes UNKNOWN", async (t) => {
  const { fake, client, streams } = await start(t);
  fake.plant(
    "WriteFiles",
    streams(() => undefined),
    streams(() => undefined),
  );
  const silent = await untilThrown(client.writeMany(numbered(3), { deadlineMs: 100 }));
  assert.deepEqual(
    silent.answers.map((answer) => `${answer.error?.status} ${answer.error?.outcome}`),
    Array(3).fill("DEADLINE_EXCEEDED UNKNOWN"),
  );
  const left = await untilThrown(client.writeMany(numbered(3), { signal: AbortSignal.timeout(100) }));
  assert.deepEqual(
    left.answers.map((answer) => `${answer.error?.status} ${answer.error?.outcome}`),
    Array(3).fill("CANCELLED UNKNOWN"),
  );
  const early = await untilThrown(client.writeMany(numbered(3), { signal: AbortSignal.abort() }));
  assert.deepEqual([early.answers.length, early.error.outcome], [0, "NOT_COMMITTED"]);
});

type Stream = grpc.ServerDuplexStream<WriteFilesRequest, object>;

async function start(t: TestContext, options: Partial<ClientOptions> = {}) {
  const cleanup = Cleanup.of(t);
  const fake = await FakeServer.start(cleanup);
  const client = new SafefileClient({ address: fake.address, retry: { backoffMsMin: 1 }, ...options });
  cleanup.defer(() => client.close());
  const seen: string[][] = [];
  /** A stream that shows the request ids it has, as each comes. */
  const streams = (look: (ids: readonly string[], call: Stream) => unknown): Handler => {
    return (call: Stream) => {
      const ids: string[] = [];
      seen.push(ids);
      call.on("data", ({ write }: WriteFilesRequest) => {
        ids.push(write?.options?.requestId ?? "");
        look(ids, call);
      });
      call.on("end", () => call.end());
    };
  };
  return { fake, client, streams: Object.assign(streams, { seen }) };
}

const done = (requestId: string) => ({ requestId, answer: { case: "result", value: { requestId } } });

/** Time for whatever was wrongly started to show itself. */
async function settled(): Promise<void> {
  for (let at = 0; at < 50; at++) await new Promise((resolve) => setImmediate(resolve));
}

async function untilThrown<T>(items: AsyncIterable<T>): Promise<{ answers: T[]; error: SafefileError }> {
  const answers: T[] = [];
  try {
    for await (const item of items) answers.push(item);
  } catch (error) {
    return { answers, error: error as SafefileError };
  }
  return assert.fail("nothing was thrown");
}
