import { CliError, EXIT } from "./failure.js";

const MODE = /^[0-7]{1,4}$/;
const MODE_MAX = 0o777;

/** A JSON object that people wrote: what it lacks or has too much is said with its place. */
export class Fields {
  readonly #values: Map<string, unknown>;

  constructor(
    value: unknown,
    readonly place: string,
  ) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw wrong(place, "must be an object");
    this.#values = new Map(Object.entries(value));
  }

  text(name: string): string {
    return this.textIf(name) ?? this.#missing(name);
  }

  textIf(name: string): string | undefined {
    return this.#take(name, (value) => typeof value === "string", "must be a string") as string | undefined;
  }

  /** A whole number from 0. */
  whole(name: string): number {
    return this.wholeIf(name) ?? this.#missing(name);
  }

  wholeIf(name: string): number | undefined {
    const isWhole = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
    return this.#take(name, isWhole, "must be a whole number from 0") as number | undefined;
  }

  flagIf(name: string): boolean | undefined {
    return this.#take(name, (value) => typeof value === "boolean", "must be true or false") as boolean | undefined;
  }

  /** Octal digits, as in "0644". */
  modeIf(name: string): number | undefined {
    const isMode = (value: unknown) =>
      typeof value === "string" && MODE.test(value) && Number.parseInt(value, 8) <= MODE_MAX;
    const text = this.#take(name, isMode, 'must be octal digits as in "0644"') as string | undefined;
    return text === undefined ? undefined : Number.parseInt(text, 8);
  }

  list(name: string): readonly unknown[] {
    return this.listIf(name) ?? this.#missing(name);
  }

  listIf(name: string): readonly unknown[] | undefined {
    return this.#take(name, Array.isArray, "must be a list") as unknown[] | undefined;
  }

  /** An object in it, whatever its names. */
  objectIf(name: string): Readonly<Record<string, unknown>> | undefined {
    const isObject = (value: unknown) => typeof value === "object" && value !== null && !Array.isArray(value);
    return this.#take(name, isObject, "must be an object") as Record<string, unknown> | undefined;
  }

  fieldsIf(name: string): Fields | undefined {
    const value = this.objectIf(name);
    return value === undefined ? undefined : new Fields(value, `${this.place}.${name}`);
  }

  /** A misspelled name would otherwise be a wish that nobody heard. */
  end(): void {
    const [name] = this.#values.keys();
    if (name !== undefined) throw wrong(`${this.place}.${name}`, "is not known here");
  }

  #take(name: string, isRight: (value: unknown) => boolean, problem: string): unknown {
    const value = this.#values.get(name);
    this.#values.delete(name);
    if (value !== undefined && !isRight(value)) throw wrong(`${this.place}.${name}`, problem);
    return value;
  }

  #missing(name: string): never {
    throw wrong(`${this.place}.${name}`, "is missing");
  }
}

export function wrong(place: string, problem: string): CliError {
  return new CliError(`${place} ${problem}`, EXIT.usage);
}
