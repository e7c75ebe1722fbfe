/** The floors of the gRPC edge: bare grpc-js calls that do nothing, in a process of their own. */
import { once } from "node:events";
import * as grpc from "@grpc/grpc-js";
import { widenWindows } from "../../services/api/windows.js";
import { schema } from "../../services/config.js";
import { CHUNK_BYTES, type Contender, chunksOf, contentOf, type Place } from "../contender.js";
import { rawMethod, serve, startServer } from "./serving.js";
import { RECEIVE_BYTES } from "./windows.js";

const ECHO = rawMethod("/bench.Bare/Echo", false, false);
/** The request says how many bytes, then how many of them in a message. */
const DOWNLOAD = rawMethod("/bench.Bare/Download", false, true);
const UPLOAD = rawMethod("/bench.Bare/Upload", true, false);

export async function bare({ cleanup }: Place): Promise<Contender> {
  const port = await startServer(cleanup, import.meta.url);
  const client = new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    "grpc-node.flow_control_window": RECEIVE_BYTES,
  });
  cleanup.defer(() => client.close());
  const echo = (bytes: Buffer): Promise<void> =>
    new Promise((resolve, reject) =>
      client.makeUnaryRequest(ECHO.path, ECHO.requestSerialize, ECHO.responseDeserialize, bytes, (error) =>
        error ? reject(error) : resolve(),
      ),
    );
  const download = async (sizeBytes: number): Promise<void> => {
    const asked = Buffer.alloc(16);
    asked.writeBigUInt64BE(BigInt(sizeBytes), 0);
    const stream = client.makeServerStreamRequest(
      DOWNLOAD.path,
      DOWNLOAD.requestSerialize,
      DOWNLOAD.responseDeserialize,
      asked,
    );
    for await (const _chunk of stream);
  };
  const upload = (sizeBytes: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const stream = client.makeClientStreamRequest(
        UPLOAD.path,
        UPLOAD.requestSerialize,
        UPLOAD.responseDeserialize,
        (error) => (error ? reject(error) : resolve()),
      );
      const send = async (): Promise<void> => {
        for await (const chunk of chunksOf(sizeBytes)) if (!stream.write(chunk)) await once(stream, "drain");
        stream.end();
      };
      send().catch(reject);
    });
  return {
    write: (_path, sizeBytes) => echo(contentOf(sizeBytes)),
    stat: () => echo(contentOf(100)),
    // A header, the content and a trailer, as a file is read.
    read: (_path, sizeBytes) => download(sizeBytes),
    download: (_path, sizeBytes) => download(sizeBytes),
    upload: (_path, sizeBytes) => upload(sizeBytes),
    prepare: async () => undefined,
  };
}

if (process.argv[2] === "serve") {
  widenWindows(schema.parse({}).receiveWindowBytes);
  const edge = contentOf(100);
  const handlers: grpc.UntypedServiceImplementation = {
    echo: (call: grpc.ServerUnaryCall<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => reply(null, call.request),
    download: async (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
      const sizeBytes = Number(call.request.readBigUInt64BE(0));
      call.write(edge);
      for await (const chunk of chunksOf(sizeBytes)) if (!call.write(chunk)) await once(call, "drain");
      call.write(edge);
      call.end();
    },
    upload: async (call: grpc.ServerReadableStream<Buffer, Buffer>, reply: grpc.sendUnaryData<Buffer>) => {
      for await (const _chunk of call);
      reply(null, edge);
    },
  };
  await serve({ echo: ECHO, download: DOWNLOAD, upload: UPLOAD }, handlers, {
    "grpc.max_receive_message_length": 2 * CHUNK_BYTES,
  });
}
