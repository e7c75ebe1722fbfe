import type { RawClient } from "./raw.js";

const NAMES = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"];
const DEADLINE_MS = 10_000;

/** What grpc.health.v1 says: a status by name, or the code that the call failed with. */
export async function health(raw: RawClient): Promise<string> {
  const decode = (bytes: Buffer): string => NAMES[bytes[1] ?? 0] ?? "UNKNOWN";
  const { code, messages } = await raw.exchange("/grpc.health.v1.Health/Check", [new Uint8Array()], decode, {
    deadlineMs: DEADLINE_MS,
  });
  return messages[0] ?? code;
}
