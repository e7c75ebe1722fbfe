import { ulid } from "ulid";
import { z } from "zod";
import { type IncarnationId, type OperationId, operationId, repairId } from "../model/operation.js";
import type { Host, ProcessIdentity } from "../volume/process.js";
import { type Volume, went } from "../volume/volume.js";
import { closedName, incarnationName, namesIn, stagingOf } from "./names.js";

const Identity = z.object({
  host: z.string(),
  bootId: z.string(),
  pidNamespace: z.string(),
  pid: z.number(),
  startTicks: z.string(),
});

/** This run of this process: gives out operation ids, and shows on the volume that it lives. */
export class Incarnation {
  private sequence = 0;
  private constructor(
    private readonly volume: Volume,
    readonly id: IncarnationId,
    readonly host: Host,
  ) {}

  static async begin(volume: Volume, host: Host): Promise<Incarnation> {
    const incarnation = new Incarnation(volume, ulid() as IncarnationId, host);
    await volume.makeDirectory(volume.control(stagingOf(incarnation.id)));
    const name = volume.control(incarnationName(incarnation.id));
    await volume.createWith(name, JSON.stringify(host.identity), true);
    await volume.syncDirectory(volume.control("incarnations"));
    return incarnation;
  }

  nextOperation(): OperationId {
    this.sequence += 1;
    return operationId(this.id, this.sequence);
  }

  nextRepair(): OperationId {
    this.sequence += 1;
    return repairId(this.id, this.sequence);
  }

  /** Shows a sign of life on the volume; false when this incarnation was declared dead and must leave. */
  async beat(): Promise<boolean> {
    const alive = await went(this.volume.touch(this.volume.control(incarnationName(this.id))), ["ENOENT"]);
    return alive && (await this.volume.stat(this.volume.control(stagingOf(this.id)))) !== undefined;
  }
}

/** Whether no incarnation other than `own` may be alive: all that ever were have ended. */
export async function isAlone(volume: Volume, own: string): Promise<boolean> {
  return (await namesIn(volume, "incarnations")).every((incarnation) => incarnation === own);
}

/** Who runs, or ran, as `incarnation`; undefined when its file is gone or cannot be read. */
export async function identityOf(volume: Volume, incarnation: IncarnationId): Promise<ProcessIdentity | undefined> {
  const text =
    (await volume.readSmall(volume.control(incarnationName(incarnation)))) ??
    (await volume.readSmall(volume.control(closedName(incarnation))));
  if (!text) return undefined;
  try {
    return Identity.parse(JSON.parse(text));
  } catch {
    return undefined; // torn by a power cut: only silence can tell then
  }
}
