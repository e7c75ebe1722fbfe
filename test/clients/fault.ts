import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  type PreconditionFailure_ViolationSchema,
  PreconditionFailureSchema,
  ResourceInfoSchema,
  RetryInfoSchema,
} from "../../services/gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../services/gen/google/rpc/status_pb.js";

export interface FaultFacts {
  readonly metadata?: Record<string, string>;
  readonly fields?: { field: string; description: string }[];
  readonly conditions?: MessageInitShape<typeof PreconditionFailure_ViolationSchema>[];
  readonly resource?: { resourceType: string; resourceName: string };
  readonly retryAfterMs?: number;
}

/** An error as the service gives it: google.rpc.Status with its details in the trailers. */
export function fault(code: grpc.status, reason: string, message: string, facts: FaultFacts = {}): grpc.ServiceError {
  const info = create(ErrorInfoSchema, { reason, domain: "safefile", metadata: facts.metadata ?? {} });
  const details = [anyPack(ErrorInfoSchema, info)];
  if (facts.fields !== undefined) {
    details.push(anyPack(BadRequestSchema, create(BadRequestSchema, { fieldViolations: facts.fields })));
  }
  if (facts.conditions !== undefined) {
    const failure = create(PreconditionFailureSchema, { violations: facts.conditions });
    details.push(anyPack(PreconditionFailureSchema, failure));
  }
  if (facts.resource !== undefined) {
    details.push(anyPack(ResourceInfoSchema, create(ResourceInfoSchema, facts.resource)));
  }
  if (facts.retryAfterMs !== undefined) {
    const retry = create(RetryInfoSchema, { retryDelay: durationFromMs(facts.retryAfterMs) });
    details.push(anyPack(RetryInfoSchema, retry));
  }
  const metadata = new grpc.Metadata();
  const status = create(StatusSchema, { code, message, details });
  metadata.set("grpc-status-details-bin", Buffer.from(toBinary(StatusSchema, status)));
  return Object.assign(new Error(message), { code, details: message, metadata });
}
