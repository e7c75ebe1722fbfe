import assert from "node:assert/strict";
import type { Engine } from "../../services/engine.js";
import type { FilePath } from "../../services/model/path.js";
import { pathHash } from "../../services/model/path.js";
import { openFormat } from "../../services/protocol/format.js";
import { Client } from "./client.js";
import type { Flavour } from "./fake-disk.js";
import { FakeVolume } from "./fake-volume.js";
import type { Told } from "./ledger.js";
import { PATHS } from "./paths.js";
import type { Replica } from "./replica.js";
import { World } from "./world.js";

export interface Result {
  readonly seed: number;
  readonly steps: number;
  readonly traceHash: number;
  readonly happened: ReadonlyMap<string, number>;
  /** What went wrong, with the last steps; undefined when all promises were kept. */
  readonly violation: string | undefined;
}

/** One seed, one run: replicas, callers and mishaps, and in the end a judge that looks at everything. */
export async function runSeed(seed: number, flavour?: Flavour): Promise<Result> {
  const world = new World(seed, flavour);
  const restore = world.scheduler.install();
  let violation: string | undefined;
  try {
    await openFormat(new FakeVolume(world.disk, world.kind, "first"));
    world.disk.syncAll();
    world.watch();
    await live(world);
    await judge(world);
  } catch (error) {
    const { kind } = world;
    const what = error instanceof Error ? `${error.message}\n${error.stack}\n${cause(error)}` : String(error);
    violation = `seed ${seed} (${world.flavour}, ${kind}): ${what}\nlast steps:\n${world.lastSteps}`;
  } finally {
    world.stop();
    restore();
  }
  const { happened, traceHash } = world;
  return { seed, steps: world.scheduler.steps, traceHash, happened, violation };
}

const cause = (error: Error): string =>
  error.cause instanceof Error ? `caused by ${error.cause.stack}\n${cause(error.cause)}` : "";

/** Callers at work, while things go wrong. */
async function live(world: World): Promise<void> {
  const replicas = 2 + Math.floor(world.random() * 3);
  for (let slot = 0; slot < replicas; slot++) world.start(slot);
  const callers = 2 + Math.floor(world.random() * 3);
  let open = callers;
  for (let caller = 0; caller < callers; caller++) {
    const client = new Client(world, `c${caller}`);
    client.work(2 + Math.floor(world.random() * 3)).then(
      () => {
        open -= 1;
      },
      (error: unknown) => world.fail(error),
    );
  }
  await world.until("the callers' work", () => open === 0);
  world.calm();
  // Those who woke up late end what they had begun.
  await world.until("waking up", () => world.serving.every(({ engine }) => engine?.pipeline.size === 0));
}

/** One replica that comes last recovers all that the others left, and tells what there is. */
async function judge(world: World): Promise<void> {
  if (world.chance(0.4)) world.mishaps.cut();
  for (const replica of world.slots) if (replica && world.chance(0.8)) world.kill(replica);
  for (const replica of world.slots) if (replica && !replica.isServing) world.kill(replica);
  const last = world.start(world.slots.length);
  await world.until("the last start", () => last.isServing || !last.isAlive);
  assert(last.isAlive, "a replica does not start though nothing is in its way");
  for (const replica of world.slots) if (replica && replica !== last) world.kill(replica);
  const engine = last.engine as Engine;
  const others = (): string[] =>
    [...world.disk.walk(world.disk.control, ["incarnations"]).entries.keys()].filter(
      (each) => each !== engine.incarnation.id,
    );
  await world.until("the recovery of the dead", () => others().length === 0);
  await world.settled(
    "the judgement",
    last.ground.actor.run(() => look(world, engine, last)),
  );
}

async function look(world: World, engine: Engine, last: Replica): Promise<void> {
  world.isQuick = true;
  const { ledger } = world;
  await engine.rebuild.run();
  const committed = new Map<string, Map<string, number>>();
  for (const path of PATHS) {
    const history = await historyOf(engine, path);
    for (const { operation, revision, kind } of history) {
      if (kind.startsWith("EXTERNAL")) continue;
      const paths = committed.get(operation) ?? new Map<string, number>();
      committed.set(operation, paths.set(path, revision));
    }
    ledger.checkPath(path, history, world.live(path));
    checkNames(world, path, history);
    checkIndex(world, path, history);
  }
  ledger.checkRequests(committed);
  checkLeftovers(world, last);
  world.count("revisions checked");
}

async function historyOf(engine: Engine, path: string): Promise<Told[]> {
  const head = await engine.revisions.head(path as FilePath);
  if (!head) return [];
  const { revisions } = await engine.revisions.page(path as FilePath, 0, 1000);
  const history: Told[] = [];
  for (const { revision, operation, kind, content, record } of revisions.toReversed()) {
    const chunks: Uint8Array[] = [];
    if (content) for await (const chunk of engine.store.read(content)) chunks.push(chunk);
    const change = record.changes.find((each) => each.path === path);
    history.push({
      revision,
      operation,
      kind,
      content: content && Buffer.concat(chunks).toString(),
      epoch: change?.epoch ?? -1,
      baseOperation: change?.baseOperation ?? "",
      requestId: record.requestId,
    });
  }
  return history;
}

/** Exactly one baton a path, finished, and of the head. */
function checkNames(world: World, path: string, history: readonly Told[]): void {
  const hash = pathHash(path as FilePath);
  let names: string[];
  try {
    const directory = world.disk.walk(world.disk.control, ["batons", hash.slice(0, 2), hash.slice(2, 4)]);
    names = [...directory.entries.keys()].filter((name) => name.startsWith(hash) && !name.endsWith(".born"));
  } catch {
    names = [];
  }
  if (history.length === 0 && names.length === 0) return;
  assert.equal(names.length, 1, `${path} has batons ${names.join(", ")}`);
  const [, epoch, owner, last] = /^[0-9a-f]+\.(\d+)\.(-|\w+\.\w+)\.(-|\w+\.\w+)$/.exec(names[0] as string) ?? [];
  const head = history.at(-1)?.operation ?? "-";
  assert.equal(last, head, `the baton of ${path} does not name its head`);
  // Whoever took it and died before its record was durable is told by `closed/`: nothing of it can come any more.
  const isClosed = world.disk
    .walk(world.disk.control, ["closed"])
    .entries.has((owner as string).split(".")[0] as string);
  assert(owner === last || isClosed, `the baton of ${path} is held by ${owner}, which is not closed`);
  assert(Number(epoch) >= (history.at(-1)?.epoch ?? 0), `the baton of ${path} is older than a record`);
}

/** After a rebuild the index says what the journals say (I8). */
function checkIndex(world: World, path: string, history: readonly Told[]): void {
  const key = world.redis.keys.find((each) => each.endsWith(`:f:${pathHash(path as FilePath)}`));
  const fields = key === undefined ? undefined : world.redis.hash(key);
  const newest = history.at(-1);
  assert.equal(fields?.get("h")?.toString(), newest && `${newest.revision} ${newest.operation}`, `I8: head of ${path}`);
  const revisions = [...(fields?.keys() ?? [])].filter((field) => /^\d+$/.test(field)).map(Number);
  assert.deepEqual(
    revisions.sort((left, right) => left - right),
    history.map(({ revision }) => revision),
    `I8: revisions of ${path}`,
  );
}

/** Nothing of the dead is left where it could still decide something. */
function checkLeftovers(world: World, last: Replica): void {
  const names = (directory: string): string[] => [
    ...world.disk.walk(world.disk.control, directory.split("/")).entries.keys(),
  ];
  const own = last.engine?.incarnation.id;
  // A directory of one that died before it had said who it was stays, and holds nothing.
  for (const each of names("staging")) assert.deepEqual(names(`staging/${each}`), [], "something of the dead is left");
  assert(names("staging").includes(own ?? ""));
  assert.deepEqual(names("committed"), [], "decided operations are not finished");
}
