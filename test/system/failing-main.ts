/** The server, with a journal whose flushes fail from SIGUSR2 on. */
import { failNext } from "../regress/faults.js";

process.on("SIGUSR2", () => failNext("fdatasync", /\.safefile\/journal\//));
await import("../../services/main.js");
