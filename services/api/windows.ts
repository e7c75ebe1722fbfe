import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { ServerHttp2Session, ServerHttp2Stream } from "node:http2";

/** Where Node tells of every stream that a client opened, before anything of its content is read. */
const CREATED = "http2.server.stream.created";
/** What streams of one connection have together on its way to us. Node takes it from the connection at once, so it bounds no memory. */
const STREAMS_AT_ONCE = 4;

/**
 * Lets clients send `streamBytes` of each call before the service has taken any. Without it HTTP/2 has 64 KiB, less than
 * one chunk: then the two ends take turns. grpc-js has this as an option for clients only ("grpc-node.flow_control_window").
 * What nobody takes is held in memory: up to that size for every call under way. Returns what ends it. A Node that does
 * not tell of streams (before 24.2) leaves the windows as they are.
 */
export function widenWindows(streamBytes: number): () => void {
  const wide = new WeakSet<ServerHttp2Session>();
  const widen = (message: unknown): void => {
    const { session } = (message as { readonly stream: ServerHttp2Stream }).stream;
    if (!session || session.destroyed || wide.has(session as ServerHttp2Session)) return;
    wide.add(session as ServerHttp2Session);
    // Holds for the streams that are open, too.
    session.settings({ initialWindowSize: streamBytes });
    if (session.destroyed) return;
    session.setLocalWindowSize(STREAMS_AT_ONCE * streamBytes);
  };
  subscribe(CREATED, widen);
  return () => unsubscribe(CREATED, widen);
}
