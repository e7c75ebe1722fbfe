import { readFile } from "node:fs/promises";
import { renderTrace } from "../services/telemetry/tree.js";
import type { Cluster } from "./cluster.js";
import { overwrite } from "./damage.js";
import type { LocalTree } from "./local-tree.js";
import { many, type Story } from "./story.js";

const STAGES = ["validate", "lock", "backup", "execute", "verify", "commit"];
const SPANS_MS_MAX = 10_000;
/** Large enough that its backup takes a time one can see, small enough to go as one message. */
const SIZE_BYTES_MAX = 1024 * 1024;

/** Makes one change and draws what it was made of. */
export async function traceOne(story: Story, cluster: Cluster, tree: LocalTree, target: string): Promise<void> {
  const fitting = tree.files.filter(({ sizeBytes }) => sizeBytes <= SIZE_BYTES_MAX);
  const file = fitting.reduce((best, each) => (each.sizeBytes > best.sizeBytes ? each : best));
  const path = `${target}/${file.relative}`;
  story.say(`${path} is spoilt by hand once more and written again through replica B.`);
  await overwrite(cluster.local(path), file.sizeBytes);
  const result = await cluster.client(cluster.b).write(path, await readFile(file.local), { mode: file.mode });

  const own = () => cluster.sink.spans().filter(({ traceId }) => traceId === result.traceId);
  // The call's own span ends last.
  await cluster.sink.waitFor((spans) => {
    return spans.some(({ traceId, name }) => traceId === result.traceId && name.endsWith("/WriteFile"));
  }, SPANS_MS_MAX);
  const spans = own();
  story.say(`\n${renderTrace(spans)}`);
  const names = new Set(spans.map(({ name }) => name));
  story.check(
    STAGES.every((stage) => names.has(stage)),
    `its trace, ${result.traceId}, holds a span for each stage: ${STAGES.join(", ")}`,
  );
  story.figure(`one write traced from the call to Redis: ${many(spans.length, "span")}, one for each stage`);
}
