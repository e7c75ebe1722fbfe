import type { EventEmitter } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import type { DescMethod } from "@bufbuild/protobuf";
import * as grpc from "@grpc/grpc-js";
import { SERVICES } from "../../services/api/server.js";
import { alteredMessages, restated, statusOf } from "./altered.js";
import { type Fault, faultSchema } from "./fault.js";
import { Relay } from "./relay.js";
import { chunkOffsetOf, requestIdOf } from "./request.js";

const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

/** One call as it came from the client. */
export interface Seen {
  readonly method: string;
  readonly startMs: number;
  /** When it was answered or broken. */
  endMs: number | undefined;
  requestId: string | undefined;
  readonly traceparent: string | undefined;
  /** Of an upload: where its first piece lies. */
  firstOffset: number | undefined;
  /** Of its messages. */
  bytes: number;
  messages: number;
}

type Raw = grpc.ServerDuplexStream<Buffer, Buffer>;
const same = (bytes: Buffer) => bytes;

/** Stands before a replica, for one run of one case: notes every call, and misbehaves as it is told. */
export class FaultyProxy {
  readonly seen: Seen[] = [];
  readonly #server: grpc.Server;
  readonly #upstream: grpc.Client;
  readonly #relay: Relay;
  #faults: Array<{ fault: Fault; skip: number; left: number }> = [];
  #port = 0;

  constructor(address: string) {
    const options = {
      "grpc.max_receive_message_length": MESSAGE_BYTES_MAX,
      "grpc.max_send_message_length": MESSAGE_BYTES_MAX,
      "grpc.enable_retries": 0,
    };
    this.#server = new grpc.Server(options);
    this.#upstream = new grpc.Client(address, grpc.credentials.createInsecure(), options);
    this.#relay = new Relay(() => this.#port);
    // On the wire one message is a stream of one: so all RPCs pass as streams of bytes.
    for (const method of SERVICES.flatMap((service) => service.methods)) {
      const path = `/${method.parent.typeName}/${method.name}`;
      const kind = { requestStream: true, responseStream: true } as const;
      const serialize = {
        requestSerialize: same,
        requestDeserialize: same,
        responseSerialize: same,
        responseDeserialize: same,
      };
      this.#server.addService(
        { call: { path, ...kind, ...serialize } },
        {
          call: (call: Raw) => void this.#serve(method, path, call),
        },
      );
    }
  }

  async start(): Promise<void> {
    this.#port = await new Promise<number>((resolve, reject) =>
      this.#server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
    await this.#relay.start();
  }

  get address(): string {
    return `127.0.0.1:${this.#relay.port}`;
  }

  misbehave(fault: Fault): void {
    faultSchema.parse(fault);
    this.#faults.push({ fault, skip: fault.skip, left: fault.times });
  }

  behave(): void {
    this.#faults = [];
  }

  breakConnections(): void {
    this.#relay.breakAll();
  }

  /** Nobody answers here any more. */
  leave(): Promise<void> {
    return this.#relay.stop();
  }

  async stop(): Promise<void> {
    await this.#relay.stop();
    this.#server.forceShutdown();
    this.#upstream.close();
  }

  /** All that apply to this call, as one: those that came first count. */
  #faultOf(method: DescMethod): Fault | undefined {
    const met = this.#faults.filter((one) => {
      if (one.fault.on !== method.name || one.left <= 0) return false;
      if (one.skip > 0) {
        one.skip--;
        return false;
      }
      one.left--;
      return true;
    });
    if (met.length === 0) return undefined;
    return Object.assign({}, ...met.map(({ fault }) => fault).reverse()) as Fault;
  }

  async #serve(method: DescMethod, path: string, call: Raw): Promise<void> {
    const [traceparent] = call.metadata.get("traceparent");
    const seen: Seen = {
      method: method.name,
      startMs: performance.now(),
      endMs: undefined,
      requestId: undefined,
      traceparent: traceparent?.toString(),
      firstOffset: undefined,
      bytes: 0,
      messages: 0,
    };
    this.seen.push(seen);
    call.on("error", () => undefined);
    try {
      const status = await this.#pass(method, path, call, seen);
      seen.endMs = performance.now();
      if (status.code === grpc.status.OK) call.end(status.metadata);
      else call.emit("error", status);
    } catch (error) {
      seen.endMs = performance.now();
      call.emit("error", { code: grpc.status.INTERNAL, details: `the proxy failed: ${error}` });
    }
  }

  /** Returns how the call ends. */
  async #pass(method: DescMethod, path: string, call: Raw, seen: Seen): Promise<grpc.StatusObject> {
    const fault = this.#faultOf(method);
    if (fault?.delayMs !== undefined) await sleep(fault.delayMs);
    if (fault?.refuse !== undefined) {
      // Its first message says which request it is.
      this.#note(method, await new Promise<Buffer>((resolve) => call.once("data", resolve)), seen);
      return statusOf(fault.refuse);
    }
    const metadata = call.metadata.clone();
    const up = this.#upstream.makeBidiStreamRequest<Buffer, Buffer>(path, same, same, metadata, {
      deadline: call.getDeadline(),
    });
    up.on("error", () => undefined);
    const ended = new Promise<grpc.StatusObject>((resolve) => up.once("status", resolve));
    call.on("cancelled", () => up.cancel());
    const breaks = { leftBytes: fault?.breakAfterBytes ?? Number.POSITIVE_INFINITY };
    const asking = this.#ask(method, call, up, seen, breaks);
    const answering = this.#answer(method, call, up, fault, breaks);
    const status = await ended;
    await answering;
    asking.catch(() => undefined);
    if (fault?.breakInsteadOfAnswer) this.breakConnections();
    if (fault?.lose !== undefined) return statusOf(fault.lose);
    return fault?.restate !== undefined && status.code !== grpc.status.OK ? restated(status, fault.restate) : status;
  }

  async #ask(
    method: DescMethod,
    call: Raw,
    up: grpc.ClientDuplexStream<Buffer, Buffer>,
    seen: Seen,
    breaks: { leftBytes: number },
  ): Promise<void> {
    for await (const message of call as AsyncIterable<Buffer>) {
      this.#note(method, message, seen);
      this.#count(message, breaks);
      if (!up.write(message)) await either(up, "drain", "status");
    }
    up.end();
  }

  async #answer(
    method: DescMethod,
    call: Raw,
    up: grpc.ClientDuplexStream<Buffer, Buffer>,
    fault: Fault | undefined,
    breaks: { leftBytes: number },
  ): Promise<void> {
    const isLost = fault?.lose !== undefined || fault?.breakInsteadOfAnswer === true;
    try {
      for await (const message of up as AsyncIterable<Buffer>) {
        this.#count(message, breaks);
        if (isLost) continue;
        for (const altered of fault === undefined ? [message] : alteredMessages(method.output, message, fault))
          if (!call.write(altered) && !call.cancelled) await either(call, "drain", "cancelled");
      }
    } catch {
      // How it ended is in its status.
    }
  }

  #note(method: DescMethod, message: Buffer, seen: Seen): void {
    seen.bytes += message.length;
    seen.messages++;
    if (seen.messages === 1) seen.requestId = requestIdOf(method, message);
    if (seen.messages === 2) seen.firstOffset = chunkOffsetOf(method, message);
  }

  #count(message: Buffer, breaks: { leftBytes: number }): void {
    if (breaks.leftBytes === Number.NEGATIVE_INFINITY) return;
    breaks.leftBytes -= message.length;
    if (breaks.leftBytes >= 0) return;
    breaks.leftBytes = Number.NEGATIVE_INFINITY;
    this.breakConnections();
  }
}

/** Errors are told by the status. */
function either(emitter: EventEmitter, ...events: readonly string[]): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      for (const event of events) emitter.off(event, end);
      resolve();
    };
    for (const event of events) emitter.on(event, end);
  });
}
