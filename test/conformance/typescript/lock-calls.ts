import { LockEntrySchema, LockSchema } from "@safefile/client";
import type { Args, Call } from "./calls.js";
import { allOf, json } from "./facts.js";

function asked({ targets: _, handle: __, ...rest }: Args, options: object): object {
  return { ...options, ...rest };
}

export const LOCK_CALLS: Readonly<Record<string, Call>> = {
  acquire: async ({ client }, args, options) => ({
    lock: json(LockSchema, await client.locks.acquire(args.targets, asked(args, options))),
  }),
  renew: async ({ client }, { lockId, ...rest }, options) => ({
    lock: json(LockSchema, await client.locks.renew(lockId, { ...options, ...rest })),
  }),
  release: async ({ client }, { lockId }, options) => ({ released: await client.locks.release(lockId, options) }),
  listLocks: async ({ client }, args, options) => {
    const locks = await allOf(client.locks.list({ ...options, ...args }));
    return { locks: locks.map((lock) => json(LockEntrySchema, lock)) };
  },
  breakLock: async ({ client }, { lockId, reason }, options) => {
    await client.locks.break(lockId, reason, options);
    return {};
  },
  hold: async ({ client, held }, args, options) => {
    const lock = await client.locks.hold(args.targets, asked(args, options));
    held.set(args.handle, lock);
    return { lockId: lock.lockId, fencingToken: Number(lock.fencingToken) };
  },
  held: async ({ held }, { handle }) => ({ lost: held.get(handle)!.signal.aborted }),
  unhold: async ({ held }, { handle }) => {
    const released = await held.get(handle)!.release();
    held.delete(handle);
    return { released };
  },
};
