import type { ClientReadableStream } from "@grpc/grpc-js";
import { Arrival, arrived, type ContentPart } from "./arrival.js";
import { cancelled, isServiceError } from "./channel.js";
import { type DownloadOptions, silent, tooLarge } from "./download.js";
import type { ContentHeader } from "./gen/safefile/v1/common_pb.js";
import { SafefileError } from "./safefile-error.js";

/** Content that fits into memory, with what it is of. */
export interface Whole {
  readonly bytes: Uint8Array;
  readonly header: ContentHeader;
}

export interface WholeOptions extends DownloadOptions {
  readonly bytesMax: number;
}

/** All of a download in memory. More than `bytesMax` throws, before any content is taken. */
export function receiveWhole(call: ClientReadableStream<ContentPart>, options: WholeOptions): Promise<Whole> {
  const { path, idleMsMax, signal, bytesMax } = options;
  return new Promise((resolve, reject) => {
    const pieces: Uint8Array[] = [];
    let arrival: Arrival | undefined;
    let isIdle = false;
    const expire = () => {
      isIdle = true;
      call.cancel();
    };
    const cancel = () => call.cancel();
    const leave = () => {
      clearTimeout(idle);
      signal?.removeEventListener("abort", cancel);
    };
    const fail = (error: unknown) => {
      leave();
      call.off("data", take);
      call.cancel();
      reject(error);
    };
    const take = (part: ContentPart) => {
      idle.refresh();
      try {
        if (arrival) {
          const data = arrival.take(part);
          if (data) pieces.push(data);
          return;
        }
        arrival = new Arrival(part, path);
        if (arrival.sizeBytes > bytesMax) throw tooLarge(path, arrival.sizeBytes, bytesMax);
      } catch (error) {
        fail(error);
      }
    };
    const finish = () => {
      try {
        const { header } = arrived(arrival, path);
        leave();
        resolve({ header, bytes: pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces) });
      } catch (error) {
        fail(error);
      }
    };
    const idle = setTimeout(expire, idleMsMax);
    call.on("data", take);
    call.on("end", finish);
    // What follows the first one, such as the error of the cancellation itself, is nobody's.
    call.on("error", (error) => {
      if (signal?.aborted) fail(cancelled(signal, undefined, undefined));
      else if (isIdle) fail(silent(path, idleMsMax));
      else fail(isServiceError(error) ? SafefileError.fromCall(error) : error);
    });
    signal?.addEventListener("abort", cancel, { once: true });
    if (signal?.aborted) cancel();
  });
}
