import type { Case } from "./case.js";

/** Language by case, for people. */
export class Table {
  readonly #columns = new Map<string, Map<string, boolean> | string>();

  constructor(private readonly cases: readonly Case[]) {}

  set(language: string, name: string, passed: boolean): void {
    const column = this.#columns.get(language) ?? new Map<string, boolean>();
    if (typeof column === "string") return;
    this.#columns.set(language, column.set(name, passed));
  }

  skip(language: string, why: string): void {
    this.#columns.set(language, why);
  }

  text(): string {
    const languages = [...this.#columns.keys()];
    const width = Math.max(4, ...this.cases.map(({ name }) => name.length));
    const cell = (language: string, name: string) => {
      const column = this.#columns.get(language);
      if (typeof column === "string") return "-";
      const passed = column?.get(name);
      return passed === undefined ? "" : passed ? "ok" : "FAILED";
    };
    const line = (first: string, cells: readonly string[]) =>
      `${[first.padEnd(width), ...cells.map((text, place) => text.padEnd(Math.max(6, languages[place]!.length)))].join("  ").trimEnd()}\n`;
    const counts = languages.map((language) => {
      const column = this.#columns.get(language);
      return typeof column === "string" ? "-" : `${[...(column?.values() ?? [])].filter(Boolean).length}`;
    });
    return [
      "\n",
      line("case", languages),
      ...this.cases.map(({ name }) =>
        line(
          name,
          languages.map((language) => cell(language, name)),
        ),
      ),
      line(`passed of ${this.cases.length}`, counts),
      "\n",
    ].join("");
  }
}
