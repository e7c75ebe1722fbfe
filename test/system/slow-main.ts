/** The server on a slow disk: a change is mostly between its journal record and the end of its flush. */
import fs from "node:fs";

const FLUSH_MS = 200;
const real = fs.fdatasync;
const slow = (fd: number, done: fs.NoParamCallback): void => {
  real(fd, (error) => setTimeout(() => done(error), FLUSH_MS));
};
Object.assign(fs, { fdatasync: slow });
await import("../../services/main.js");
