import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { status as Code } from "@grpc/grpc-js";
import type { ChangeOptions } from "./call-options.js";
import type { MutationOptions } from "./gen/safefile/v1/common_pb.js";
import { SafefileError } from "./safefile-error.js";

/** What all changes carry. */
export interface Carried {
  readonly volume: string;
  readonly options: MutationOptions;
}

/** Makes a change by one call. Its request id is the same for all attempts. */
export type Change = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  options: ChangeOptions,
  request: (carried: Carried) => MessageInitShape<I>,
) => Promise<MessageShape<O>>;

/** WriteFile, AppendFile, PatchFile and a whole transaction take this much content. */
export const DATA_BYTES_MAX = 1024 * 1024;

/** More would not fit into a message, and the refusal of that would not say what became of the file. */
export function checkSize(sizeBytes: number, field: string, { requestId }: { readonly requestId: string }): void {
  if (sizeBytes > DATA_BYTES_MAX) throw refusal(field, `must be at most ${DATA_BYTES_MAX} bytes`, requestId);
}

/** A field that every answer has. */
export function present<T>(field: T | undefined): T {
  if (field === undefined) throw new TypeError("the server's answer lacks a field that it always has");
  return field;
}

/** What was asked is refused here as the service would; nothing was sent. */
function refusal(field: string, problem: string, requestId: string): SafefileError {
  return new SafefileError(Code.INVALID_ARGUMENT, `${field} ${problem}. Nothing was changed.`, {
    reason: "ARGUMENT_INVALID",
    outcome: "NOT_COMMITTED",
    metadata: { field, problem, request_id: requestId },
    fieldViolations: [{ field, description: problem }],
  });
}
