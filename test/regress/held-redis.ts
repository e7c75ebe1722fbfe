import { connect, createServer, type Socket } from "node:net";
import type { Cleanup } from "../cluster/cleanup.js";

/**
 * A way to Redis that passes on one command at a time, each after `before` let it: what a pipeline asks for is then
 * spread over as much time as a test wants, as a busy server spreads it. Returns the URL.
 */
export async function heldRedis(
  cleanup: Cleanup,
  port: number,
  before: (command: readonly string[]) => Promise<void>,
): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const redis = connect(port, "127.0.0.1");
    for (const [from, to] of [
      [client, redis],
      [redis, client],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true).on("error", () => to.destroy());
      from.once("close", () => to.destroy());
    }
    redis.pipe(client);
    let pending = Buffer.alloc(0);
    let passed = Promise.resolve();
    client.on("data", (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      for (let found = firstCommand(pending); found; found = firstCommand(pending)) {
        const bytes = pending.subarray(0, found.end);
        const { words } = found;
        pending = pending.subarray(found.end);
        passed = passed
          .then(() => before(words))
          .then(
            () => void redis.write(bytes),
            () => void client.destroy(),
          );
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanup.defer(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address !== "object") throw new Error("no port");
  return `redis://127.0.0.1:${address.port}`;
}

/** The first whole command, an array of bulk strings, and where it ends. */
function firstCommand(bytes: Buffer): { words: string[]; end: number } | undefined {
  let at = 0;
  const line = (): number | undefined => {
    const end = bytes.indexOf("\r\n", at);
    if (end === -1) return undefined;
    const value = Number(bytes.toString("latin1", at + 1, end));
    at = end + 2;
    return value;
  };
  const count = line();
  if (count === undefined) return undefined;
  const words: string[] = [];
  for (let word = 0; word < count; word++) {
    const length = line();
    if (length === undefined || bytes.length < at + length + 2) return undefined;
    words.push(bytes.toString("utf8", at, at + length));
    at += length + 2;
  }
  return { words, end: at };
}
