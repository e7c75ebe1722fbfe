import { getEnvironmentData, isMainThread, setEnvironmentData } from "node:worker_threads";
import type { Call, Fault } from "./fault.js";

const KEY = "safefile-test-injector";
const TEXT_BYTES = 4 * 1024 * 1024;
/** Numbers: which fault (0 for none), how many calls and hits there were, how many bytes the texts have. */
const [FAULT, CALLS, HITS, FAULT_BYTES, TEXTS_BYTES, NUMBERS] = [0, 1, 2, 3, 4, 5];
const FAULT_BYTES_MAX = 4096;

/** What all threads of one process know of its fault. */
export class Shared {
  private readonly numbers: Int32Array;
  private readonly faultText: Uint8Array;
  /** One line for each call. */
  private readonly texts: Uint8Array;
  private faults = 0;
  private known: { readonly number: number; readonly fault: Fault } | undefined;

  private constructor(memory: SharedArrayBuffer) {
    this.numbers = new Int32Array(memory, 0, NUMBERS);
    this.faultText = new Uint8Array(memory, 64, FAULT_BYTES_MAX);
    this.texts = new Uint8Array(memory, 64 + FAULT_BYTES_MAX, TEXT_BYTES);
  }

  /** Made by the first thread; those that it starts find it. */
  static ofProcess(): Shared {
    if (isMainThread) setEnvironmentData(KEY, new SharedArrayBuffer(64 + FAULT_BYTES_MAX + TEXT_BYTES));
    return new Shared(getEnvironmentData(KEY) as unknown as SharedArrayBuffer);
  }

  get fault(): Fault | undefined {
    const number = Atomics.load(this.numbers, FAULT);
    if (number === 0) return undefined;
    if (this.known?.number !== number)
      this.known = { number, fault: JSON.parse(textOf(this.faultText, this.numbers[FAULT_BYTES] ?? 0)) as Fault };
    return this.known.fault;
  }

  arm(fault: Fault): void {
    const text = Buffer.from(JSON.stringify(fault));
    this.faultText.set(text);
    for (const at of [CALLS, HITS, TEXTS_BYTES]) Atomics.store(this.numbers, at, 0);
    Atomics.store(this.numbers, FAULT_BYTES, text.length);
    this.faults += 1;
    Atomics.store(this.numbers, FAULT, this.faults);
  }

  disarm(): void {
    Atomics.store(this.numbers, FAULT, 0);
  }

  /** The number of this call, from 1. */
  count(call: Call): number {
    const line = Buffer.from(`${JSON.stringify(call)}\n`);
    this.texts.set(line, Atomics.add(this.numbers, TEXTS_BYTES, line.length));
    return Atomics.add(this.numbers, CALLS, 1) + 1;
  }

  /** Whether the fault happens now: once, or from now on. */
  hit(isLasting: boolean): boolean {
    if (isLasting) Atomics.add(this.numbers, HITS, 1);
    return isLasting || Atomics.compareExchange(this.numbers, HITS, 0, 1) === 0;
  }

  get hits(): number {
    return Atomics.load(this.numbers, HITS);
  }

  get calls(): Call[] {
    const lines = textOf(this.texts, Atomics.load(this.numbers, TEXTS_BYTES)).split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as Call);
  }
}

/** A text of shared memory, which has to be copied to be decoded. */
const textOf = (memory: Uint8Array, sizeBytes: number): string => Buffer.from(memory.slice(0, sizeBytes)).toString();
