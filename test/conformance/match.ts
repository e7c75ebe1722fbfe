import { createHash } from "node:crypto";

/** What a driver can be told to make: PROTOCOL.md. */
interface Content {
  readonly text?: string;
  readonly base64?: string;
  readonly fill?: { readonly size: number; readonly seed: number };
}

export function bytesOf({ text, base64, fill }: Content): Buffer {
  if (text !== undefined) return Buffer.from(text);
  if (base64 !== undefined) return Buffer.from(base64, "base64");
  const { size, seed } = fill!;
  const bytes = Buffer.allocUnsafe(size);
  for (let i = 0; i < size; i++) bytes[i] = ((i >> 8) ^ (i * 31) ^ seed) & 255;
  return bytes;
}

/**
 * Where `actual` is not what is expected; empty when it is. Objects name the fields that count, lists are compared place by
 * place, numbers also with their text (64-bit integers are text in JSON). In place of a value:
 *
 *     {$absent: true}       undefined, or the value that an unset field has
 *     {$any: true}          anything that is not absent
 *     {$not: x}             not this
 *     {$matches: regex}     a text
 *     {$between: [a, b]}    a number
 *     {$length: n}          a list, or {$length: {$between: …}}
 *     {$has: [x, y]}        a list with elements that match these, in this order, and maybe others
 *     {$sha256: content}    the digest of this, in base64 or hex
 */
export function differences(expected: unknown, actual: unknown, at = ""): string[] {
  const differs = (what: string) => [`${at || "the value"} is ${shown(actual)}, not ${what}`];
  if (typeof expected !== "object" || expected === null)
    return String(expected) === String(actual ?? absentAs(expected)) ? [] : differs(shown(expected));
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length) return differs(`a list of ${expected.length}`);
    return expected.flatMap((one, place) => differences(one, actual[place], `${at}[${place}]`));
  }
  const [operator, operand] = Object.entries(expected)[0] ?? [];
  switch (operator) {
    case "$absent":
      return isAbsent(actual) ? [] : differs("absent");
    case "$any":
      return isAbsent(actual) ? differs("anything") : [];
    case "$not":
      return differences(operand, actual).length > 0 ? [] : differs(`something else`);
    case "$matches":
      return new RegExp(String(operand), "s").test(String(actual ?? "")) ? [] : differs(`like ${operand}`);
    case "$between": {
      const [low, high] = operand as [number, number];
      return actual !== undefined && Number(actual) >= low && Number(actual) <= high
        ? []
        : differs(`${low} to ${high}`);
    }
    case "$length":
      return differences(operand, Array.isArray(actual) ? actual.length : undefined, `the length of ${at}`);
    case "$has": {
      const rest = Array.isArray(actual) ? [...actual] : [];
      for (const one of operand as unknown[]) {
        const found = rest.findIndex((candidate) => differences(one, candidate).length === 0);
        if (found < 0) return differs(`a list with ${shown(one)}`);
        rest.splice(0, found + 1);
      }
      return [];
    }
    case "$sha256": {
      const digest = createHash("sha256")
        .update(bytesOf(operand as Content))
        .digest();
      return [digest.toString("hex"), digest.toString("base64")].includes(String(actual)) ? [] : differs("that digest");
    }
    default:
      if (typeof actual !== "object" || actual === null) return differs("an object");
      return Object.entries(expected).flatMap(([name, one]) =>
        differences(one, (actual as Record<string, unknown>)[name], at === "" ? name : `${at}.${name}`),
      );
  }
}

function isAbsent(value: unknown): boolean {
  if (value === undefined || value === null || value === "" || value === false) return true;
  if (Array.isArray(value)) return value.length === 0;
  return value === 0 || value === "0";
}

/** Drivers may leave out what has its default. */
function absentAs(expected: unknown): unknown {
  return isAbsent(expected) ? expected : undefined;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "absent";
  return text.length > 300 ? `${text.slice(0, 300)}…` : text;
}

/** `$name.field.0` in place of a value, or inside of one, is what an earlier step was answered. */
export function filled(value: unknown, variables: ReadonlyMap<string, unknown>): unknown {
  if (typeof value === "string" && /^\$[a-z]/.test(value)) {
    const [name, ...fields] = value.slice(1).split(".");
    let found = variables.get(name!);
    for (const field of fields) found = (found as Record<string, unknown> | undefined)?.[field];
    if (found === undefined) throw new Error(`${value} is not known`);
    return found;
  }
  if (Array.isArray(value)) return value.map((one) => filled(one, variables));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, filled(one, variables)]));
}
