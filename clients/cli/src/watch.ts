import { RevisionKind } from "@safefile/client";
import { type CommandContext, volumePath } from "./command-context.js";
import { nameOf, revisionDocument, sizeText, timeText } from "./shown.js";

export interface WatchFlags {
  readonly recursive?: boolean;
  readonly resumeToken?: string;
}

/** `watch [PATH]` */
export async function watch(context: CommandContext, typed: string, flags: WatchFlags): Promise<void> {
  const { client, output, signal } = context;
  const path = volumePath(typed);
  const { recursive = false, resumeToken = "" } = flags;
  try {
    let isFirst = true;
    for await (const { event, resumeToken: seen } of client.watch(path, { recursive, resumeToken, signal })) {
      if (isFirst) output.note(`watching ${path || "."}; Ctrl-C ends it`);
      isFirst = false;
      if (event.case === "change" && event.value.revision) {
        const { revision } = event.value;
        const size = revision.sha256.length > 0 ? ` ${sizeText(Number(revision.sizeBytes))}` : "";
        const line = `${timeText(revision.createTime) ?? ""}  ${nameOf(RevisionKind, revision.kind).padEnd(10)} r${revision.revision} ${revision.path}${size}`;
        await output.item({ event: "change", resumeToken: seen, ...revisionDocument(revision) }, line);
      } else if (event.case === "gap") {
        output.note("changes may have been missed here; list again");
        await output.item({ event: "gap", resumeToken: seen });
      } else if (event.case === "heartbeat") await output.item({ event: "heartbeat", resumeToken: seen });
    }
  } catch (error) {
    // Ctrl-C is how a watch ends.
    if (!signal.aborted) throw error;
  }
}
