import { z } from "zod";

export const INCIDENT_KINDS = [
  "REPLICA_DEAD",
  "OPERATION_FENCED",
  "EXTERNAL_CHANGE",
  "CORRUPTION",
  "DURABILITY",
  "REPLAY",
  "VOLUME",
  "INDEX",
  "LOCK_BROKEN",
] as const;
export type IncidentKind = (typeof INCIDENT_KINDS)[number];

/**
 * Something that went wrong, as it lies on the volume. Paths are named, for it stays on the volume that has them; content
 * never is (I15).
 */
export const Incident = z.object({
  /** A ULID. That of a dead replica is its incarnation's, so that any number of survivors record it once. */
  id: z.string().regex(/^[0-9A-HJKMNP-TV-Z]{26}$/),
  kind: z.enum(INCIDENT_KINDS),
  createTimeMs: z.number(),
  /** Missing while it is not over. */
  resolveTimeMs: z.number().optional(),
  /** Who noticed it. */
  incarnation: z.string(),
  /** What it is about, as far as it is about one. */
  subject: z.string().default(""),
  operation: z.string().default(""),
  outcome: z.enum(["COMMITTED", "NOT_COMMITTED", "UNKNOWN"]).optional(),
  path: z.string().default(""),
  revision: z.number().default(0),
  message: z.string(),
  traceId: z.string().default(""),
});
export type Incident = z.infer<typeof Incident>;

/** What is noticed; who, when and under which id is filled in where it is recorded. */
export type Noticed = Partial<Omit<Incident, "id" | "incarnation">> & Pick<Incident, "kind" | "message">;
