import { type DescFile, type DescService, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { HealthImplementation } from "grpc-health-check";
import { DrainingError } from "../errors/index.js";
import { AdminService } from "../gen/safefile/v1/admin_service_pb.js";
import { FileOpsService } from "../gen/safefile/v1/file_ops_service_pb.js";
import { LockService } from "../gen/safefile/v1/lock_service_pb.js";
import { RecoveryService } from "../gen/safefile/v1/recovery_service_pb.js";
import type { Calls, Handlers } from "./call.js";
import { definitionOf } from "./definition.js";
import { widenWindows } from "./windows.js";

export const SERVICES: readonly DescService[] = [FileOpsService, RecoveryService, LockService, AdminService];

export interface ServerLimits {
  readonly messageBytesMax: number;
  readonly streamsMax: number;
  readonly receiveWindowBytes: number;
}

/** Given to the last answers to leave. */
const CUT_MS = 50;
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 10_000;
/** Memory that one HTTP/2 session may hold beside what calls have not taken (receiveWindowBytes). */
const SESSION_MEGABYTES_MAX = 64;

export type FileOpsHandlers = Handlers<typeof FileOpsService>;

/** What each service answers with; an RPC that has no handler answers UNIMPLEMENTED. */
export interface Services {
  readonly fileOps: FileOpsHandlers;
  readonly recovery: Handlers<typeof RecoveryService>;
  readonly locks: Handlers<typeof LockService>;
  readonly admin: Handlers<typeof AdminService>;
}

/** The gRPC server: the services, health and reflection. */
export class Server {
  private readonly server: grpc.Server;
  private readonly narrowWindows: () => void;
  private readonly health = new HealthImplementation(
    Object.fromEntries(["", ...SERVICES.map((service) => service.typeName)].map((name) => [name, "NOT_SERVING"])),
  );

  constructor(
    readonly calls: Calls,
    services: Services,
    limits: ServerLimits,
  ) {
    this.narrowWindows = widenWindows(limits.receiveWindowBytes);
    this.server = new grpc.Server({
      "grpc.max_receive_message_length": limits.messageBytesMax,
      "grpc.max_send_message_length": limits.messageBytesMax,
      "grpc.max_concurrent_streams": limits.streamsMax,
      "grpc.keepalive_time_ms": KEEPALIVE_MS,
      "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
      "grpc-node.max_session_memory": SESSION_MEGABYTES_MAX,
      // Counts every call and message for a service that we do not offer.
      "grpc.enable_channelz": 0,
    });
    this.server.addService(definitionOf(FileOpsService), calls.implement(FileOpsService, services.fileOps));
    this.server.addService(definitionOf(RecoveryService), calls.implement(RecoveryService, services.recovery));
    this.server.addService(definitionOf(LockService), calls.implement(LockService, services.locks));
    this.server.addService(definitionOf(AdminService), calls.implement(AdminService, services.admin));
    this.health.addToServer(this.server);
    reflection().addToServer(this.server);
  }

  /** Starts to listen on `address`; returns the port. */
  listen(address: string): Promise<number> {
    return new Promise((resolve, reject) =>
      this.server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      ),
    );
  }

  setServing(serving: boolean): void {
    const status = serving ? "SERVING" : "NOT_SERVING";
    for (const name of ["", ...SERVICES.map((service) => service.typeName)]) this.health.setStatus(name, status);
  }

  /** Takes no new calls, waits up to `ms` for those under way, then answers and ends them. */
  async close(ms: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.server.tryShutdown(() => resolve()));
    const cut = (): void => {
      this.calls.answerAll(new DrainingError());
      // One turn of the event loop, so that the answers leave.
      setTimeout(() => this.server.forceShutdown(), CUT_MS);
    };
    const timer = setTimeout(cut, ms);
    await closed;
    clearTimeout(timer);
    this.narrowWindows();
  }

  /** Ends all connections at once, so that nothing more can be acknowledged (I10). */
  cut(): void {
    this.narrowWindows();
    this.server.forceShutdown();
  }
}

/** Reflection over our own descriptors; the health service describes itself. */
function reflection(): ReflectionService {
  const files = new Map<string, Uint8Array>();
  const add = (file: DescFile): void => {
    if (files.has(file.name)) return;
    files.set(file.name, toBinary(FileDescriptorProtoSchema, file.proto));
    for (const dependency of file.dependencies) add(dependency);
  };
  for (const service of SERVICES) add(service.file);
  const fileDescriptorProtos = [...files.values()].map((bytes) => Buffer.from(bytes));
  return new ReflectionService({ safefile: { fileDescriptorProtos } as never });
}
