package safefile

import (
	"context"

	"go.opentelemetry.io/otel/propagation"
	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
)

// The active trace of a context is handed on to the server as W3C traceparent. Without a span nothing is sent, so a
// program without OpenTelemetry's SDK sends nothing. Baggage, which may hold secrets, stays here.
var traceContext propagation.TraceContext

func traced(ctx context.Context) context.Context {
	carrier := propagation.MapCarrier{}
	traceContext.Inject(ctx, carrier)
	for key, value := range carrier {
		ctx = metadata.AppendToOutgoingContext(ctx, key, value)
	}
	return ctx
}

func traceUnary(
	ctx context.Context, method string, request, answer any,
	conn *grpc.ClientConn, invoke grpc.UnaryInvoker, options ...grpc.CallOption,
) error {
	return invoke(traced(ctx), method, request, answer, conn, options...)
}

func traceStream(
	ctx context.Context, description *grpc.StreamDesc, conn *grpc.ClientConn, method string,
	start grpc.Streamer, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	return start(traced(ctx), description, conn, method, options...)
}
