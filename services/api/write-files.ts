import { create } from "@bufbuild/protobuf";
import type { MutationResult } from "../gen/safefile/v1/common_pb.js";
import {
  type FileOpsService,
  type WriteFileRequest,
  type WriteFileResponse,
  type WriteFilesRequest,
  type WriteFilesResponse,
  WriteFilesResponseSchema,
} from "../gen/safefile/v1/file_ops_service_pb.js";
import type { CallContext, Handlers } from "./call.js";
import { toSafeOperationError, toStatus } from "./status.js";
import { refuse } from "./wire.js";

type Write = (request: WriteFileRequest, context: CallContext) => Promise<WriteFileResponse>;

/** Many independent writes on one stream, a bounded number at a time, each answered as it commits. */
export class WriteFiles {
  constructor(
    private readonly write: Write,
    private readonly limits: {
      /** Writes of one stream under way; the next one is read when one of them has been answered. */
      readonly writesInFlightMax: number;
    },
  ) {}

  readonly handlers: Handlers<typeof FileOpsService> = {
    writeFiles: (requests, context) => this.writeFiles(requests, context),
  };

  private async *writeFiles(
    requests: AsyncIterable<WriteFilesRequest>,
    context: CallContext,
  ): AsyncGenerator<WriteFilesResponse> {
    const inFlight = new Set<string>();
    const answers: WriteFilesResponse[] = [];
    let wake = Promise.withResolvers<void>();
    let freed = Promise.withResolvers<void>();
    let failure: unknown;
    let isOpen = true;

    const answer = async (write: WriteFileRequest, requestId: string): Promise<void> => {
      answers.push(await this.answer(write, requestId, context));
      inFlight.delete(requestId);
      wake.resolve();
    };
    const read = async (): Promise<void> => {
      // By hand: a loop that is left early would end the whole call before its status is sent.
      const messages = requests[Symbol.asyncIterator]();
      for (let next = await messages.next(); !next.done; next = await messages.next()) {
        const { write } = next.value;
        const requestId = write?.options?.requestId ?? "";
        if (!write || requestId === "") refuse("write.options.request_id", "must be set: the answer names it");
        if (inFlight.has(requestId)) refuse("write.options.request_id", `${requestId} is in flight already`);
        inFlight.add(requestId);
        answer(write, requestId).catch((error: unknown) => {
          failure = error;
          wake.resolve();
        });
        // Answers that nobody takes count, too: a client that only sends must not fill the memory (I14).
        while (inFlight.size + answers.length >= this.limits.writesInFlightMax) {
          freed = Promise.withResolvers();
          await freed.promise;
        }
      }
    };
    read()
      .catch((error: unknown) => {
        failure = error;
      })
      .finally(() => {
        isOpen = false;
        wake.resolve();
      });

    while (isOpen || inFlight.size > 0 || answers.length > 0) {
      const next = answers.shift();
      if (next) {
        yield next;
        freed.resolve();
        continue;
      }
      if (!isOpen && inFlight.size === 0) break;
      wake = Promise.withResolvers();
      // Checked once more: an answer may have come before there was anybody to wake.
      if (answers.length === 0 && (isOpen || inFlight.size > 0)) await wake.promise;
    }
    if (failure) throw failure;
  }

  private async answer(write: WriteFileRequest, requestId: string, context: CallContext): Promise<WriteFilesResponse> {
    const facts = new Map(context.facts);
    try {
      const { result } = await this.write(write, { ...context, facts });
      return create(WriteFilesResponseSchema, {
        requestId,
        answer: { case: "result", value: result as MutationResult },
      });
    } catch (error) {
      const status = toStatus(toSafeOperationError(error), facts);
      return create(WriteFilesResponseSchema, { requestId, answer: { case: "error", value: status } });
    }
  }
}
