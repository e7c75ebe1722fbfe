package safefile

import (
	"context"
	"errors"
	"io"
	"iter"

	"google.golang.org/grpc"
)

// follow gives the messages of a stream until it ends or ctx ends it. When the service is UNAVAILABLE, because its
// replica drains for example, it goes on behind the last message seen, on another replica where the address names
// several; attempts are counted from the last message.
func follow[M any](
	ctx context.Context,
	conn *conn,
	from string,
	start func(ctx context.Context, position string) (grpc.ServerStreamingClient[M], error),
	positionOf func(*M) string,
) iter.Seq2[*M, error] {
	return func(yield func(*M, error) bool) {
		retry := newRetry(conn.retry)
		position := from
		// Returns true when the stream ended, or the caller wants no more of it.
		attempt := func() (bool, error) {
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			stream, err := start(ctx, position)
			if err != nil {
				return false, err
			}
			for {
				message, err := stream.Recv()
				if errors.Is(err, io.EOF) {
					return true, nil
				}
				if err != nil {
					return false, err
				}
				position = positionOf(message)
				retry.reset()
				if !yield(message, nil) {
					return true, nil
				}
			}
		}
		for {
			done, err := attempt()
			if done {
				return
			}
			if err := retry.after(ctx, errorFrom(ctx, err), ""); err != nil {
				yield(nil, err)
				return
			}
		}
	}
}
