// Puts the parts of the example programs side by side into clients/README.md, between its two markers.
//
//   node scripts/clients-readme.mjs            writes
//   node scripts/clients-readme.mjs --check    fails when the text is not what the programs are
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";

const root = path.resolve(import.meta.dirname, "..");
const README = path.join(root, "clients/README.md");
const EXAMPLES = {
  TypeScript: ["typescript/example/main.ts", "ts"],
  Go: ["go/example/main.go", "go"],
  Python: ["python/example/example.py", "python"],
  Java: ["java/src/test/java/dev/safefile/example/Example.java", "java"],
  Rust: ["rust/examples/tour.rs", "rust"],
};
const PARTS = {
  write: "Write, only if nothing is there",
  conflict: "Read, decide, and write only if nobody was faster",
  transaction: "All or none",
  watch: "See changes as they are committed",
  upload: "Upload, break off, go on",
  restore: "Go back, and see how far it is",
};
const BEGIN = "<!-- examples: made by scripts/clients-readme.mjs -->";
const END = "<!-- end of examples -->";

/** The lines between one marker and the next, without their common indent. */
function partOf(file, part) {
  const lines = readFileSync(path.join(root, "clients", file), "utf8").split("\n");
  const marker = (name) => new RegExp(`^\\s*(//|#)\\s*\\[${name}\\]\\s*$`);
  const begin = lines.findIndex((line) => marker(part).test(line));
  const length = lines.slice(begin + 1).findIndex((line) => marker("[a-z]+").test(line));
  if (begin < 0 || length < 0) throw new Error(`${file} has no part [${part}] with an end`);
  const found = lines.slice(begin + 1, begin + 1 + length);
  const indents = found.filter((line) => line.trim() !== "").map((line) => line.length - line.trimStart().length);
  const indent = Math.min(...indents);
  return found
    .map((line) => line.slice(indent))
    .join("\n")
    .trim();
}

function examples() {
  const sections = Object.entries(PARTS).map(([part, title]) => {
    const blocks = Object.entries(EXAMPLES).map(
      ([language, [file, fence]]) =>
        `<details><summary>${language}</summary>\n\n\`\`\`${fence}\n${partOf(file, part)}\n\`\`\`\n\n</details>`,
    );
    return `### ${title}\n\n${blocks.join("\n")}`;
  });
  return sections.join("\n\n");
}

const text = readFileSync(README, "utf8");
const begin = text.indexOf(BEGIN);
const end = text.indexOf(END);
if (begin < 0 || end < begin) throw new Error("clients/README.md has lost its markers");
const made = `${text.slice(0, begin + BEGIN.length)}\n\n${examples()}\n\n${text.slice(end)}`;
if (!process.argv.includes("--check")) writeFileSync(README, made);
else if (made !== text) {
  console.error("clients/README.md does not show the examples as they are. Run `make generate` and commit the result.");
  process.exitCode = 1;
}
