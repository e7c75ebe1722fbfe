import type { ChannelCredentials } from "@grpc/grpc-js";
import type { CallOptions, ChangeOptions } from "./call-options.js";
import type { RetryPolicy } from "./retry.js";

export interface ClientOptions {
  /** host:port, or several as `ipv4:10.0.0.1:7420,10.0.0.2:7420`: the first that answers is used. */
  readonly address: string;
  /** Plain text unless given: the service listens on loopback only until it can authenticate callers. */
  readonly credentials?: ChannelCredentials;
  /** How long a call may take, repeats included. Time given to wait for a lock is added. Default 30 s. */
  readonly deadlineMs?: number;
  /** How long a stream of content may stand still. Default 60 s. */
  readonly idleMs?: number;
  /** The volume of all calls. The replica's only volume unless given. */
  readonly volume?: string;
  readonly windows?: Windows;
  readonly retry?: Partial<RetryPolicy>;
}

/** How much is on its way at once, in bytes. */
export interface Windows {
  /** What the server may send before it is read. Default 4 MiB; HTTP/2's own 64 KiB halves the speed. */
  readonly receiveBytes?: number;
  /** One chunk of an upload, at most 1 MiB. Default 256 KiB. */
  readonly chunkBytes?: number;
}

export interface ListOptions extends CallOptions {
  /** Also everything below. */
  readonly recursive?: boolean;
  /** Entries fetched at once. Default 1,000. */
  readonly pageSize?: number;
}

export interface ReadOptions extends CallOptions {
  readonly offset?: number;
  /** The most bytes to read. */
  readonly limit?: number;
}

export interface WholeReadOptions extends ReadOptions {
  /** More than this throws a RangeError. Default 64 MiB. */
  readonly bytesMax?: number;
}

export interface WriteOptions extends ChangeOptions {
  /** The permission bits. Those of the file, or 0644 for a new one, unless given. */
  readonly mode?: number;
}

export interface RemoveOptions extends ChangeOptions {
  /** A directory with all below it. */
  readonly recursive?: boolean;
}

export interface IncidentsOptions extends Omit<ListOptions, "recursive"> {
  /** Only those that are not over. */
  readonly unresolvedOnly?: boolean;
}

export interface DrainOptions extends CallOptions {
  /** How long changes under way may take. The server's default unless given. */
  readonly drainWaitMs?: number;
}

/** The part that is asked for, as requests have it. */
export function rangeOf({ offset, limit }: ReadOptions): { offset: bigint; limit: bigint } {
  return { offset: BigInt(offset ?? 0), limit: BigInt(limit ?? 0) };
}
