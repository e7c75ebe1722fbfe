import type { Http2Server, ServerHttp2Session, ServerOptions } from "node:http2";
import type { Server } from "@grpc/grpc-js";

export interface Windows {
  /** Bytes that may come on one stream before they are read. */
  readonly streamWindowBytes: number;
  /** The same for all streams of one connection: more than one stream's, or one that waits would hold up the others. */
  readonly connectionWindowBytes: number;
}

/** What grpc-js 1.14.7 has and does not say. */
interface Inside {
  readonly commonServerOptions: ServerOptions;
  readonly http2Servers: ReadonlyMap<Http2Server, unknown>;
}

/**
 * Lets more bytes be under way to us than the 64 KiB that HTTP/2 begins with, which cost an upload three quarters of its
 * speed. Only clients of grpc-js have a setting for it, so this reaches into the server; its version is pinned, and
 * `test/system/windows.test.ts` notices when another one is built differently. To be called before `bindAsync`.
 */
export function widenStreams(server: Server, { streamWindowBytes }: Windows): void {
  const { commonServerOptions } = server as unknown as Inside;
  commonServerOptions.settings = { ...commonServerOptions.settings, initialWindowSize: streamWindowBytes };
}

/** To be called when the server is bound. */
export function widenConnections(server: Server, { connectionWindowBytes }: Windows): void {
  const { http2Servers } = server as unknown as Inside;
  for (const http2Server of http2Servers.keys())
    http2Server.on("session", (session: ServerHttp2Session) => session.setLocalWindowSize(connectionWindowBytes));
}
