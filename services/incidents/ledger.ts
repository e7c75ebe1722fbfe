import { ulid } from "ulid";
import { type Volume, went } from "../volume/volume.js";
import { Incident } from "./incident.js";

/** An incident, and when its files came to be by the volume's own clock, which all replicas share. */
export interface Entry {
  readonly incident: Incident;
  readonly recordedMs: number;
  /** When it became known that it is over, if that was later. */
  readonly resolvedMs: number | undefined;
}

const DIRECTORY = "incidents";
const ID = /^[0-9A-HJKMNP-TV-Z]{26}$/;
const RESOLVED = ".resolved";
const DRAFT = "draft.";
/** A draft that is older than this was left by a replica that died. */
const DRAFT_MS_MAX = 3_600_000;
/** Of `incidentsMax`, what stays when the oldest are removed: so that not every new one removes one. */
export const KEPT_PART = 0.9;

interface Leaf {
  readonly text: string;
  readonly changedMs: number;
}

/**
 * The incidents of the volume, of all its replicas: one file each, below `.safefile/incidents/`, complete before it has
 * its name and never written again. What ends later gets a second file that says so.
 */
export class Ledger {
  /** Files never change under their names, so each is read once. */
  private readonly read = new Map<string, Leaf | undefined>();
  private reading: Promise<readonly Entry[]> | undefined;
  private made = false;

  constructor(
    private readonly volume: Volume,
    readonly incidentsMax: number,
  ) {}

  /** Records `incident`, durably. False when there is one of that id already. */
  async add(incident: Incident): Promise<boolean> {
    return await this.create(incident.id, JSON.stringify(incident));
  }

  /** Says that an incident is over. False when that was said before. */
  async resolve(id: string, resolveTimeMs: number): Promise<boolean> {
    return await this.create(`${id}${RESOLVED}`, JSON.stringify({ resolveTimeMs }));
  }

  /** All incidents, newest first. */
  all(): Promise<readonly Entry[]> {
    this.reading ??= this.readAll().finally(() => {
      this.reading = undefined;
    });
    return this.reading;
  }

  private name(leaf: string) {
    return this.volume.control(`${DIRECTORY}/${leaf}`);
  }

  private async create(leaf: string, text: string): Promise<boolean> {
    if (!this.made) {
      await went(this.volume.makeDirectory(this.volume.control(DIRECTORY)), ["EEXIST"]);
      await this.volume.syncDirectory(this.volume.control("."));
      this.made = true;
    }
    const draft = this.name(`${DRAFT}${ulid()}`);
    try {
      await this.volume.createWith(draft, text, true);
      if (!(await went(this.volume.link(draft, this.name(leaf)), ["EEXIST"]))) return false;
    } finally {
      await went(this.volume.unlink(draft), ["ENOENT"]);
    }
    await this.volume.syncDirectory(this.volume.control(DIRECTORY));
    await this.prune();
    return true;
  }

  private async readAll(): Promise<readonly Entry[]> {
    const names = new Set(await this.volume.list(this.volume.control(DIRECTORY)));
    for (const known of this.read.keys()) if (!names.has(known)) this.read.delete(known);
    const entries: Entry[] = [];
    for (const name of names) {
      if (!ID.test(name)) continue;
      const entry = await this.entryOf(name, names.has(`${name}${RESOLVED}`));
      if (entry) entries.push(entry);
    }
    return entries.sort((left, right) => order(right).localeCompare(order(left)));
  }

  /** Undefined for one that was removed meanwhile, or cannot be read: what is damaged must not hide the others. */
  private async entryOf(id: string, isResolved: boolean): Promise<Entry | undefined> {
    const leaf = await this.leaf(id);
    const resolved = isResolved ? await this.leaf(`${id}${RESOLVED}`) : undefined;
    if (!leaf) return undefined;
    try {
      const incident = Incident.parse(JSON.parse(leaf.text));
      if (incident.id !== id) return undefined;
      const recordedMs = leaf.changedMs;
      if (!resolved) return { incident, recordedMs, resolvedMs: undefined };
      const { resolveTimeMs } = JSON.parse(resolved.text) as { resolveTimeMs: number };
      return { incident: { ...incident, resolveTimeMs }, recordedMs, resolvedMs: resolved.changedMs };
    } catch {
      return undefined;
    }
  }

  private async leaf(name: string): Promise<Leaf | undefined> {
    if (this.read.has(name)) return this.read.get(name);
    const text = await this.volume.readSmall(this.name(name));
    const stats = await this.volume.stat(this.name(name));
    const leaf = text === undefined || !stats ? undefined : { text, changedMs: Number(stats.ctimeNs / 1_000_000n) };
    this.read.set(name, leaf);
    return leaf;
  }

  /** Removes the oldest when there are too many, and what dead replicas left half-way. */
  private async prune(): Promise<void> {
    const names = (await this.volume.list(this.volume.control(DIRECTORY))) ?? [];
    for (const name of names) {
      if (!name.startsWith(DRAFT)) continue;
      const stats = await this.volume.stat(this.name(name));
      if (stats && Date.now() - Number(stats.ctimeNs / 1_000_000n) > DRAFT_MS_MAX)
        await went(this.volume.unlink(this.name(name)), ["ENOENT"]);
    }
    if (names.filter((name) => ID.test(name)).length <= this.incidentsMax) return;
    const entries = await this.readAll();
    for (const { incident } of entries.slice(Math.floor(this.incidentsMax * KEPT_PART))) {
      await went(this.volume.unlink(this.name(`${incident.id}${RESOLVED}`)), ["ENOENT"]);
      await went(this.volume.unlink(this.name(incident.id)), ["ENOENT"]);
    }
  }
}

/** By time, then by id: of equal length, so that they compare as text. */
export const order = ({ incident }: Pick<Entry, "incident">): string =>
  `${String(Math.max(0, incident.createTimeMs)).padStart(16, "0")}.${incident.id}`;
