import { create, type DescMessage, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { InternalError, SafeOperationError } from "../errors/index.js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  PreconditionFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../gen/google/rpc/error_details_pb.js";
import { type Status, StatusSchema } from "../gen/google/rpc/status_pb.js";
import { volumeError } from "../protocol/said.js";

const DOMAIN = "safefile";

/** Whatever was thrown, as an error of the catalogue. */
export function toSafeOperationError(error: unknown): SafeOperationError {
  if (error instanceof SafeOperationError) return error;
  return volumeError(error) ?? new InternalError(error);
}

/** google.rpc.Status: always an ErrorInfo, then the details that fit (AIP-193). */
export function toStatus(error: SafeOperationError, known: ReadonlyMap<string, string> = new Map()): Status {
  const { facts } = error;
  const metadata: Record<string, string> = {
    ...Object.fromEntries(known),
    ...error.metadata,
    outcome: error.outcome,
  };
  if (error.stage) metadata.stage = error.stage;
  const details = [pack(ErrorInfoSchema, { reason: error.reason, domain: DOMAIN, metadata })];
  if (facts.fields) {
    const fieldViolations = facts.fields.map((each) => ({ ...each, reason: error.reason }));
    details.push(pack(BadRequestSchema, { fieldViolations }));
  }
  if (facts.conditions) details.push(pack(PreconditionFailureSchema, { violations: [...facts.conditions] }));
  if (facts.retryAfterMs !== undefined)
    details.push(pack(RetryInfoSchema, { retryDelay: durationFromMs(facts.retryAfterMs) }));
  if (facts.resource)
    details.push(pack(ResourceInfoSchema, { resourceType: facts.resource.type, resourceName: facts.resource.name }));
  return create(StatusSchema, { code: grpc.status[error.status], message: error.message, details });
}

/** What grpc-js sends to the caller for a failed call. */
export function toServiceError(
  error: SafeOperationError,
  known: ReadonlyMap<string, string>,
): Pick<grpc.StatusObject, "code" | "details" | "metadata"> {
  const metadata = new grpc.Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, toStatus(error, known))));
  return { code: grpc.status[error.status], details: error.message, metadata };
}

const pack = <Desc extends DescMessage>(schema: Desc, init: MessageInitShape<Desc>) =>
  anyPack(schema, create(schema, init));
