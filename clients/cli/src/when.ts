import { InvalidArgumentError } from "commander";

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const RELATIVE = /^(?:\d+[smhdw])+(?: ago)?$/;
const RFC3339 = /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d{2}:\d{2})$/;

/** A time in the past: RFC 3339 with its zone, or how long ago, as in `10m`, `1h30m`, `2d ago`. */
export function parseWhen(text: string, now: Date): Date {
  const trimmed = text.trim();
  if (RELATIVE.test(trimmed)) {
    let ms = 0;
    for (const [, count, unit] of trimmed.matchAll(/(\d+)([smhdw])/g)) ms += Number(count) * UNIT_MS[unit!]!;
    const then = new Date(now.getTime() - ms);
    if (!Number.isNaN(then.getTime())) return then;
  }
  if (RFC3339.test(trimmed)) {
    const then = new Date(trimmed.replace(" ", "T"));
    if (!Number.isNaN(then.getTime())) return then;
  }
  throw new InvalidArgumentError("Give a time as 2026-05-04T13:00:00Z, or how long ago as 10m, 2h, 1d.");
}
