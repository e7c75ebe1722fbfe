import { InterceptingCall, type Interceptor, type Metadata } from "@grpc/grpc-js";
import { context, propagation, type TextMapSetter } from "@opentelemetry/api";

const SETTER: TextMapSetter<Metadata> = { set: (metadata, key, value) => metadata.set(key, value) };

/** Hands the active trace on to the server as W3C `traceparent`. Does nothing in a program without an SDK. */
export const traceContext: Interceptor = (options, nextCall) =>
  new InterceptingCall(nextCall(options), {
    start(metadata, listener, next) {
      propagation.inject(context.active(), metadata, SETTER);
      next(metadata, listener);
    },
  });
