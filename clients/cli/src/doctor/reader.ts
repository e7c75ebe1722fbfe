/** A thread that reads one file over and over while it is replaced, and counts what it saw. */
import { readFileSync } from "node:fs";
import { isMainThread, parentPort, workerData } from "node:worker_threads";

export interface ReaderReport {
  readonly reads: number;
  /** Reads in which the file was not there. */
  readonly missing: number;
  /** Reads that held neither the old nor the new content as a whole. */
  readonly torn: number;
  /** How often the content was another than in the read before. */
  readonly changes: number;
}

export interface ReaderTask {
  readonly file: string;
  readonly sizeBytes: number;
  /** Set to 1 to end it. */
  readonly stop: SharedArrayBuffer;
}

if (!isMainThread && parentPort !== null) {
  const { file, sizeBytes, stop } = workerData as ReaderTask;
  const stopped = new Int32Array(stop);
  const report = { reads: 0, missing: 0, torn: 0, changes: 0 };
  let before = -1;
  parentPort.postMessage("reading");
  while (Atomics.load(stopped, 0) === 0) {
    report.reads++;
    try {
      const bytes = readFileSync(file);
      const [first = -1] = bytes;
      if (bytes.length !== sizeBytes || !bytes.every((byte) => byte === first)) report.torn++;
      if (first !== before) report.changes++;
      before = first;
    } catch {
      report.missing++;
    }
  }
  parentPort.postMessage(report);
}
