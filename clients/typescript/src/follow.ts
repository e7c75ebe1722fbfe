import type { DescMethodServerStreaming, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { type Channel, cancelled, isServiceError } from "./channel.js";
import { SafefileError } from "./safefile-error.js";

/** A stream that can be asked to go on behind a message. */
export interface Followed<Method extends DescMethodServerStreaming> {
  readonly method: Method;
  /** Where to begin; "" for where the service begins. */
  readonly from: string;
  /** The request that begins behind `position`. */
  request(position: string): MessageInitShape<Method["input"]>;
  /** Where a message stands. */
  positionOf(message: MessageShape<Method["output"]>): string;
}

/**
 * The messages of a stream until it ends or `signal` ends it. When the service is UNAVAILABLE, because its replica
 * drains for example, it goes on behind the last message seen, on another replica where the address names several;
 * attempts are counted from the last message.
 */
export async function* follow<Method extends DescMethodServerStreaming>(
  channel: Channel,
  { method, from, request, positionOf }: Followed<Method>,
  signal: AbortSignal | undefined,
): AsyncGenerator<MessageShape<Method["output"]>> {
  const retry = channel.retry();
  let position = from;
  for (;;) {
    if (signal?.aborted) throw cancelled(signal, undefined, undefined);
    const call = channel.serverStream(method, request(position));
    const abort = () => call.cancel();
    call.on("error", () => undefined);
    signal?.addEventListener("abort", abort, { once: true });
    try {
      for await (const message of call as AsyncIterable<MessageShape<Method["output"]>>) {
        position = positionOf(message);
        retry.reset();
        yield message;
      }
      return;
    } catch (error) {
      if (signal?.aborted) throw cancelled(signal, undefined, undefined);
      await retry.after(isServiceError(error) ? SafefileError.fromCall(error) : error, signal);
    } finally {
      signal?.removeEventListener("abort", abort);
      call.cancel();
    }
  }
}
