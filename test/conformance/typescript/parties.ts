import { readFile } from "node:fs/promises";
import { context, propagation } from "@opentelemetry/api";
import { type CallOptions, SafefileClient } from "@safefile/client";
import { type Args, CALLS } from "./calls.js";
import { golden } from "./golden.js";
import { LOCK_CALLS } from "./lock-calls.js";
import { Party } from "./party.js";

/** The clients by their names. */
export class Parties {
  readonly #parties = new Map<string, Party>();

  async tell(name: string, verb: string, args: Args): Promise<object> {
    if (verb === "golden") return golden(args.kind, await readFile(args.file));
    if (verb === "open") return this.#open(name, args);
    const party = this.#parties.get(name);
    if (party === undefined) throw new Error(`no client is called ${name}`);
    if (verb === "close") {
      this.#parties.delete(name);
      party.end();
      return {};
    }
    const call = CALLS[verb] ?? LOCK_CALLS[verb];
    if (call === undefined) throw new Error(`${verb} is no verb`);
    const { traceparent, cancelAfterMs, deadlineMs, ...rest } = args as {
      traceparent?: string;
      cancelAfterMs?: number;
      deadlineMs?: number;
    };
    const options: CallOptions = {
      ...(deadlineMs === undefined ? {} : { deadlineMs }),
      ...(cancelAfterMs === undefined ? {} : { signal: AbortSignal.timeout(cancelAfterMs) }),
    };
    const run = () => call(party, rest as never, options);
    if (traceparent === undefined) return await run();
    return await context.with(propagation.extract(context.active(), { traceparent }), run);
  }

  #open(name: string, { addresses, ...settings }: { addresses?: readonly string[] }): object {
    // Several are one address to grpc-js.
    const client = new SafefileClient({ address: `ipv4:${addresses!.join(",")}`, ...settings });
    this.#parties.set(name, new Party(client));
    return {};
  }

  end(): void {
    for (const party of this.#parties.values()) party.end();
  }
}
