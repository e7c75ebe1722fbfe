import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { isReason, type SafefileClient } from "@safefile/client";
import { type Cluster, LEASE_MS } from "./cluster.js";
import { all, eachParallel } from "./pool.js";
import { count, duration, many, type Story } from "./story.js";

const COUNTER = "race/counter.txt";
const WRITERS_EACH = 4;
const INCREMENTS_EACH = 30;
const INCREMENTS = 2 * WRITERS_EACH * INCREMENTS_EACH;
const READS_PARALLEL_MAX = 16;
const ENDED_MS_MAX = 15_000;

/** What the writers were told. */
class Tally {
  acknowledged = 0;
  conflicts = 0;
  /** Times of the acknowledgements, since the longest pause between two shows what the kill cost. */
  readonly atMs: number[] = [];
  readonly byWriter = new Map<string, number>();

  acknowledge(writer: string): void {
    this.acknowledged += 1;
    this.atMs.push(performance.now());
    this.byWriter.set(writer, (this.byWriter.get(writer) ?? 0) + 1);
  }

  longestPauseAfterMs(ms: number): number {
    const later = [ms, ...this.atMs.filter((atMs) => atMs > ms)];
    return Math.max(...later.slice(1).map((atMs, at) => atMs - later[at]!));
  }
}

/** Writers of two replicas increment one number; one replica is killed in the middle. */
export async function race(story: Story, cluster: Cluster): Promise<void> {
  const { a, b } = cluster;
  const survivor = cluster.client(a);
  await survivor.write(COUNTER, Buffer.from("0"));
  story.say(`${2 * WRITERS_EACH} writers, half of them at each replica, add 1 to the number in ${COUNTER}:`);
  story.say("read it, write it back plus one on condition that nobody else did, else begin again.");

  const tally = new Tally();
  const writers = Array.from({ length: WRITERS_EACH }, (_, at) => [
    { name: `a${at + 1}`, client: cluster.client(a) },
    { name: `b${at + 1}`, client: cluster.client(b, a) },
  ]).flat();
  const work = Promise.all(writers.map(({ name, client }) => increment(client, name, tally)));
  // A failure is reported by the await below.
  work.catch(() => undefined);
  while (tally.acknowledged < INCREMENTS / 2) await Promise.race([work, sleep(2)]);
  const killedMs = performance.now();
  const before = tally.acknowledged;
  await b.kill();
  story.say(`kill -9 of replica B (process ${b.pid}) after ${many(before, "acknowledged increment")}.`);
  await work;
  const tookMs = performance.now() - killedMs;

  const pause = duration(tally.longestPauseAfterMs(killedMs));
  story.say(`B's writers went on at A with the same request ids. The longest pause was ${pause}`);
  story.say(`(a lease of the dead lasts ${duration(LEASE_MS)} here), all were done after ${duration(tookMs)}.`);
  await report(story, survivor, tally);

  story.check(await ends(cluster), `replica A has settled what B left: it ended incarnation ${b.incarnation}`);
  await cluster.startB();
  story.say("B is started again, a new incarnation, and exports its traces from now on.");
  story.figure(
    `${many(INCREMENTS, "increment")} raced through two replicas, one of them killed: none lost, longest pause ${pause}`,
  );
}

async function increment(client: SafefileClient, writer: string, tally: Tally): Promise<void> {
  for (let done = 0; done < INCREMENTS_EACH; ) {
    const { bytes, file } = await client.read(COUNTER);
    const next = Number(Buffer.from(bytes).toString()) + 1;
    try {
      // Should the replica die after it has committed, the repeat with this id finds that out instead of adding twice.
      const options = { etag: file.etag, requestId: randomUUID(), labels: { writer } };
      await client.write(COUNTER, Buffer.from(String(next)), options);
      tally.acknowledge(writer);
      done += 1;
    } catch (error) {
      if (!isReason(error, "PRECONDITION_FAILED")) throw error;
      tally.conflicts += 1;
    }
  }
}

async function report(story: Story, client: SafefileClient, tally: Tally): Promise<void> {
  const { bytes } = await client.read(COUNTER);
  const value = Number(Buffer.from(bytes).toString());
  story.check(
    value === INCREMENTS && tally.acknowledged === INCREMENTS,
    `${many(tally.acknowledged, "increment")} acknowledged, the number is ${value}; ` +
      `${many(tally.conflicts, "attempt")} found that somebody was faster`,
  );
  const revisions = await all(client.revisions(COUNTER));
  const wrong: bigint[] = [];
  const labelled = new Map<string, number>();
  await eachParallel(revisions, READS_PARALLEL_MAX, async ({ revision }) => {
    const stored = await client.readRevision(COUNTER, revision);
    if (Number(Buffer.from(stored.bytes).toString()) !== Number(revision) - 1) wrong.push(revision);
    const { writer } = stored.revision.labels;
    if (writer !== undefined) labelled.set(writer, (labelled.get(writer) ?? 0) + 1);
  });
  story.check(
    revisions.length === INCREMENTS + 1 && wrong.length === 0,
    `each of the ${count(revisions.length)} revisions holds one more than the one before`,
  );
  const same = [...tally.byWriter].every(([writer, own]) => labelled.get(writer) === own);
  story.check(same, `every writer finds exactly its own ${many(INCREMENTS_EACH, "increment")} among them`);
}

/** Whether the survivor noticed the dead incarnation and ended it. */
async function ends({ a, b }: Cluster): Promise<boolean> {
  const untilMs = performance.now() + ENDED_MS_MAX;
  const isEnded = () => a.logs().includes(`"ended dead incarnations"`) && a.logs().includes(b.incarnation);
  while (!isEnded() && performance.now() < untilMs) await sleep(50);
  return isEnded();
}
