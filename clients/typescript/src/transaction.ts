import { createHash } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type ChangeOptions, type Condition, conditionOf } from "./call-options.js";
import { type Change, checkSize, present } from "./change.js";
import { type Attributes, attributesOf, type Edit, editsBytes, patchOf } from "./edits.js";
import type { FileInfo, MutationResult, Revision } from "./gen/safefile/v1/common_pb.js";
import {
  FileOpsService,
  type TransactionItem,
  type TransactionOperation,
  TransactionOperationSchema,
} from "./gen/safefile/v1/file_ops_service_pb.js";
import { copyOf, moveOf, type TargetOptions } from "./moves.js";

/** Its conditions belong to the steps. */
export type TransactionOptions = Omit<ChangeOptions, keyof Condition>;

type Action =
  | { readonly action: "write"; readonly data: Uint8Array; readonly mode?: number }
  | { readonly action: "append"; readonly data: Uint8Array }
  | { readonly action: "patch"; readonly edits: readonly Edit[]; readonly sha256?: Uint8Array }
  | { readonly action: "remove" }
  | ({ readonly action: "move"; readonly target: string } & TargetOptions)
  | ({ readonly action: "copy"; readonly target: string; readonly revision?: number | bigint } & TargetOptions)
  | { readonly action: "rollback"; readonly revision: number | bigint }
  | ({ readonly action: "attributes" } & Attributes)
  /** Only looks whether the condition holds. */
  | { readonly action: "check" };

/** One change of a transaction. Its condition is about `path` as it was before the transaction. */
export type TransactionStep = { readonly path: string } & Condition & Action;

/** What one step did. */
export interface TransactionChange {
  /** What this is about: the step's path; the target, for a move or copy. */
  readonly path: string;
  /** The file now. Undefined after a removal, a check, and for `validateOnly`. */
  readonly file: FileInfo | undefined;
  /** The revision made. Undefined for a check, and for `validateOnly`. */
  readonly revision: Revision | undefined;
  /** The revision that holds what was there before. 0 when nothing was there. */
  readonly backupRevision: bigint;
}

/** What a transaction did. */
export interface Transacted {
  /** Of the whole: one operation id for all. `file`, `revision` and `backupRevision` are in the items. */
  readonly result: MutationResult;
  /** One per step, in their order. */
  readonly items: readonly TransactionChange[];
}

type PatchSettings = { readonly sha256?: Uint8Array };

/**
 * Collects the steps of a transaction: 1 to 1,000, each path changed by one of them only, at most 1 MiB of data
 * together. Nothing is sent before `client.transaction`.
 */
export class Transaction {
  readonly #steps: TransactionStep[] = [];

  /** What was collected, in order. */
  get steps(): readonly TransactionStep[] {
    return this.#steps;
  }

  /** Creates or replaces a file. */
  write(path: string, data: Uint8Array, options: Condition & { readonly mode?: number } = {}): this {
    return this.#add({ ...options, action: "write", path, data });
  }

  /** Adds bytes at the end of a file, creating it when it is missing. */
  append(path: string, data: Uint8Array, options: Condition = {}): this {
    return this.#add({ ...options, action: "append", path, data });
  }

  /** Replaces parts of a file, as `client.patch` does. */
  patch(path: string, edits: readonly Edit[], options: Condition & PatchSettings = {}): this {
    return this.#add({ ...options, action: "patch", path, edits });
  }

  /** Deletes a file. */
  remove(path: string, options: Condition = {}): this {
    return this.#add({ ...options, action: "remove", path });
  }

  /** Moves a file. The target counts as a path of the transaction. */
  move(path: string, target: string, options: Condition & TargetOptions = {}): this {
    return this.#add({ ...options, action: "move", path, target });
  }

  /** Copies a file, or one of its revisions. The target counts as a path of the transaction. */
  copy(
    path: string,
    target: string,
    options: Condition & TargetOptions & { readonly revision?: number | bigint } = {},
  ): this {
    return this.#add({ ...options, action: "copy", path, target });
  }

  /** Sets a file back to an earlier revision. */
  rollback(path: string, revision: number | bigint, options: Condition = {}): this {
    return this.#add({ ...options, action: "rollback", path, revision });
  }

  /** Changes attributes of a file. */
  attributes(path: string, attributes: Attributes & Condition): this {
    return this.#add({ ...attributes, action: "attributes", path });
  }

  /** Changes nothing, but the transaction is only committed if this holds. */
  check(path: string, condition: Condition): this {
    return this.#add({ ...condition, action: "check", path });
  }

  #add(step: TransactionStep): this {
    this.#steps.push(step);
    return this;
  }
}

/** The steps of a transaction: collected, listed, or by a function that is given what collects them. */
export type TransactionSource = Transaction | Iterable<TransactionStep> | ((tx: Transaction) => unknown);

export async function transaction(
  change: Change,
  source: TransactionSource,
  options: TransactionOptions,
): Promise<Transacted> {
  const steps = stepsOf(source);
  const { result, items } = await change(FileOpsService.method.executeTransaction, options, (carried) => {
    checkSize(stepsBytes(steps), "operations", carried.options);
    return { ...carried, operations: steps.map(operationOf) };
  });
  return { result: present(result), items: changesOf(steps, items) };
}

function stepsOf(given: TransactionSource): readonly TransactionStep[] {
  if (given instanceof Transaction) return given.steps;
  if (typeof given !== "function") return [...given];
  const transaction = new Transaction();
  const returned = given(transaction);
  // Its steps would be collected after they were sent.
  if (returned instanceof Promise) throw new TypeError("a transaction is built at once: await before it");
  return transaction.steps;
}

/** All data of the steps together. */
function stepsBytes(steps: readonly TransactionStep[]): number {
  return steps.reduce((sum, step) => {
    if (step.action === "write" || step.action === "append") return sum + step.data.length;
    return step.action === "patch" ? sum + editsBytes(step.edits) : sum;
  }, 0);
}

function operationOf(step: TransactionStep): TransactionOperation {
  const action = actionOf(step);
  return create(TransactionOperationSchema, { path: step.path, ...conditionOf("precondition", step), action });
}

/** What each step did. Throws when the answer is not about these steps. */
function changesOf(steps: readonly TransactionStep[], items: readonly TransactionItem[]): TransactionChange[] {
  if (items.length !== steps.length) throw new TypeError("the server's answer has another number of items than asked");
  return steps.map((step, at): TransactionChange => {
    const { file, revision, backupRevision } = items[at]!;
    return { path: "target" in step ? step.target : step.path, file, revision, backupRevision };
  });
}

function actionOf(step: TransactionStep): NonNullable<MessageInitShape<typeof TransactionOperationSchema>["action"]> {
  switch (step.action) {
    case "write": {
      const sha256 = createHash("sha256").update(step.data).digest();
      const mode = step.mode === undefined ? {} : { mode: step.mode };
      return { case: "write", value: { data: step.data, sha256, ...mode } };
    }
    case "append":
      return { case: "append", value: { data: step.data } };
    case "patch": {
      const { path: _, ...value } = patchOf(step.path, step.edits, step);
      return { case: "patch", value };
    }
    case "remove":
      return { case: "delete", value: {} };
    case "move": {
      const { path: _, ...value } = moveOf(step.path, step.target, step);
      return { case: "move", value };
    }
    case "copy": {
      const { path: _, ...value } = copyOf(step.path, step.target, step);
      return { case: "copy", value };
    }
    case "rollback":
      return { case: "rollback", value: { revision: BigInt(step.revision) } };
    case "attributes":
      return { case: "attributes", value: attributesOf(step) };
    case "check":
      return { case: undefined };
    default:
      // Without types a misspelled action would be only a check.
      throw new TypeError(`"${(step as { action: unknown }).action}" is no action of a transaction`);
  }
}
