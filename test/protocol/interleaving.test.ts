import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { test } from "node:test";
import { ulid } from "ulid";
import { LockFencedError, OutcomeUnknownError } from "../../services/errors/index.js";
import type { Journals } from "../../services/journal/journals.js";
import { type IncarnationId, NO_OPERATION, type OperationId, operationId } from "../../services/model/operation.js";
import type { FilePath } from "../../services/model/path.js";
import type { OperationRecord, PathChange } from "../../services/model/record.js";
import { Attempt } from "../../services/protocol/attempt.js";
import { Batons } from "../../services/protocol/baton.js";
import { openFormat } from "../../services/protocol/format.js";
import { stagingOf } from "../../services/protocol/names.js";
import { Settler } from "../../services/protocol/settle.js";
import { historyOf } from "../../services/recover/history.js";
import { PosixVolume } from "../../services/volume/posix.js";
import { codeOf, unless, type Volume } from "../../services/volume/volume.js";
import { randomFrom, Scheduler } from "./scheduler.js";

const RUNS = Number(process.env.SAFEFILE_TEST_INTERLEAVINGS ?? 300);
const FIRST_SEED = Number(process.env.SAFEFILE_TEST_SEED ?? 1);
const PATHS = ["p", "q"] as FilePath[];
const STOP_CHANCE = 0.01;
const NEVER = new AbortController().signal;

/** `look` writes one path and only looks at the other. */
type Kind = "write" | "create" | "delete" | "both" | "look";
const KINDS: readonly Kind[] = ["write", "write", "create", "delete", "delete", "both", "look", "look"];

/** Durable records that all actors share, as journals on one volume are. */
class Shared {
  readonly records = new Map<OperationId, OperationRecord>();
  readonly aborted = new Set<OperationId>();
  readonly told = new Map<OperationId, "COMMITTED" | "NOT_COMMITTED">();
  /** What an operation that only looked at a path saw there. */
  readonly looked = new Map<OperationId, { target: FilePath; last: OperationId }>();
  async append(record: OperationRecord): Promise<void> {
    this.records.set(record.operation, record);
  }
  async abort(operation: OperationId): Promise<void> {
    this.aborted.add(operation);
  }
  async find(operation: OperationId): Promise<OperationRecord | undefined> {
    return this.records.get(operation);
  }
}

/** What the live file says: its content is the id of the operation that wrote it. */
async function liveOperation(volume: Volume, target: FilePath): Promise<OperationId> {
  await using live = await volume.locate(target);
  const handle = await unless(["ENOENT"], volume.openRead(live));
  if (!handle) return NO_OPERATION;
  await using open = handle;
  const buffer = Buffer.alloc(100);
  return buffer.toString("utf8", 0, await open.read(buffer, 0)) as OperationId;
}

/** What the path shows when `operation` is its last one: a delete leaves nothing. */
function shows(shared: Shared, operation: OperationId, target: FilePath): OperationId {
  const change = shared.records.get(operation)?.changes.find((each) => each.path === target);
  return change?.kind === "DELETE" ? NO_OPERATION : operation;
}

/** One writer, as the stages walk an attempt through the protocol. */
async function write(
  volume: Volume,
  shared: Shared,
  batons: Batons,
  operation: OperationId,
  kind: Kind,
  target: FilePath,
): Promise<void> {
  const journals = shared as unknown as Journals;
  const settler = new Settler(volume, journals);
  const deletes = kind === "delete";
  const targets = kind === "both" ? PATHS : [target];
  const plain = { makes: deletes ? ("nothing" as const) : ("file" as const), mode: undefined, uploadId: undefined };
  const parts = targets.map((each) => ({ ...plain, path: each, createOnly: kind === "create" }));
  const checks = kind === "look" ? PATHS.filter((each) => each !== target) : [];
  const attempt = new Attempt(volume, journals, batons, settler, operation, parts, checks, async () =>
    assert.fail("no repairs"),
  );
  try {
    await attempt.enter(NEVER);
    const held = attempt.takeFound();
    if (held) {
      await using live = held.live;
      const now = await volume.stat(live);
      // Only whoever has stopped us publishes now.
      if (now?.inode !== held.stat?.inode)
        assert(!(await attempt.stillStaged()), `${operation} holds ${target}, and found what was there before`);
    }
    for (const each of checks) shared.looked.set(operation, { target: each, last: attempt.batonOf(each).last });
    const changes: PathChange[] = [];
    for (const [at, each] of targets.entries()) {
      const { last, epoch } = attempt.batonOf(each);
      const found = await liveOperation(volume, each);
      if (found !== shows(shared, last, each)) {
        assert(
          !(await attempt.stillStaged()),
          `${operation} holds ${each}: the baton says ${last}, the file says ${found}`,
        );
        throw attempt.fencedError();
      }
      if (deletes && found === NO_OPERATION) throw new Refused();
      if (kind === "create" && found !== NO_OPERATION) throw new Refused();
      await attempt.files[at]?.write(Buffer.from(operation), 0);
      const content = deletes
        ? undefined
        : {
            sha256: new Uint8Array(32),
            sizeBytes: 1,
            mode: 0o644,
            owner: { uid: 0, gid: 0 },
            xattrs: {},
            body: { inline: new Uint8Array() },
          };
      changes.push({
        path: each,
        kind: deletes ? "DELETE" : "WRITE",
        epoch,
        baseOperation: last,
        baseRevision: 0,
        external: undefined,
        revision: 1,
        content,
        createOnly: kind === "create",
        inode: 0n,
        mtimeNs: 0n,
        sourceRevision: 0,
        backupRevision: 0,
        directoryMode: 0,
      });
    }
    const record = {
      operation,
      requestId: operation,
      requestSha256: new Uint8Array(),
      timeMs: 0,
      changes,
      labels: {},
      traceId: "",
    };
    attempt.record = record;
    await shared.append(record);
    await using live = await volume.locate(target);
    await attempt.decide(live);
    shared.told.set(operation, "COMMITTED");
    await attempt.finish();
  } catch (error) {
    const expected =
      error instanceof Refused ||
      error instanceof LockFencedError ||
      error instanceof OutcomeUnknownError ||
      codeOf(error) === "EEXIST";
    if (!expected) throw error;
    if (shared.told.has(operation)) return;
    const outcome = await attempt.stop("test");
    if (outcome !== "UNKNOWN") shared.told.set(operation, outcome);
  } finally {
    await attempt[Symbol.asyncDispose]();
  }
}

class Refused extends Error {}

/** The committed operations of a path, newest first, as the batons and records chain them. */
function chainOf(shared: Shared, newest: OperationId, target: FilePath): OperationId[] {
  const chain: OperationId[] = [];
  for (let at = newest; at !== NO_OPERATION; ) {
    chain.push(at);
    const change = shared.records.get(at)?.changes.find((each) => each.path === target);
    assert(change, `${at} is in the chain of ${target} without a record`);
    assert(!shared.aborted.has(at), `${at} was aborted and is in the chain of ${target}`);
    at = change.baseOperation;
  }
  return chain;
}

/** No two operations that looked at each other's path can both have missed the other (write skew). */
function checkLooks(shared: Shared, newest: (target: FilePath) => OperationId): void {
  const saw = (operation: OperationId, other: OperationId): boolean => {
    const { target, last } = shared.looked.get(operation) as { target: FilePath; last: OperationId };
    const chain = chainOf(shared, newest(target), target);
    return (
      chain.includes(other) && chain.indexOf(other) >= (last === NO_OPERATION ? chain.length : chain.indexOf(last))
    );
  };
  const committed = [...shared.looked].filter(([operation]) => shared.told.get(operation) === "COMMITTED");
  for (const [one, { target }] of committed)
    for (const [other, looked] of committed)
      if (looked.target !== target) assert(saw(one, other) || saw(other, one), `${one} and ${other} missed each other`);
}

/** What replay would make of it if the power went now: what was told stays true (I1, I5). */
function checkReplay(shared: Shared): void {
  const { paths } = historyOf([...shared.records.values()], shared.aborted);
  for (const [operation, outcome] of shared.told)
    for (const { path: target } of shared.records.get(operation)?.changes ?? [])
      assert.equal(
        paths.get(target)?.chain.includes(operation),
        outcome === "COMMITTED",
        `replay: ${operation} was told ${outcome}`,
      );
}

async function run(seed: number): Promise<number> {
  const random = randomFrom(seed);
  const directory = await mkdtemp(path.join(tmpdir(), "safefile-interleaving-"));
  const volume = await PosixVolume.open(directory, "local", assert.fail as () => never);
  try {
    await openFormat(volume);
    const shared = new Shared();
    const scheduler = new Scheduler(random);
    const actors = 2 + Math.floor(random() * 3);
    for (let actor = 0; actor <= actors; actor++) {
      const incarnation = ulid() as IncarnationId;
      await volume.makeDirectory(volume.control(stagingOf(incarnation)));
      if (actor === actors) {
        // The last one comes when all others have ended or are stopped for ever, and must get through (progress).
        await scheduler.run(() => random() < STOP_CHANCE);
        checkReplay(shared);
        const batons = new Batons(volume, PATHS.length);
        for (const [at, target] of PATHS.entries())
          await write(volume, shared, batons, operationId(incarnation, at + 1), "write", target);
        checkLooks(shared, (target) => operationId(incarnation, PATHS.indexOf(target) + 1));
        for (const [at, target] of PATHS.entries()) {
          const last = operationId(incarnation, at + 1);
          assert.equal(shared.told.get(last), "COMMITTED", "a fresh writer does not get through");
          assert.equal(await liveOperation(volume, target), last);
          const chain = chainOf(shared, last, target);
          for (const [operation, outcome] of shared.told) {
            const isHere = shared.records.get(operation)?.changes.some((change) => change.path === target) ?? false;
            if (!isHere) continue;
            assert.equal(chain.includes(operation), outcome === "COMMITTED", `I3/I5: ${operation} was told ${outcome}`);
          }
          for (const operation of chain)
            for (const { path: other } of shared.records.get(operation)?.changes ?? [])
              if (other !== target)
                assert(
                  chainOf(shared, operationId(incarnation, PATHS.indexOf(other) + 1), other).includes(operation),
                  "I17",
                );
        }
        break;
      }
      const gated = scheduler.gate(actor, volume as Volume);
      const plan = Array.from({ length: 2 }, (_, at) => ({
        operation: operationId(incarnation, at + 1),
        kind: KINDS[Math.floor(random() * KINDS.length)] as Kind,
        target: PATHS[random() < 0.7 ? 0 : 1] as FilePath,
      }));
      // What it remembers of its first operation's batons may be old when it makes the second.
      const batons = new Batons(gated, PATHS.length);
      scheduler.start(actor, async () => {
        for (const { operation, kind, target } of plan) await write(gated, shared, batons, operation, kind, target);
      });
    }
    return scheduler.steps;
  } catch (error) {
    throw new Error(`seed ${seed}`, { cause: error });
  } finally {
    await volume.close();
    await rm(directory, { recursive: true });
  }
}

test(`I3/I5/I17: ${RUNS} random interleavings of writers, file-system call by call, some stopped for ever`, {
  timeout: 60_000 + RUNS * 200,
}, async (t) => {
  let steps = 0;
  for (let seed = FIRST_SEED; seed < FIRST_SEED + RUNS; seed++) steps += await run(seed);
  t.diagnostic(`${RUNS} runs from seed ${FIRST_SEED}, ${steps} calls`);
  assert(steps > RUNS * 20);
});
