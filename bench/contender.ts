/** One way to replace a small file durably. */
export interface Contender {
  readonly name: string;
  write(file: string, bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
}

/** Files that one worker writes in turn. */
const FILES_A_WORKER = 5;

/** Operations a second of `concurrency` workers over `ms`. */
export async function rate(contender: Contender, concurrency: number, ms: number, bytes: Uint8Array): Promise<number> {
  let done = 0;
  const startMs = performance.now();
  const untilMs = startMs + ms;
  await Promise.all(
    Array.from({ length: concurrency }, async (_, worker) => {
      for (let n = 0; performance.now() < untilMs; n++) {
        await contender.write(`w${worker}-${n % FILES_A_WORKER}.dat`, bytes);
        done += 1;
      }
    }),
  );
  return (done * 1000) / (performance.now() - startMs);
}

export const median = (values: readonly number[]): number => {
  const sorted = values.toSorted((left, right) => left - right);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
};
