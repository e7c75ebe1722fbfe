import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type FileOpsService,
  type WatchFilesRequest,
  WatchFilesResponseSchema,
} from "../gen/safefile/v1/file_ops_service_pb.js";
import { canonicalDirectory } from "../validate/path.js";
import { fromResumeToken, toResumeToken } from "../watch/token.js";
import type { WatchEvent } from "../watch/watcher.js";
import type { Watches } from "../watch/watches.js";
import type { CallContext, Handlers } from "./call.js";
import { checkVolume, refuse, toRevision } from "./wire.js";

/** WatchFiles: fields checked, events turned into messages. */
export class Watching {
  constructor(
    private readonly volumeName: string,
    private readonly watches: Watches,
  ) {}

  readonly handlers: Handlers<typeof FileOpsService> = {
    watchFiles: (request, context) => this.watchFiles(request, context),
  };

  private async *watchFiles(request: WatchFilesRequest, { signal }: CallContext) {
    checkVolume(request.volume, this.volumeName);
    const path = canonicalDirectory(request.path);
    const from = request.resumeToken === "" ? undefined : fromResumeToken(request.resumeToken);
    if (request.resumeToken !== "" && !from) refuse("resume_token", "is not one that a watch gave");
    for await (const event of this.watches.watch({ path, recursive: request.recursive }, from, signal))
      yield this.messageOf(event);
  }

  private messageOf(event: WatchEvent) {
    const resumeToken = toResumeToken(event.position);
    if (event.kind !== "change")
      return create(WatchFilesResponseSchema, { resumeToken, event: { case: event.kind, value: {} } });
    const value = { revision: toRevision(this.volumeName, event.revision), eventTime: timestampFromMs(Date.now()) };
    return create(WatchFilesResponseSchema, { resumeToken, event: { case: "change", value } });
  }
}
