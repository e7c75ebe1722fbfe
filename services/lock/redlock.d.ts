// redlock 5.0.0-beta.2 has types, but its "exports" do not name them. This declares the part that is used here.
declare module "redlock" {
  import type { Redis } from "ioredis";

  export interface Settings {
    readonly driftFactor: number;
    readonly retryCount: number;
    readonly retryDelay: number;
    readonly retryJitter: number;
    readonly automaticExtensionThreshold: number;
  }

  export interface ExecutionStats {
    readonly membershipSize: number;
    readonly quorumSize: number;
    readonly votesFor: ReadonlySet<Redis>;
    readonly votesAgainst: ReadonlyMap<Redis, Error>;
  }

  export interface ExecutionResult {
    readonly attempts: ReadonlyArray<Promise<ExecutionStats>>;
  }

  /** Each makes the text of the script that is to be run instead of the one given. */
  export interface Scripts {
    readonly acquireScript: (script: string) => string;
    readonly extendScript: (script: string) => string;
    readonly releaseScript: (script: string) => string;
  }

  export class Lock {
    readonly resources: string[];
    readonly value: string;
    readonly attempts: ReadonlyArray<Promise<ExecutionStats>>;
    /** By the wall clock, in milliseconds since 1970. */
    expiration: number;
    release(): Promise<ExecutionResult>;
    /** Takes its settings from the instance; `Redlock.extend` takes them per call. */
    extend(durationMs: number): Promise<Lock>;
  }

  export class ResourceLockedError extends Error {}

  export class ExecutionError extends Error {
    readonly attempts: ReadonlyArray<Promise<ExecutionStats>>;
  }

  export default class Redlock {
    constructor(clients: Iterable<Redis>, settings?: Partial<Settings>, scripts?: Scripts);
    acquire(resources: string[], durationMs: number, settings?: Partial<Settings>): Promise<Lock>;
    extend(lock: Lock, durationMs: number, settings?: Partial<Settings>): Promise<Lock>;
    release(lock: Lock, settings?: Partial<Settings>): Promise<ExecutionResult>;
    on(event: "error", listener: (error: Error) => void): this;
    quit(): Promise<void>;
  }
}
