import type { Redis } from "ioredis";
import { isOperationId, type OperationId } from "../model/operation.js";
import { type FilePath, problemOfPath } from "../model/path.js";

/**
 * A place in the log of changes. The numbers of a log are dense, but they mean something only within one building of
 * the index and one life of the Redis process: a rebuild makes another log, and a Redis that restarts may have lost its
 * last second and gives the same numbers again.
 */
export interface Position {
  readonly generation: string;
  readonly run: string;
  readonly sequence: number;
}

/** What Redis says was committed; the volume decides whether it was (I8). */
export interface ChangeHint {
  readonly sequence: number;
  readonly path: FilePath;
  readonly revision: number;
  readonly operation: OperationId;
}

export interface ChangesPage {
  /** After the last of them. */
  readonly position: Position;
  readonly hints: readonly ChangeHint[];
  /** Some before the first of them are no longer there. */
  readonly missed: boolean;
}

export const sameLog = (left: Position, right: Position): boolean =>
  left.generation === right.generation && left.run === right.run;

type Pipeline = ReturnType<Redis["pipeline"]>;
type Reply = [id: string, fields: string[]];

/** What tells which life of Redis answers. */
export const runOf = (info: unknown): string => /^run_id:([0-9a-f]{40})\r?$/m.exec(String(info))?.[1] ?? "";

const sequenceOf = (id: string | undefined): number => Number.parseInt(id ?? "0", 10);

/** Reads the log of changes over one connection; undefined stands for another log than the one asked for. */
export class ChangesReader {
  constructor(
    protected readonly redis: Redis,
    private readonly logKey: string,
    private readonly readyKey: string,
    private readonly ask: <T>(call: () => Promise<T>) => Promise<T>,
  ) {}

  /** Where the log ends now; undefined while the index is missing. */
  async end(): Promise<Position | undefined> {
    const pipeline = this.redis.pipeline().call("XREVRANGE", this.logKey, "+", "-", "COUNT", "1");
    const { answer, generation, run } = await this.read(pipeline as Pipeline);
    if (!generation) return undefined;
    return { generation, run, sequence: sequenceOf((answer as Reply[] | null)?.[0]?.[0]) };
  }

  /** Up to `count` changes after `from`, waiting up to `blockMs` for the first. */
  async after(from: Position, count: number, blockMs = 0): Promise<ChangesPage | undefined> {
    const wait = blockMs > 0 ? ["BLOCK", String(blockMs)] : [];
    const id = `${from.sequence}-0`;
    const pipeline = this.redis.pipeline().call("XREAD", "COUNT", String(count), ...wait, "STREAMS", this.logKey, id);
    // The generation is read after the changes: when it is still the same, they belong to it.
    const { answer, generation, run } = await this.read(pipeline as Pipeline);
    if (generation !== from.generation || run !== from.run) return undefined;
    const replies = repliesOf(answer);
    const [first] = replies;
    return {
      position: { ...from, sequence: first ? sequenceOf(replies.at(-1)?.[0]) : from.sequence },
      hints: replies.flatMap(hintOf),
      missed: first !== undefined && sequenceOf(first[0]) !== from.sequence + 1,
    };
  }

  private read(pipeline: Pipeline): Promise<{ answer: unknown; generation: string | null; run: string }> {
    return this.ask(async () => {
      const answers = (await pipeline.get(this.readyKey).info("server").exec()) ?? [];
      const failed = answers.find(([error]) => error);
      if (failed) throw failed[0];
      const [answer, generation, info] = answers.map(([, value]) => value);
      return { answer, generation: (generation as string | null) ?? null, run: runOf(info) };
    });
  }
}

/** A reader that may wait, and so has a connection of its own. */
export class ChangesTail extends ChangesReader {
  close(): void {
    this.redis.disconnect();
  }
}

/** Of the one log that was read: a map of logs in RESP3, which arrives flat, and a list of pairs in RESP2. */
function repliesOf(answer: unknown): Reply[] {
  if (!Array.isArray(answer)) return [];
  const [key, replies] = (Array.isArray(answer[0]) ? answer[0] : answer) as [string, Reply[]];
  return key === undefined ? [] : replies;
}

/** Nothing for the mark at the start of a log, and for whatever we did not write: Redis is untrusted input. */
function hintOf([id, fields]: Reply): ChangeHint[] {
  const [, path = "", , revision = "", , operation = ""] = fields;
  if (problemOfPath(path) !== undefined || !/^[1-9][0-9]{0,15}$/.test(revision) || !isOperationId(operation)) return [];
  return [{ sequence: sequenceOf(id), path: path as FilePath, revision: Number(revision), operation }];
}
