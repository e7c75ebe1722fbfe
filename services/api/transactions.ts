import { create } from "@bufbuild/protobuf";
import {
  type ExecuteTransactionRequest,
  ExecuteTransactionResponseSchema,
  type FileOpsService,
  type TransactionItem,
  TransactionItemSchema,
  type TransactionOperation,
} from "../gen/safefile/v1/file_ops_service_pb.js";
import type { Content } from "../model/content.js";
import type { Check, Intent, Precondition } from "../model/operation-request.js";
import type { FilePath } from "../model/path.js";
import type { OperationRecord } from "../model/record.js";
import type { Revisions } from "../query/revisions.js";
import { canonicalPath } from "../validate/path.js";
import type { CallContext, Handlers } from "./call.js";
import type { Copies } from "./copies.js";
import { fromAppend, fromAttributes, fromEdits } from "./editing.js";
import { checkTarget, moveOf } from "./moving.js";
import { type Mutations, UNCONDITIONAL } from "./mutations.js";
import {
  checkMode,
  checkPosition,
  checkSha256,
  checkVolume,
  fromOptions,
  fromPrecondition,
  refuse,
  sha256Of,
  toMade,
} from "./wire.js";

const OPERATIONS_MAX = 1000;

/** What one operation of a transaction comes to. */
interface Step {
  readonly intents: readonly Intent[];
  readonly checks: readonly Check[];
  /** What its item is about. */
  readonly path: FilePath;
}

/** The same condition of one path counts once: many copies of one file may name it. */
function distinct(checks: readonly Check[]): Check[] {
  const key = ({ path, precondition: { etag, ifRevision } }: Check) => JSON.stringify([path, etag, ifRevision]);
  return [...new Map(checks.map((check) => [key(check), check])).values()];
}

/** Many changes that are committed together or not at all (I17). */
export class Transactions {
  constructor(
    private readonly mutations: Mutations,
    private readonly revisions: Revisions,
    private readonly copies: Copies,
  ) {}

  readonly handlers: Handlers<typeof FileOpsService> = {
    executeTransaction: (request, context) => this.executeTransaction(request, context),
  };

  private async executeTransaction(request: ExecuteTransactionRequest, context: CallContext) {
    checkVolume(request.volume, this.mutations.volumeName);
    const options = fromOptions(request.options, this.mutations.limits);
    const { precondition } = options;
    if (precondition.etag !== undefined || precondition.ifRevision !== undefined)
      refuse("options.precondition", "must be unset: each operation has its own");
    const { operations } = request;
    if (operations.length === 0 || operations.length > OPERATIONS_MAX)
      refuse("operations", `must be 1 to ${OPERATIONS_MAX}`);
    this.checkSize(operations);
    this.mutations.enter();
    const steps: Step[] = [];
    for (const [at, operation] of operations.entries()) steps.push(await this.read(operation, `operations[${at}]`));
    const intents = steps.flatMap((step) => step.intents);
    if (intents.length === 0) refuse("operations", "must change something");
    const checks = distinct(steps.flatMap((step) => step.checks));
    const finished = await this.mutations.finish({ intents, checks }, options, context);
    // Each path has an item of its own.
    const result = await this.mutations.resultOf(undefined, finished, context);
    const { record } = finished.receipt;
    const items = steps.map((step) => this.itemOf(step, record));
    return create(ExecuteTransactionResponseSchema, { result, items });
  }

  private checkSize(operations: readonly TransactionOperation[]): void {
    const sizeBytes = operations.reduce((sum, { action }) => {
      if (action.case === "write" || action.case === "append") return sum + action.value.data.length;
      if (action.case === "patch") return action.value.edits.reduce((total, { data }) => total + data.length, sum);
      return sum;
    }, 0);
    const { writeBytesMax } = this.mutations.limits;
    if (sizeBytes > writeBytesMax) refuse("operations", `must have at most ${writeBytesMax} bytes of data together`);
  }

  private itemOf({ intents, path }: Step, record: OperationRecord | undefined): TransactionItem {
    const made = record && intents.length > 0 ? toMade(this.mutations.volumeName, record, path) : undefined;
    return create(TransactionItemSchema, made && { ...made });
  }

  private async read({ path: text, precondition, action }: TransactionOperation, field: string): Promise<Step> {
    const path = canonicalPath(text, `${field}.path`);
    const condition = fromPrecondition(precondition, `${field}.precondition`);
    const one = (asked: Omit<Intent, "path" | "precondition">): Step => ({
      intents: [{ ...asked, path, precondition: condition }],
      checks: [],
      path,
    });
    switch (action.case) {
      case "write": {
        const { data, sha256 } = action.value;
        const digest = sha256Of(data);
        checkSha256(sha256, digest, path, `${field}.write.sha256`);
        const mode = checkMode(action.value.mode, `${field}.write.mode`);
        return one({ kind: "WRITE", source: { from: "bytes", bytes: data, sha256: digest }, mode });
      }
      case "append":
        return one(fromAppend(action.value.data, undefined, `${field}.append.data`));
      case "patch":
        return one(fromEdits(action.value, path, `${field}.patch.`));
      case "attributes":
        return one(fromAttributes(action.value, `${field}.attributes.`));
      case "delete":
        return one({ kind: "DELETE", source: undefined, mode: undefined });
      case "rollback":
        return one(await this.rollback(path, action.value.revision, `${field}.rollback.revision`));
      case "move": {
        const target = checkTarget(path, action.value.targetPath, `${field}.move.target_path`);
        const { overwrite } = action.value;
        const targetPrecondition = this.target(action.value, `${field}.move`);
        return {
          intents: moveOf(path, target, { precondition: condition, targetPrecondition, overwrite }),
          checks: [],
          path: target,
        };
      }
      case "copy": {
        const { overwrite } = action.value;
        const target = checkTarget(path, action.value.targetPath, `${field}.copy.target_path`);
        const revision = checkPosition(action.value.revision, `${field}.copy.revision`);
        const source = this.copies.of(path, revision, condition);
        const targetPrecondition = this.target(action.value, `${field}.copy`);
        const plain = { kind: "COPY" as const, mode: undefined, createOnly: !overwrite };
        const isConditional = condition.etag !== undefined || condition.ifRevision !== undefined;
        return {
          intents: [{ ...plain, path: target, source, precondition: targetPrecondition }],
          checks: isConditional ? [{ path, precondition: condition }] : [],
          path: target,
        };
      }
      default:
        return { intents: [], checks: [{ path, precondition: condition }], path };
    }
  }

  private target(value: { targetPrecondition?: Parameters<typeof fromPrecondition>[0] }, field: string): Precondition {
    return value.targetPrecondition
      ? fromPrecondition(value.targetPrecondition, `${field}.target_precondition`)
      : UNCONDITIONAL;
  }

  private async rollback(path: FilePath, wanted: bigint, field: string) {
    const revision = checkPosition(wanted, field);
    if (revision === 0) refuse(field, "must name the revision to go back to, from 1");
    // Looked at now, and kept only when its turn has come: a thousand of them would fill the memory (I14).
    const find = async (): Promise<Content> => {
      const { content } = await this.revisions.find(path, revision);
      return content ?? refuse(field, `${revision} has no content`);
    };
    const { mode, sizeBytes } = await find();
    return { kind: "ROLLBACK" as const, source: { from: "revision" as const, revision, sizeBytes, find }, mode };
  }
}
