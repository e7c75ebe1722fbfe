import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { z } from "zod";
import { faultSchema } from "./fault.js";

/** What values of an answer must be: see match.ts. */
const expected = z.record(z.string(), z.unknown());

const callSchema = z.strictObject({
  /** A verb of PROTOCOL.md. */
  do: z.string(),
  with: z.record(z.string(), z.unknown()).default({}),
  client: z.string().default("main"),
  /** The value's name for later steps: `$name.field`. */
  as: z.string().optional(),
  /** Goes on without waiting; `join` waits. Needs `as`. */
  later: z.boolean().default(false),
  expect: expected.default({}),
  /** Is asked again until it is so: for what comes by itself, at no time that could be named. */
  eventually: z.boolean().default(false),
  /** It must fail, like this. */
  error: expected.optional(),
});
export type CallStep = z.infer<typeof callSchema>;

const stepSchema = z.union([
  callSchema,
  /** Waits for a call that was begun with `later`. */
  z.strictObject({ join: z.string(), expect: expected.default({}), error: expected.optional() }),
  /** From now on; `at` says before which replica, a or b. */
  z.strictObject({ fault: faultSchema, at: z.enum(["a", "b"]).default("a") }),
  z.strictObject({ behave: z.enum(["a", "b"]) }),
  /** What came over the wire, of both replicas, in order of time. */
  z.strictObject({
    wire: z.strictObject({
      on: z.string(),
      /** How many calls there were. */
      calls: z.number().optional(),
      callsAtLeast: z.number().optional(),
      /** How many different request ids they had. */
      requestIds: z.number().optional(),
      /** Between the answer to each and the next one. */
      pauseMsAtLeast: z.number().optional(),
      /** The first piece of the last one, an upload, lies at or behind this offset. */
      goesOnFrom: z.number().optional(),
      /** Of all their messages together. */
      bytesAtMost: z.number().optional(),
      messagesAtLeast: z.number().optional(),
      /** The trace that all of them belong to; "" is none. */
      traceId: z.string().optional(),
    }),
  }),
  /** Breaks all connections of this replica. */
  z.strictObject({ break: z.enum(["a", "b"]) }),
  /** Nobody answers there any more. */
  z.strictObject({ leave: z.enum(["a", "b"]) }),
  /** Until this many calls of this RPC have been seen. */
  z.strictObject({ until: z.strictObject({ on: z.string(), calls: z.number() }) }),
  /** Changes a file as somebody does who does not know the service. */
  z.strictObject({ outside: z.strictObject({ path: z.string(), text: z.string() }) }),
  /** What is on the volume, without the service. */
  z.strictObject({ file: z.strictObject({ path: z.string(), text: z.string().nullable() }) }),
]);
export type Step = z.infer<typeof stepSchema>;

const caseSchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9-]+$/),
  /** One sentence for the table. */
  shows: z.string(),
  /** Which replicas the client knows, in this order; "nobody" is an address where nobody listens. */
  addresses: z.array(z.enum(["a", "b", "nobody"])).default(["a"]),
  /** The client's settings, beside its addresses. */
  settings: z.record(z.string(), z.unknown()).default({}),
  steps: z.array(stepSchema).min(1),
  /** Under which the case must fail. A list: each by itself. */
  plants: z.array(z.union([faultSchema, z.strictObject({ golden: z.string() })])).min(1),
});
export type Case = z.infer<typeof caseSchema>;

/** Beside the sources: data is not compiled. */
export const TABLES = fileURLToPath(new URL("../../../test/conformance/cases", import.meta.url));
export const GOLDEN = fileURLToPath(new URL("../../../test/conformance/golden", import.meta.url));

/** All cases, in the order of the files' names. Two of one name are an error. */
export function readCases(): readonly Case[] {
  const files = readdirSync(TABLES).sort();
  const cases = files.flatMap((file) =>
    z.array(caseSchema).parse(parse(readFileSync(path.join(TABLES, file), "utf8"))),
  );
  const names = new Set(cases.map(({ name }) => name));
  if (names.size !== cases.length) throw new Error("two cases have one name");
  return cases;
}
