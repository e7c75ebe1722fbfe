// Prints each branch that a coverage report (json) says nobody took, with the line that it begins on.
import { readFileSync } from "node:fs";
import path from "node:path";

for (const [file, { branchMap, b }] of Object.entries(JSON.parse(readFileSync(process.argv[2], "utf8")))) {
  const lines = readFileSync(file, "utf8").split("\n");
  for (const [number, { loc }] of Object.entries(branchMap)) {
    if (b[number].every((count) => count > 0)) continue;
    const { line, column } = loc.start;
    const text = (lines[line - 1] ?? "").slice(Math.max(0, column)).trim();
    process.stdout.write(`${path.relative(process.cwd(), file)}:${line}  ${text.slice(0, 100)}\n`);
  }
}
