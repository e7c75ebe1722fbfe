import assert from "node:assert/strict";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { chmod, lstat, readdir, readFile } from "node:fs/promises";
import path from "node:path";
import { after, before, test } from "node:test";
import { isReason, type MutationResult, RevisionKind, SafefileError, Stage } from "@safefile/client";
import { Cleanup } from "../cluster/cleanup.js";
import { startWorld, stateOf, type World } from "./world.js";

const KIB = 1024;
const MIB = 1024 * KIB;
const STAGES = [Stage.VALIDATE, Stage.LOCK, Stage.BACKUP, Stage.EXECUTE, Stage.VERIFY, Stage.COMMIT];

const cleanup = new Cleanup();
let world: World;
before(async () => {
  world = await startWorld(cleanup);
});
after(() => cleanup.end());

const at = (name: string) => path.join(world.volume, name);
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest();
const modeOf = async (name: string) => (await lstat(at(name))).mode & 0o7777;

async function failure(call: Promise<unknown>): Promise<SafefileError> {
  const error = await call.then(
    () => assert.fail("the call went through"),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof SafefileError, String(error));
  return error;
}

async function kinds(name: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { revision, kind } of world.client.revisions(name)) found.push(`${revision} ${RevisionKind[kind]}`);
  return found;
}

test("a file is created with its parents, overwritten, deleted, and brought back by a rollback", async () => {
  const { client } = world;
  const made = await client.write("a/b/c.txt", Buffer.from("one"), { labels: { why: "first" } });
  assert.equal(made.revision?.revision, 1n);
  assert.equal(made.revision?.kind, RevisionKind.WRITE);
  assert.equal(made.revision?.baseRevision, 0n);
  assert.deepEqual(made.revision?.labels, { why: "first" });
  assert.deepEqual(Buffer.from(made.revision!.sha256), sha256(Buffer.from("one")));
  assert.equal(made.backupRevision, 0n);
  assert.equal(made.file?.etag, made.revision?.etag);
  assert.deepEqual(
    made.stages.map(({ stage }) => stage),
    STAGES,
  );
  assert.equal(await modeOf("a"), 0o755);
  assert.equal(await modeOf("a/b/c.txt"), 0o644);
  assert.equal(await readFile(at("a/b/c.txt"), "utf8"), "one");

  const changed = await client.write("a/b/c.txt", Buffer.from("two"));
  assert.deepEqual([changed.revision?.revision, changed.backupRevision], [2n, 1n]);
  assert.notEqual(changed.file?.etag, made.file?.etag);

  const removed = await client.remove("a/b/c.txt");
  assert.equal(removed.file, undefined);
  assert.deepEqual([removed.revision?.revision, removed.revision?.kind], [3n, RevisionKind.DELETE]);
  assert.equal(removed.backupRevision, 2n);
  await assert.rejects(lstat(at("a/b/c.txt")), { code: "ENOENT" });
  assert.ok(isReason(await failure(client.read("a/b/c.txt")), "PATH_NOT_FOUND"));

  const back = await client.rollback("a/b/c.txt", removed.backupRevision);
  assert.deepEqual([back.revision?.revision, back.revision?.kind], [4n, RevisionKind.ROLLBACK]);
  assert.equal(back.revision?.sourceRevision, 2n);
  assert.equal(back.backupRevision, 0n, "nothing was there before");
  assert.equal(await readFile(at("a/b/c.txt"), "utf8"), "two");
  assert.deepEqual(await kinds("a/b/c.txt"), ["4 ROLLBACK", "3 DELETE", "2 WRITE", "1 WRITE"]);
});

test("what stat says is what lies there, and what the last change said", async () => {
  const { client } = world;
  const { file, operationId } = await client.write("stat.txt", Buffer.from("hello"), { mode: 0o640 });
  const found = await client.stat("stat.txt");
  const live = await lstat(at("stat.txt"), { bigint: true });
  assert.deepEqual(found, file);
  assert.equal(found.volume, "main");
  assert.equal(found.operationId, operationId);
  assert.equal(found.sizeBytes, 5n);
  assert.equal(found.mode, 0o640);
  assert.equal(found.externallyChanged, false);
  assert.deepEqual(Buffer.from(found.sha256), sha256(Buffer.from("hello")));
  assert.equal(found.updateTime!.seconds * 1_000_000_000n + BigInt(found.updateTime!.nanos), live.mtimeNs);
});

test("a mode is kept unless another is given, and comes back with its revision", async () => {
  const { client } = world;
  await client.write("mode.sh", Buffer.from("1"), { mode: 0o750 });
  await client.write("mode.sh", Buffer.from("2"));
  assert.equal(await modeOf("mode.sh"), 0o750);
  await client.write("mode.sh", Buffer.from("3"), { mode: 0o600 });
  assert.equal(await modeOf("mode.sh"), 0o600);
  await client.upload("mode.sh", Buffer.from("4"));
  assert.equal(await modeOf("mode.sh"), 0o600);
  await client.upload("mode.sh", Buffer.from("5"), { mode: 0o444 });
  assert.equal(await modeOf("mode.sh"), 0o444);
  await client.rollback("mode.sh", 1);
  assert.equal(await modeOf("mode.sh"), 0o750);
  await client.write("mode.sh", Buffer.from("none"), { mode: 0 });
  assert.equal(await modeOf("mode.sh"), 0);
  await chmod(at("mode.sh"), 0o600);
});

// Around what fits into a journal record, what WriteFile takes, and what one chunk of a download holds.
const SIZES = [0, 1, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 256 * KIB + 1, MIB, MIB + 1];

for (const size of SIZES) {
  test(`I4: ${size} bytes are stored, read back, replaced and restored bit for bit`, async () => {
    const { client } = world;
    const [first, second] = [randomBytes(size), randomBytes(size)];
    for (const way of ["write", "upload"] as const) {
      const name = `sizes/${way}-${size}`;
      const made = await client[way](name, first);
      assert.equal(made.file?.sizeBytes, BigInt(size));
      assert.deepEqual(Buffer.from((await client.read(name)).bytes), first);
      assert.deepEqual(await readFile(at(name)), first);
      await client[way](name, second);
      assert.deepEqual(await readFile(at(name)), second);
      const old = await client.readRevision(name, 1);
      assert.deepEqual(Buffer.from(old.bytes), first);
      assert.deepEqual(Buffer.from(old.revision.sha256), sha256(first));
      await client.rollback(name, 1);
      assert.deepEqual(await readFile(at(name)), first);
    }
  });
}

test("20 MiB are uploaded as a stream of odd pieces, and read back as a stream", async () => {
  const { client } = world;
  const bytes = randomBytes(20 * MIB);
  async function* pieces() {
    for (let start = 0; start < bytes.length; start += 333_333) yield bytes.subarray(start, start + 333_333);
  }
  const options = { sizeBytes: bytes.length, sha256: sha256(bytes) };
  const made = await client.upload("large.bin", pieces(), options);
  assert.equal(made.file?.sizeBytes, BigInt(bytes.length));
  const hash = createHash("sha256");
  const download = await client.download("large.bin");
  for await (const piece of download) hash.update(piece);
  assert.deepEqual(hash.digest(), sha256(bytes));
  assert.deepEqual(sha256(await readFile(at("large.bin"))), sha256(bytes));
  assert.deepEqual(await readdir(at(".safefile/uploads")), []);
});

test("a part of a live file or of a revision is those bytes; behind the end there are none", async () => {
  const { client } = world;
  for (const size of [1_000, 300 * KIB]) {
    const name = `ranges/${size}`;
    const bytes = randomBytes(size);
    await client.write(name, bytes);
    await client.write(name, Buffer.from("newer"));
    const live = `ranges/live-${size}`;
    await client.write(live, bytes);
    for (const [offset, limit] of [
      [0, 1],
      [0, 0],
      [10, 100],
      [size - 1, 1],
      [size - 1, 50],
      [size, 0],
      [size + 1, 5],
      [7, size * 2],
    ] as const) {
      const wanted = bytes.subarray(offset, limit === 0 ? undefined : offset + limit);
      const range = { offset, limit };
      assert.deepEqual(Buffer.from((await client.readRevision(name, 1, range)).bytes), wanted, `${offset}+${limit}`);
      assert.deepEqual(Buffer.from((await client.read(live, range)).bytes), wanted, `${offset}+${limit}`);
    }
  }
});

test("a change goes through only from the revision, or the etag, that the caller has seen", async () => {
  const { client } = world;
  const made = await client.write("cas.txt", Buffer.from("1"), { ifRevision: 0 });
  assert.ok(isReason(await failure(client.write("cas.txt", Buffer.from("x"), { ifRevision: 0 })), "ALREADY_EXISTS"));
  const second = await client.write("cas.txt", Buffer.from("2"), { ifRevision: 1 });
  const stale = await failure(client.write("cas.txt", Buffer.from("x"), { ifRevision: 1 }));
  assert.deepEqual([stale.status, stale.reason, stale.outcome], ["ABORTED", "PRECONDITION_FAILED", "NOT_COMMITTED"]);
  assert.ok(isReason(await failure(client.remove("cas.txt", { etag: made.file!.etag })), "PRECONDITION_FAILED"));
  const both = { etag: second.file!.etag, ifRevision: 2 };
  assert.ok(isReason(await failure(client.rollback("cas.txt", 1, { ...both, ifRevision: 1 })), "PRECONDITION_FAILED"));
  await client.rollback("cas.txt", 1, both);
  assert.equal(await readFile(at("cas.txt"), "utf8"), "1");
  await client.remove("cas.txt", { ifRevision: 3 });
  assert.ok(
    isReason(await failure(client.write("cas.txt", Buffer.from("x"), { ifRevision: 4 })), "PRECONDITION_FAILED"),
  );
  await client.write("cas.txt", Buffer.from("5"), { ifRevision: 0 });
  assert.deepEqual(await kinds("cas.txt"), ["5 WRITE", "4 DELETE", "3 ROLLBACK", "2 WRITE", "1 WRITE"]);
});

test("I3: of many who create the same file, one does; of many who replace one revision, one does", async () => {
  const { client } = world;
  for (const [ifRevision, reason] of [
    [0, "ALREADY_EXISTS"],
    [1, "PRECONDITION_FAILED"],
  ] as const) {
    const writers = Array.from({ length: 16 }, (_, writer) =>
      client.write("race.txt", Buffer.from(`${writer}`), { ifRevision }),
    );
    const ended = await Promise.allSettled(writers);
    const [winner, ...more] = ended.flatMap((each, writer) => (each.status === "fulfilled" ? [writer] : []));
    assert.deepEqual(more, []);
    for (const each of ended) if (each.status === "rejected") assert.equal(each.reason.reason, reason);
    assert.equal(await readFile(at("race.txt"), "utf8"), String(winner));
  }
});

const REPEATS: readonly [what: string, act: (name: string, requestId: string) => Promise<MutationResult>][] = [
  ["a write", (name, requestId) => world.client.write(name, Buffer.from("new"), { requestId })],
  ["a large write", (name, requestId) => world.client.write(name, Buffer.alloc(100_000, 7), { requestId })],
  [
    "a write that must find revision 1",
    (name, requestId) => world.client.write(name, Buffer.from("new"), { requestId, ifRevision: 1 }),
  ],
  ["an upload", (name, requestId) => world.client.upload(name, Buffer.alloc(200_000, 7), { requestId })],
  ["a rollback", (name, requestId) => world.client.rollback(name, 1, { requestId })],
  ["a delete", (name, requestId) => world.client.remove(name, { requestId })],
  ["a delete that must find revision 1", (name, requestId) => world.client.remove(name, { requestId, ifRevision: 1 })],
];

for (const [what, act] of REPEATS) {
  test(`I5: ${what} that is repeated with its request_id returns the first outcome and changes nothing`, async () => {
    const name = `repeats/${what.replaceAll(" ", "-")}`;
    const requestId = randomUUID();
    await world.client.write(name, Buffer.from("base"));
    const first = await act(name, requestId);
    const state = await stateOf(world.volume);
    const again = await act(name, requestId);
    const { stages, traceId } = again;
    assert.deepEqual(again, { ...first, stages, traceId, replayed: true });
    assert.deepEqual(await stateOf(world.volume), state);
    assert.equal((await kinds(name)).length, 2);
  });
}

test("I5: a repeat long after others changed the file still returns the first outcome", async () => {
  const { client } = world;
  const requestId = randomUUID();
  const first = await client.write("late.txt", Buffer.from("mine"), { requestId, ifRevision: 0 });
  await client.write("late.txt", Buffer.from("theirs"));
  await client.remove("late.txt");
  const again = await client.write("late.txt", Buffer.from("mine"), { requestId, ifRevision: 0 });
  assert.equal(again.replayed, true);
  assert.equal(again.operationId, first.operationId);
  assert.deepEqual(await kinds("late.txt"), ["3 DELETE", "2 WRITE", "1 WRITE"]);
  const reused = await failure(client.write("late.txt", Buffer.from("other"), { requestId }));
  assert.equal(reused.reason, "REQUEST_ID_REUSED");
  const elsewhere = await failure(client.write("elsewhere.txt", Buffer.from("mine"), { requestId, ifRevision: 0 }));
  assert.equal(elsewhere.reason, "REQUEST_ID_REUSED");
  await assert.rejects(lstat(at("elsewhere.txt")), { code: "ENOENT" });
});

test("validate_only changes nothing and makes no operation", async () => {
  const { client } = world;
  await client.write("dry.txt", Buffer.from("as it is"));
  const state = await stateOf(world.volume);
  const validateOnly = true;
  for (const result of [
    await client.write("dry.txt", Buffer.from("x"), { validateOnly }),
    await client.rollback("dry.txt", 1, { validateOnly }),
    await client.remove("dry.txt", { validateOnly }),
    await client.write("not/there/yet.txt", Buffer.from("x"), { validateOnly }),
  ]) {
    assert.deepEqual([result.validatedOnly, result.operationId, result.revision], [true, "", undefined]);
    assert.notEqual(result.requestId, "");
  }
  assert.equal((await failure(client.remove("none.txt", { validateOnly }))).reason, "PATH_NOT_FOUND");
  assert.deepEqual(await stateOf(world.volume), state);
  assert.deepEqual(await kinds("dry.txt"), ["1 WRITE"]);
});

test("validate_only shows the file as it is now, and none where none is", async () => {
  const { client } = world;
  await client.write("dry-shown.txt", Buffer.from("as it is"));
  const file = await client.stat("dry-shown.txt");
  const options = { validateOnly: true };
  assert.deepEqual((await client.write("dry-shown.txt", Buffer.from("x"), options)).file, file);
  assert.deepEqual((await client.remove("dry-shown.txt", options)).file, file);
  assert.equal((await client.write("dry-none.txt", Buffer.from("x"), options)).file, undefined);
});

test("validate_only fails where the change would", async () => {
  const { client } = world;
  await client.write("dry-fail.txt", Buffer.from("as it is"));
  const validateOnly = true;
  const bytes = Buffer.from("x");
  assert.equal(
    (await failure(client.write("dry-fail.txt", bytes, { validateOnly, ifRevision: 0 }))).reason,
    "ALREADY_EXISTS",
  );
  assert.equal(
    (await failure(client.write("dry-fail.txt", bytes, { validateOnly, ifRevision: 7 }))).reason,
    "PRECONDITION_FAILED",
  );
  assert.equal(
    (await failure(client.remove("dry-fail.txt", { validateOnly, etag: '"x"' }))).reason,
    "PRECONDITION_FAILED",
  );
});
