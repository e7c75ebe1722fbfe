import assert from "node:assert/strict";
import type { DescMethod, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { RevisionKind } from "../../services/gen/safefile/v1/common_pb.js";
import { RecoveryService } from "../../services/gen/safefile/v1/recovery_service_pb.js";
import { ask } from "./raw.js";
import { stateOf, type World } from "./world.js";

/** Calls of a world's replica that are told what to expect. */
export class Asking {
  constructor(private readonly world: () => World) {}

  /** The reply; fails with what the server said. */
  call = async <M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>) => {
    const { code, message, messages } = await this.world().raw.send(ask(method, request));
    assert.equal(code, "OK", message);
    return messages[0] as MessageShape<M["output"]>;
  };

  /** The reason of a refusal, which must have changed nothing. */
  refusal = async <M extends DescMethod>(method: M, request: MessageInitShape<M["input"]>): Promise<string> => {
    const { raw, volume } = this.world();
    const before = await stateOf(volume);
    const { code, info } = await raw.send(ask(method, request));
    assert.notEqual(code, "OK");
    assert.equal(info?.metadata.outcome, "NOT_COMMITTED");
    assert.deepEqual(await stateOf(volume), before, "a refused change left something");
    return info?.reason ?? "";
  };

  /** Number, kind and size of each revision, newest first. */
  history = async (name: string): Promise<string[]> => {
    const { revisions } = await this.call(RecoveryService.method.listRevisions, { path: name });
    return revisions.map(({ revision, kind, sizeBytes }) => `${revision} ${RevisionKind[kind]} ${sizeBytes}`);
  };
}
