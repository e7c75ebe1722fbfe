/** The driver of the TypeScript client (PROTOCOL.md). */
import { createInterface } from "node:readline";
import { NodeSDK } from "@opentelemetry/sdk-node";
import { SafefileError } from "@safefile/client";
import { errorFacts } from "./facts.js";
import { Parties } from "./parties.js";

// A propagator and a place for the active context; nothing is recorded or sent.
new NodeSDK({ spanProcessors: [], metricReaders: [], instrumentations: [], autoDetectResources: false }).start();

const parties = new Parties();

async function answer(line: string): Promise<void> {
  const { id, client, verb, args } = JSON.parse(line);
  let outcome: object;
  try {
    outcome = { value: await parties.tell(client, verb, args) };
  } catch (error) {
    outcome = { error: error instanceof SafefileError ? errorFacts(error) : { other: String(error) } };
  }
  process.stdout.write(`${JSON.stringify({ id, ...outcome })}\n`);
}

const open = new Set<Promise<void>>();
for await (const line of createInterface({ input: process.stdin })) {
  const answering = answer(line).finally(() => open.delete(answering));
  open.add(answering);
}
parties.end();
await Promise.all(open);
process.exit(0);
