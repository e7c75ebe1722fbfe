import { connect, createServer, type Server, type Socket } from "node:net";

/** Passes bytes on to a server, and can break every connection: what a switch does that is pulled. */
export class Relay {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #port = 0;

  constructor(private readonly target: () => number) {
    this.#server = createServer((client) => {
      const upstream = connect(this.target(), "127.0.0.1");
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        this.#sockets.add(socket);
        socket.setNoDelay();
        socket.on("error", () => other.destroy());
        socket.on("close", () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
      }
      client.pipe(upstream);
      upstream.pipe(client);
    });
  }

  /** Listens, on the port that it had before if it had one. */
  async start(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#port, "127.0.0.1", resolve);
    });
    const found = this.#server.address();
    this.#port = typeof found === "object" && found !== null ? found.port : 0;
    return this.#port;
  }

  get port(): number {
    return this.#port;
  }

  /** Resets every connection; new ones are taken. */
  breakAll(): void {
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** Takes no more connections and resets those there are. */
  async stop(): Promise<void> {
    const closed = this.#server.listening
      ? new Promise<void>((resolve) => this.#server.close(() => resolve()))
      : undefined;
    this.breakAll();
    await closed;
  }
}
