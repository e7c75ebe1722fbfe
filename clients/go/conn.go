package safefile

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/stats"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

// conn makes calls with the client's deadline, repeats and errors. The generated stubs take it like any other
// connection.
type conn struct {
	grpc     *grpc.ClientConn
	retry    RetryPolicy
	deadline time.Duration
	idle     time.Duration
}

// Invoke makes a unary call, repeated while the service is UNAVAILABLE.
func (c *conn) Invoke(ctx context.Context, method string, request, answer any, options ...grpc.CallOption) error {
	request, requestID := withRequestID(request)
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, c.deadlineOf(request))
		defer cancel()
	}
	retry := newRetry(c.retry)
	for {
		var sent sentMark
		err := c.grpc.Invoke(context.WithValue(ctx, sentKey{}, &sent), method, request, answer, options...)
		if err == nil {
			return nil
		}
		failure := errorFrom(ctx, err).settle(requestID, sent.Load(), Unknown)
		if err := retry.after(ctx, failure, requestID); err != nil {
			return err
		}
	}
}

// NewStream starts a stream. It is not repeated, for whoever reads it knows where it stood.
func (c *conn) NewStream(
	ctx context.Context, description *grpc.StreamDesc, method string, options ...grpc.CallOption,
) (grpc.ClientStream, error) {
	stream, err := c.grpc.NewStream(ctx, description, method, options...)
	if err != nil {
		return nil, errorFrom(ctx, err)
	}
	return &errorStream{stream}, nil
}

// deadlineOf adds the time that a request gives to waiting for a lock.
func (c *conn) deadlineOf(request any) time.Duration {
	var wait *durationpb.Duration
	switch request := request.(type) {
	case interface {
		GetOptions() *safefilev1.MutationOptions
	}:
		wait = request.GetOptions().GetLockWait()
	case interface{ GetLockWait() *durationpb.Duration }:
		wait = request.GetLockWait()
	case interface{ GetDrainWait() *durationpb.Duration }:
		wait = request.GetDrainWait()
	}
	return c.deadline + max(0, wait.AsDuration())
}

// withRequestID returns the request, with an id when it can carry one and has none: all attempts of a call have the
// same. The id is returned for changes only, whose errors say an outcome.
func withRequestID(request any) (any, string) {
	message, ok := request.(proto.Message)
	if !ok {
		return request, ""
	}
	switch typed := request.(type) {
	case interface {
		GetOptions() *safefilev1.MutationOptions
	}:
		if typed.GetOptions().GetRequestId() == "" {
			message = proto.Clone(message)
			held := message.ProtoReflect()
			options := held.Mutable(held.Descriptor().Fields().ByName("options")).Message()
			setRequestID(options)
			request = message
			typed = message.(interface {
				GetOptions() *safefilev1.MutationOptions
			})
		}
		return request, typed.GetOptions().GetRequestId()
	case interface{ GetRequestId() string }:
		if typed.GetRequestId() == "" {
			message = proto.Clone(message)
			setRequestID(message.ProtoReflect())
			request = message
			typed = message.(interface{ GetRequestId() string })
		}
		// The others change no file.
		if _, ok := request.(*safefilev1.StartRestoreRequest); ok {
			return request, typed.GetRequestId()
		}
	}
	return request, ""
}

func setRequestID(message protoreflect.Message) {
	message.Set(message.Descriptor().Fields().ByName("request_id"), protoreflect.ValueOfString(newID()))
}

// newID is a random UUID.
func newID() string {
	var id [16]byte
	rand.Read(id[:]) // Never fails.
	id[6] = id[6]&0x0f | 0x40
	id[8] = id[8]&0x3f | 0x80
	text := hex.EncodeToString(id[:])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}

// errorStream gives errors as *Error; io.EOF is left as it is.
type errorStream struct{ grpc.ClientStream }

func (s *errorStream) Header() (metadata.MD, error) {
	found, err := s.ClientStream.Header()
	return found, s.typed(err)
}

func (s *errorStream) CloseSend() error          { return s.typed(s.ClientStream.CloseSend()) }
func (s *errorStream) SendMsg(message any) error { return s.typed(s.ClientStream.SendMsg(message)) }
func (s *errorStream) RecvMsg(message any) error { return s.typed(s.ClientStream.RecvMsg(message)) }

func (s *errorStream) typed(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return errorFrom(s.Context(), err)
}

// sentMark is set when a request was handed to a connection: until then nothing can have come of it.
type sentMark struct{ atomic.Bool }

type sentKey struct{}

// sentHandler sets the sentMark in the context of a call.
type sentHandler struct{}

func (sentHandler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context { return ctx }

func (sentHandler) HandleRPC(ctx context.Context, event stats.RPCStats) {
	if _, ok := event.(*stats.OutPayload); !ok {
		return
	}
	if sent, ok := ctx.Value(sentKey{}).(*sentMark); ok {
		sent.Store(true)
	}
}

func (sentHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (sentHandler) HandleConn(context.Context, stats.ConnStats)                       {}

// idleTimer ends a stream that makes no progress: only the time spent waiting for the other side counts.
type idleTimer struct {
	expired atomic.Bool
	cancel  context.CancelFunc
}

// during waits for step, which is ended by cancelling when it takes longer than limit.
func (t *idleTimer) during(limit time.Duration, step func() error) error {
	timer := time.AfterFunc(limit, func() {
		t.expired.Store(true)
		t.cancel()
	})
	defer timer.Stop()
	return step()
}
