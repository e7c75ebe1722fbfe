import type { Start } from "../contender.js";
import { bare } from "./bare.js";
import { dd } from "./dd.js";
import { engine } from "./engine.js";
import { handLoop } from "./hand-loop.js";
import { minio } from "./minio.js";
import { naive } from "./naive.js";
import { oneByOne, safefile, startSafefile, stream } from "./safefile.js";
import { writeFileAtomic } from "./write-file-atomic.js";

export const CONTENDERS = {
  "hand loop": handLoop,
  engine,
  Safefile: safefile(1),
  "Safefile, WriteFiles": async (place) => stream(await startSafefile(place, 1), place),
  "Safefile, 2 replicas": safefile(2),
  "Safefile, one by one": oneByOne,
  "naive pipeline": naive,
  "write-file-atomic": writeFileAtomic,
  MinIO: minio,
  "dd conv=fsync": dd,
  "bare grpc-js": bare,
} as const satisfies Record<string, Start>;

export type ContenderName = keyof typeof CONTENDERS;
