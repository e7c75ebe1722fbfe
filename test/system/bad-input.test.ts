import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { after, before, test } from "node:test";
import type { StatFileResponse } from "../../services/gen/safefile/v1/file_ops_service_pb.js";
import type { StartRestoreResponse, WatchRestoreResponse } from "../../services/gen/safefile/v1/recovery_service_pb.js";
import { RestoreAction, RestoreState } from "../../services/gen/safefile/v1/recovery_service_pb.js";
import { Cleanup } from "../cluster/cleanup.js";
import { snapshotTree } from "../cluster/volume.js";
import { BAD_BYTES } from "./bad-bytes.js";
import { type BadCase, file, recovery, restore, SMALL } from "./bad-case.js";
import { BAD_FIELDS } from "./bad-fields.js";
import { devicesCanBeMade, setTraps } from "./bad-fixture.js";
import { BAD_NAMES, badPlaces, INVISIBLE_NAMES, SWAPPED } from "./bad-paths.js";
import { type Answer, ask } from "./raw.js";
import { startWorld, stateOf, type World } from "./world.js";

const withDevice = devicesCanBeMade(tmpdir());
const cleanup = new Cleanup();
let world: World;
let outside: string;
after(() => cleanup.end());

before(async () => {
  world = await startWorld(cleanup);
  outside = await setTraps(world, withDevice);
});

/** Runs `act` and proves that nothing on the volume, nor outside it, is another than before. */
async function changingNothing<T>(act: () => Promise<T>): Promise<T> {
  const before = [await stateOf(world.volume), await snapshotTree(outside)];
  const result = await act();
  assert.deepEqual([await stateOf(world.volume), await snapshotTree(outside)], before);
  return result;
}

/** The parts that every refusal has: a sentence, an ErrorInfo of ours, what happened to the file. */
function assertRefused(answer: Answer, { code, reason, field }: Pick<BadCase, "code" | "reason" | "field">): void {
  const { info, fields, resource } = answer;
  assert.deepEqual(
    { code: answer.code, reason: info?.reason, domain: info?.domain, outcome: info?.metadata.outcome },
    { code, reason, domain: "safefile", outcome: "NOT_COMMITTED" },
    answer.message,
  );
  assert.match(answer.message, /^\S.+\.$/s, "a whole sentence");
  assert.deepEqual(answer.messages, [], "nothing was served");
  if (code === "INVALID_ARGUMENT") assert.deepEqual(fields, [field], answer.message);
  else assert.equal(fields, undefined);
  if (code === "NOT_FOUND") assert.ok(resource !== undefined, "says what was not found");
}

/** Goes through all cases, then tells of each that was not refused as it should be. */
async function assertAllRefused(cases: readonly BadCase[]): Promise<void> {
  const problems: string[] = [];
  for (const bad of cases) {
    try {
      assertRefused(await changingNothing(() => world.raw.send(bad.call)), bad);
    } catch (error) {
      problems.push(`${bad.rpc}, ${bad.what}: ${(error as Error).message}`);
    }
  }
  assert.equal(problems.length, 0, `${problems.length} of ${cases.length}\n${problems.join("\n")}`);
}

/** One test for each RPC. */
function eachRefused(what: string, cases: readonly BadCase[]): void {
  for (const [rpc, group] of Map.groupBy(cases, (bad) => bad.rpc)) {
    assert.equal(new Set(group.map((bad) => bad.what)).size, group.length, `${rpc} has a case twice`);
    test(`${rpc} refuses ${what} (${group.length}) and changes nothing`, () => assertAllRefused(group));
  }
}

eachRefused("names that are no path", BAD_NAMES);
eachRefused("what is not a plain file in plain directories", badPlaces(withDevice ? [["a device", "device"]] : []));
eachRefused("fields that it cannot do as they are", BAD_FIELDS);
eachRefused("bytes that are no message", BAD_BYTES);

test("I13: no RPC takes a path with letters that nobody sees, so no two paths look alike", () =>
  assertAllRefused(INVISIBLE_NAMES));

/** Starts a restore and waits for its end. */
async function restored(request: Parameters<typeof restore>[0]) {
  const started = await world.raw.send(restore(request));
  assert.equal(started.code, "OK", started.message);
  const { restoreId } = started.messages[0] as StartRestoreResponse;
  const watched = await world.raw.send(ask(recovery.watchRestore, { restoreId }));
  assert.equal(watched.code, "OK", watched.message);
  const events = (watched.messages as WatchRestoreResponse[]).map(({ event }) => event);
  return {
    end: events.flatMap(({ case: kind, value }) => (kind === "progress" ? [value] : [])).at(-1),
    items: events.flatMap(({ case: kind, value }) => (kind === "item" ? [value] : [])),
  };
}

for (const [what, path] of SWAPPED) {
  test(`I12, I16: a restore in place leaves ${what} as it is, and says so`, async () => {
    const { end, items } = await changingNothing(() => restored({ path }));
    assert.equal(end?.state, RestoreState.PARTIALLY_FAILED);
    assert.deepEqual(
      items.map((item) => [item.path, item.action, item.error?.code]),
      [[path, RestoreAction.FAILED, 3]],
    );
    assert.match(items[0]?.error?.message ?? "", /Nothing was changed\.$/);
  });
}

for (const target of [
  "link-out-dir/x",
  "link-dir/x",
  "link-file",
  "link-out",
  "link-nowhere",
  "fifo",
  "dir",
  "a.txt/x",
]) {
  test(`I12, I16: a restore to ${target} fails for its one file and changes nothing`, async () => {
    const { end, items } = await changingNothing(() => restored({ path: "used.txt", targetPath: target }));
    assert.equal(end?.state, RestoreState.PARTIALLY_FAILED);
    assert.deepEqual(
      items.map((item) => [item.path, item.action, item.error?.code]),
      [[target, RestoreAction.FAILED, 3]],
    );
  });
}

test("a refusal names the file, the request and the trace, so that nobody has to parse its sentence", async () => {
  const options = { requestId: "named-in-the-error", precondition: { ifRevision: 1n } };
  const { info } = await world.raw.send(ask(file.writeFile, { path: "a.txt", data: SMALL, options }));
  const { trace_id: traceId = "", operation_id: operationId = "", ...metadata } = info?.metadata ?? {};
  assert.match(traceId, /^(?!0{32})[0-9a-f]{32}$/);
  assert.match(operationId, /^[0-9A-Z]{26}\.[0-9]+$/);
  const { volume, path, request_id: requestId, stage, outcome } = metadata;
  assert.deepEqual(
    { volume, path, requestId, stage, outcome },
    { volume: "main", path: "a.txt", requestId: "named-in-the-error", stage: "backup", outcome: "NOT_COMMITTED" },
  );
});

test("a failed precondition says what was found, so that the caller need not look again", async () => {
  const { file: found } = (await world.raw.send(ask(file.statFile, { path: "a.txt" }))).messages[0] as StatFileResponse;
  const options = { precondition: { ifRevision: 1n } };
  const { info } = await world.raw.send(ask(file.writeFile, { path: "a.txt", data: SMALL, options }));
  const { revision, etag } = info?.metadata ?? {};
  assert.deepEqual({ revision, etag }, { revision: "2", etag: found?.etag });
});

test("a request_id of a restore stands for one restore", async () => {
  const request = { path: "used.txt", requestId: "restore-once", dryRun: true } as const;
  const point = { case: "asOfTime", value: { seconds: BigInt(Math.floor(Date.now() / 1000)), nanos: 0 } } as const;
  const first = await world.raw.send(restore({ ...request, point }));
  const again = await world.raw.send(restore({ ...request, point }));
  const [one, two] = [first, again].map(({ messages }) => (messages[0] as StartRestoreResponse).restoreId);
  assert.equal(one, two);
  const another = await changingNothing(() => world.raw.send(restore({ ...request, point, path: "a.txt" })));
  assertRefused(another, { code: "INVALID_ARGUMENT", reason: "REQUEST_ID_REUSED", field: "request_id" });
});

test("I12: after all of that the outside is as it was, and good calls still work", async () => {
  assert.deepEqual([...(await snapshotTree(outside)).keys()], ["secret.txt"]);
  const answer = await world.raw.send(ask(file.writeFile, { path: "a.txt", data: SMALL }));
  assert.equal(answer.code, "OK", answer.message);
  assert.equal(Buffer.from((await world.client.read("a.txt")).bytes).toString(), SMALL.toString());
});
