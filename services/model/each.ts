/**
 * Calls `act` for every item, `parallel` at a time, in order of their beginning. After a failure no more are begun;
 * rejects with the first one when none is under way any more, so that nothing goes on behind the caller's back.
 */
export async function eachOf<T>(
  items: Iterable<T>,
  parallel: number,
  act: (item: T, index: number) => Promise<unknown>,
): Promise<void> {
  const all = Array.from(items);
  // Most operations are about one path.
  if (all.length === 1) return void (await act(all[0] as T, 0));
  const failures: unknown[] = [];
  const queue = all.entries();
  const work = async (): Promise<void> => {
    for (const [index, item] of queue) {
      if (failures.length > 0) return;
      await act(item, index).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallel, all.length) }, work));
  if (failures.length > 0) throw failures[0];
}

/** As Promise.all, but rejects only when none is under way any more: what they work with can be let go of then. */
export async function allOf<T extends readonly unknown[]>(
  calls: { [At in keyof T]: T[At] | Promise<T[At]> },
): Promise<T> {
  const ended = await Promise.allSettled(calls);
  for (const each of ended) if (each.status === "rejected") throw each.reason;
  return ended.map((each) => (each as PromiseFulfilledResult<unknown>).value) as unknown as T;
}
