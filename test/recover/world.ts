import type { Journals } from "../../services/journal/journals.js";
import type { Checkpoint } from "../../services/journal/record.js";
import {
  type IncarnationId,
  NO_OPERATION,
  type OperationId,
  operationId,
  repairId,
} from "../../services/model/operation.js";
import type { FilePath, PathHash } from "../../services/model/path.js";
import { pathHash } from "../../services/model/path.js";
import type { Baton, Batons } from "../../services/protocol/baton.js";
import type { Checkpoints } from "../../services/recover/checkpoints.js";
import type { History as Decided, Recorded } from "../../services/recover/history.js";
import { type Extent, Past } from "../../services/recover/past.js";

export const PATHS = ["p", "q", "r"] as FilePath[];
export const INCARNATIONS = [
  "01ARZ3NDEKTSV4RRFFQ69G5FA1",
  "01ARZ3NDEKTSV4RRFFQ69G5FA2",
  "01ARZ3NDEKTSV4RRFFQ69G5FA3",
].map((id) => id as IncarnationId);

const REPLAYER = "01ARZ3NDEKTSV4RRFFQ69G5FA9" as IncarnationId;

type Entry =
  | { readonly type: "operation"; readonly record: Recorded }
  | { readonly type: "abort"; readonly operation: OperationId };

/** One incarnation as the world sees it. */
interface Life {
  readonly id: IncarnationId;
  readonly journal: Entry[];
  /** Sequences of records whose operations are not settled yet. */
  readonly open: Map<OperationId, number>;
  checkpoint: Checkpoint | undefined;
  foreignAborts: OperationId[];
  isOver: boolean;
}

/**
 * What becomes of an operation once its record is durable. `slow` is committed, but its owner does not get to know for
 * the rest of its life; `stopped` was fenced by a rival, and its owner does not get to know that; `rescued` was stopped
 * by a survivor, who says so in its own journal.
 */
export type Fate = "commits" | "slow" | "aborts" | "stopped" | "rescued" | "unrecorded";

/** Journals, checkpoints and the names of batons, as the protocol makes them, with all that names have ever been. */
export class History {
  readonly lives: Life[] = INCARNATIONS.map((id) => ({
    id,
    journal: [],
    open: new Map(),
    checkpoint: undefined,
    foreignAborts: [],
    isOver: false,
  }));
  readonly committed = new Set<OperationId>();
  readonly aborted = new Set<OperationId>();
  /** Every name that the baton of a path had; of `synced`, the index of the one that is durable. */
  private readonly names = PATHS.map((path): Baton[] => [
    { hash: pathHash(path), epoch: 0, owner: NO_OPERATION, last: NO_OPERATION },
  ]);
  private synced = PATHS.map(() => 0);
  private operations = 0;

  /** One operation from its baton on. */
  operate(by: number, paths: readonly number[], fate: Fate, survivor: number): OperationId | undefined {
    const life = this.lives[by] as Life;
    if (life.isOver) return undefined;
    this.operations += 1;
    const operation = operationId(life.id, this.operations);
    const changes = paths.map((at) => {
      const seen = this.baton(at);
      const taken = { ...seen, epoch: seen.epoch + 1, owner: operation };
      this.names[at]?.push(taken);
      return { path: PATHS[at] as FilePath, epoch: taken.epoch, baseOperation: taken.last };
    });
    const passOn = (last?: OperationId): void => {
      for (const at of paths) {
        const taken = this.baton(at);
        this.names[at]?.push({ ...taken, owner: last ?? taken.last, last: last ?? taken.last });
      }
    };
    if (fate === "unrecorded") {
      passOn();
      return operation;
    }
    life.journal.push({ type: "operation", record: { operation, changes } });
    life.open.set(operation, life.journal.length);
    if (fate === "commits" || fate === "slow") {
      this.committed.add(operation);
      passOn(operation);
      if (fate === "commits") life.open.delete(operation);
    } else if (fate === "aborts") {
      this.abort(life, operation);
      passOn();
      life.open.delete(operation);
    } else if (fate === "rescued") {
      const other = this.lives[survivor] as Life;
      if (!other.isOver && other !== life) this.abort(other, operation);
      passOn();
    } else passOn();
    return operation;
  }

  private baton(at: number): Baton {
    return this.names[at]?.at(-1) as Baton;
  }

  private abort(by: Life, operation: OperationId): void {
    by.journal.push({ type: "abort", operation });
    this.aborted.add(operation);
    if (!operation.startsWith(by.id)) by.foreignAborts.push(operation);
  }

  /** As the checkpointer: what is settled, then the sync, then, unless cut off before, the file. */
  checkpoint(by: number, isCutOff = false): void {
    const life = this.lives[by] as Life;
    if (life.isOver) return;
    const sequence = Math.min(life.journal.length, ...[...life.open.values()].map((each) => each - 1));
    this.sync();
    if (isCutOff || sequence <= (life.checkpoint?.at.sequence ?? 0)) return;
    life.foreignAborts = life.foreignAborts.filter((each) => !this.lifeOf(each).checkpoint?.isFinal);
    life.checkpoint = { at: markAt(sequence), isFinal: false, foreignAborts: [...life.foreignAborts] };
  }

  /** As a survivor: stops what has not decided, says so in its own journal, syncs, writes the final checkpoint. */
  end(dead: number, survivor: number): void {
    const [life, by] = [this.lives[dead] as Life, this.lives[survivor] as Life];
    if (life === by || life.isOver || by.isOver) return;
    for (const operation of life.open.keys())
      if (!this.committed.has(operation) && !this.aborted.has(operation)) this.abort(by, operation);
    life.isOver = true;
    this.sync();
    const foreignAborts = life.foreignAborts.filter((each) => !this.lifeOf(each).checkpoint?.isFinal);
    life.checkpoint = { at: markAt(life.journal.length), isFinal: true, foreignAborts };
  }

  private lifeOf(operation: OperationId): Life {
    return this.lives.find(({ id }) => operation.startsWith(id)) as Life;
  }

  private sync(): void {
    this.synced = this.names.map((names) => names.length - 1);
  }

  /** The power fails: every name is what it was at some moment since the last sync. */
  cut(choose: () => number): Remains {
    const batons = new Map<PathHash, Baton>();
    for (const [at, names] of this.names.entries()) {
      const from = this.synced[at] as number;
      const baton = names[from + (choose() % (names.length - from))] as Baton;
      batons.set(baton.hash, baton);
    }
    return new Remains(this.lives, batons);
  }

  get records(): Recorded[] {
    return this.lives.flatMap(({ journal }) =>
      journal.flatMap((each) => (each.type === "operation" ? [each.record] : [])),
    );
  }
}

/** A sequence stands for its place: one record a byte. */
const markAt = (sequence: number) => ({ sequence, segment: 1, offset: sequence });

/** What a replayer finds, behind the doors that it uses. */
export class Remains {
  /** Records that were read other than by going on from a checkpoint. */
  found = 0;
  scanned = 0;

  constructor(
    private readonly lives: readonly Life[],
    readonly batons: Map<PathHash, Baton>,
  ) {}

  read(extent: Extent): Promise<Past> {
    const journals = {
      incarnations: async () => this.lives.filter(({ journal }) => journal.length > 0).map(({ id }) => id),
      find: async (operation: OperationId) => {
        this.found += 1;
        return this.lives
          .flatMap(({ journal }) => journal)
          .flatMap((each) =>
            each.type === "operation" && each.record.operation === operation ? [each.record] : [],
          )[0];
      },
      scan: (incarnation: IncarnationId, from?: Checkpoint) => this.scan(incarnation, from),
    };
    const checkpoints = {
      read: async (incarnation: IncarnationId) => this.lives.find(({ id }) => id === incarnation)?.checkpoint,
    };
    const batons = { look: async (hash: PathHash) => this.batons.get(hash) };
    return Past.read(
      journals as unknown as Journals,
      checkpoints as unknown as Checkpoints,
      batons as unknown as Batons,
      extent,
      2,
    );
  }

  /**
   * What a replayer that was killed leaves: its aborts, and then, of every path that it repairs, the baton as it was,
   * in the middle of the repair, or as it should be.
   */
  repairPartly({ paths, leftOut }: Decided, choose: () => number): Remains {
    const journal = leftOut.map((operation): Entry => ({ type: "abort", operation }));
    const replayer = {
      id: REPLAYER,
      journal,
      open: new Map(),
      checkpoint: undefined,
      foreignAborts: [],
      isOver: false,
    };
    const batons = new Map(this.batons);
    for (const [path, { head, epoch }] of paths) {
      const seen = batons.get(pathHash(path)) as Baton;
      const settled = { ...seen, epoch: Math.max(seen.epoch, epoch) + 1, owner: head, last: head };
      const taken = { ...settled, owner: repairId(REPLAYER, 1), last: seen.last };
      batons.set(seen.hash, [seen, taken, settled][choose() % 3] as Baton);
    }
    return new Remains([...this.lives, replayer], batons);
  }

  private async *scan(incarnation: IncarnationId, from?: Checkpoint) {
    const { journal } = this.lives.find(({ id }) => id === incarnation) as Life;
    for (const [at, entry] of journal.entries()) {
      if (at < (from?.at.sequence ?? 0)) continue;
      this.scanned += 1;
      yield { ...entry, sequence: at + 1, next: markAt(at + 1) };
    }
  }
}
