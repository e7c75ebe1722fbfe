import { z } from "zod";

/** What a server says instead of its own answer. Code names are those of gRPC. */
export const statusSchema = z.strictObject({
  code: z.string(),
  message: z.string().default("planted"),
  /** Of the ErrorInfo; without it there are no details. */
  reason: z.string().optional(),
  domain: z.string().default("safefile"),
  metadata: z.record(z.string(), z.string()).default({}),
  retryAfterMs: z.number().optional(),
  /** `grpc-status-details-bin` holds bytes that are no Status. */
  garbage: z.boolean().default(false),
});
export type SaidStatus = z.infer<typeof statusSchema>;

/**
 * A server, or a way to it, that behaves otherwise. Cases say some to test what a client makes of them; the plant of a
 * case is one under which it must fail.
 */
export const faultSchema = z.strictObject({
  /** The RPC, for example WriteFile. */
  on: z.string(),
  /** Of the calls of this RPC, how many are passed on as they are before. */
  skip: z.number().default(0),
  /** How many calls it meets; all unless given. */
  times: z.number().default(Number.MAX_SAFE_INTEGER),
  /** Waits before anything is passed on. */
  delayMs: z.number().optional(),
  /** Answers this; the server never sees the call. */
  refuse: statusSchema.optional(),
  /** The server does what it was asked; this is answered instead. */
  lose: statusSchema.optional(),
  /** Breaks the connection when this many bytes of messages have passed, in either direction. */
  breakAfterBytes: z.number().optional(),
  /** Breaks the connection in place of the server's answer. */
  breakInsteadOfAnswer: z.boolean().optional(),
  /** Fields of the answer's messages, by dotted JSON names, that are given another value; only where they are there. */
  set: z.record(z.string(), z.unknown()).optional(),
  /** Messages of the answer that have this field are left out. */
  drop: z.string().optional(),
  /** Messages that have this field are sent twice. */
  repeat: z.string().optional(),
  /** An error of the server is said otherwise: texts of its ErrorInfo, an empty one removes the key. */
  restate: z
    .strictObject({
      code: z.string().optional(),
      reason: z.string().optional(),
      metadata: z.record(z.string(), z.string()).default({}),
      /** Leaves out details whose type ends in this. */
      without: z.string().optional(),
    })
    .optional(),
});
export type Fault = z.infer<typeof faultSchema>;
