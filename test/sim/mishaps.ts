import { FileInode } from "./inode.js";
import { PATHS } from "./paths.js";
import type { World } from "./world.js";

/** What may happen to a world. Each has to happen in a run of many seeds, or the run proves little. */
export const HAPPENINGS = [
  "kill",
  "kill during start",
  "pause",
  "power cut",
  "power cut during replay",
  "Redis flushed",
  "Redis out of reach",
  "answer of Redis lost",
  "leases lost early",
  "volume full",
  "read failed",
  "flush failed",
  "reply lost",
  "outside write",
  "outside delete",
  "time jumped",
] as const;
export type Happening = (typeof HAPPENINGS)[number];

/** After so many steps nothing new goes wrong, so that a run comes to an end. */
const MISHAP_STEPS_MAX = 1000;
const CUTS_MAX = 3;

/** Chances of one kind of happening, for each step or call. Which kinds a seed has is drawn from it. */
interface Chances {
  readonly kill: number;
  readonly pause: number;
  readonly cut: number;
  readonly flush: number;
  readonly unreachable: number;
  readonly lostAnswer: number;
  readonly leases: number;
  readonly full: number;
  readonly read: number;
  readonly sync: number;
  readonly reply: number;
  readonly outside: number;
  readonly jump: number;
}

/** What goes wrong in a world, drawn from its seed. */
export class Mishaps {
  private readonly chances: Chances;

  constructor(private readonly world: World) {
    const some = (most: number): number => (world.chance(0.45) ? world.random() * most : 0);
    this.chances = {
      kill: some(0.006),
      pause: some(0.01),
      cut: world.chance(0.6) ? world.random() * 0.005 : 0,
      flush: some(0.003),
      unreachable: some(0.002),
      lostAnswer: some(0.03),
      leases: some(0.01),
      full: some(0.003),
      read: world.chance(0.2) ? world.random() * 0.01 : 0,
      sync: world.chance(0.3) ? world.random() * 0.02 : 0,
      reply: world.kind === "network" ? some(0.05) : 0,
      outside: some(0.01),
      jump: some(0.01),
    };
  }

  private get isStormy(): boolean {
    return !this.world.isCalm && this.world.scheduler.steps < MISHAP_STEPS_MAX;
  }

  /** Draws whether a mishap of this kind comes now; `share` makes it rarer. */
  strikes(kind: keyof Chances, what: Happening, share = 1): boolean {
    const chance = this.chances[kind] * share;
    if (!this.isStormy || chance === 0 || !this.world.chance(chance)) return false;
    this.world.happen(what);
    return true;
  }

  /** Lets what is to go wrong at this step go wrong. */
  disturb(): void {
    if (!this.isStormy) return;
    const { chances } = this;
    if (this.world.chance(chances.kill)) {
      const victim = this.world.alive.length > 0 ? this.world.pick(this.world.alive) : undefined;
      if (victim) {
        this.world.happen("kill");
        if (!victim.isServing) this.world.happen("kill during start");
        this.world.kill(victim);
      }
    }
    if (this.world.chance(chances.pause)) this.pause();
    if (this.world.boots <= CUTS_MAX && this.world.chance(chances.cut)) this.cut();
    if (this.strikes("flush", "Redis flushed")) this.world.redis.flush();
    if (this.strikes("leases", "leases lost early")) this.world.redis.loseLeases();
    if (!this.world.isRedisAway && this.strikes("unreachable", "Redis out of reach")) {
      this.world.isRedisAway = true;
      this.world.later(this.world.random() * 3000, () => {
        this.world.isRedisAway = false;
      });
    }
    if (!this.world.disk.isFull && this.strikes("full", "volume full")) {
      const { disk } = this.world;
      disk.isFull = true;
      this.world.later(this.world.random() * 2000, () => {
        disk.isFull = false;
      });
    }
    if (this.world.chance(chances.outside)) this.meddleFromOutside();
    if (this.strikes("jump", "time jumped")) this.world.scheduler.jump();
  }

  private pause(): void {
    const running = this.world.alive.filter(({ ground }) => ground.actor.state === "running");
    if (running.length === 0) return;
    const { actor } = this.world.pick(running).ground;
    this.world.happen("pause");
    actor.state = "paused";
    this.world.later(this.world.chance(0.5) ? this.world.random() * 300 : this.world.random() * 10_000, () => {
      if (actor.state === "paused") actor.state = "running";
    });
  }

  /** All machines lose power; they start again a little later. */
  cut(): void {
    this.world.happen("power cut");
    if (
      this.world.kind === "local" &&
      this.world.alive.some(({ isServing, engine }) => !isServing && engine) &&
      this.world.boots > 1
    )
      this.world.happen("power cut during replay");
    for (const replica of this.world.alive) this.world.kill(replica);
    this.world.boots += 1;
    const after = this.world.disk.powerCut(this.world.random, this.world.kind === "network");
    this.world.disk = after;
    this.world.ledger.cut();
    this.world.watch();
    // What somebody outside wrote and did not sync may be in pieces; what the service published is never excused.
    for (const path of PATHS) {
      if (!this.world.ledger.touched.has(path)) continue;
      const content = this.world.live(path);
      if (content === undefined || !this.world.ledger.isWhole(path, content))
        this.world.ledger.fromOutside(path, content);
    }
    if (this.world.chance(0.3)) this.world.redis.flush();
    if (this.world.isCalm) return;
    for (const slot of this.world.slots.keys())
      this.world.later(1 + this.world.random() * 500, () => this.restart(slot));
  }

  private restart(slot: number): void {
    if (!this.world.isCalm && !this.world.slots[slot]?.isAlive) this.world.start(slot);
  }

  private meddleFromOutside(): void {
    const path = this.world.pick(PATHS);
    const parts = path.split("/");
    const name = parts.pop() as string;
    try {
      const directory = this.world.disk.walk(this.world.disk.root, parts);
      const found = directory.entries.get(name);
      if (found && this.world.chance(0.25)) {
        this.world.happen("outside delete");
        this.world.ledger.fromOutside(path, undefined);
        this.world.disk.unlink({ directory, name });
        return;
      }
      this.world.happen("outside write");
      const content = `outside ${this.world.scheduler.steps} ${"o".repeat(Math.floor(this.world.random() * 600))}`;
      this.world.ledger.fromOutside(path, content);
      if (found instanceof FileInode && this.world.chance(0.3)) {
        found.resize(0);
        found.write(Buffer.from(content), 0);
        found.mtimeNs = this.world.disk.nowNs();
        found.ctimeNs = found.mtimeNs;
        return;
      }
      const draft = { directory: this.world.disk.root, name: "draft" };
      this.world.disk.createFile(draft, 0o644).write(Buffer.from(content), 0);
      this.world.disk.rename(draft, { directory, name });
    } catch (error) {
      // The directory is not there, or the disk is full: outsiders meet that, too.
      if (!(error instanceof Error && "code" in error)) throw error;
    }
  }
}
