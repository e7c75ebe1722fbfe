package safefile

import (
	"bytes"
	"context"
	"errors"
	"net"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

func TestRepeatsHaveOneRequestID(t *testing.T) {
	var ids []string
	s := &script{}
	s.write = func(_ context.Context, request *safefilev1.WriteFileRequest) (*safefilev1.WriteFileResponse, error) {
		ids = append(ids, request.GetOptions().GetRequestId())
		if len(ids) < 3 {
			return nil, status.Error(codes.Unavailable, "not now")
		}
		return written(request), nil
	}
	client := s.client(t)
	if _, err := client.Write(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if len(ids) != 3 || ids[0] != ids[1] || ids[1] != ids[2] || !uuid.MatchString(ids[0]) {
		t.Errorf("the ids were %q", ids)
	}
	// A stub's call gets one too, and the request of the caller is left as it is.
	ids = nil
	request := &safefilev1.WriteFileRequest{Path: "a"}
	if _, err := safefilev1.NewFileOpsServiceClient(client.Conn()).WriteFile(t.Context(), request); err != nil {
		t.Fatal(err)
	}
	if len(ids) != 3 || ids[0] != ids[2] || !uuid.MatchString(ids[0]) || request.Options != nil {
		t.Errorf("the ids were %q, the options %v", ids, request.Options)
	}
}

func TestOnlyUnavailableIsRepeated(t *testing.T) {
	calls := 0
	s := &script{}
	s.write = func(context.Context, *safefilev1.WriteFileRequest) (*safefilev1.WriteFileResponse, error) {
		calls++
		return nil, failure(codes.Aborted, "LOCK_TIMEOUT", map[string]string{"outcome": "NOT_COMMITTED"})
	}
	_, err := s.client(t).Write(t.Context(), "a", nil)
	if !IsReason(err, safefilev1.ErrorReason_ERROR_REASON_LOCK_TIMEOUT) || calls != 1 {
		t.Errorf("%d calls ended with %v", calls, err)
	}
}

func TestNeverSentIsNotCommitted(t *testing.T) {
	refuse := func(context.Context, string) (net.Conn, error) { return nil, errors.New("nobody there") }
	client, err := New("nobody:1", WithDialOptions(grpc.WithContextDialer(refuse)),
		WithRetry(RetryPolicy{AttemptsMax: 2, BackoffMin: 1, BackoffMax: 1}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = client.Write(t.Context(), "a", nil, RequestID("mine"))
	var found *Error
	if !errors.As(err, &found) || found.Outcome != NotCommitted || found.RequestID() != "mine" {
		t.Errorf("found %v", err)
	}
}

func TestDeadline(t *testing.T) {
	c := &conn{deadline: 30 * time.Second}
	s := &settings{}
	LockWait(5 * time.Second).apply(s)
	if found := c.deadlineOf(&safefilev1.WriteFileRequest{Options: s.mutation()}); found != 35*time.Second {
		t.Errorf("with a wait for the lock: %s", found)
	}
	if found := c.deadlineOf(&safefilev1.AcquireLockRequest{LockWait: durationOf(s.lockWait)}); found != 35*time.Second {
		t.Errorf("of a lock: %s", found)
	}
	if found := c.deadlineOf(&safefilev1.StatFileRequest{}); found != 30*time.Second {
		t.Errorf("of a read: %s", found)
	}
	// Not answered, so nobody knows; but when it did not even get there in time, nothing was changed.
	var began atomic.Bool
	server := &script{}
	server.write = func(ctx context.Context, _ *safefilev1.WriteFileRequest) (*safefilev1.WriteFileResponse, error) {
		began.Store(true)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	_, err := server.client(t, WithDeadline(200*time.Millisecond)).Write(t.Context(), "a", nil)
	want := NotCommitted
	if began.Load() {
		want = Unknown
	}
	var found *Error
	if !errors.As(err, &found) || found.Code != codes.DeadlineExceeded || found.Outcome != want {
		t.Errorf("a call that is not answered ended with %v, want %s", err, want)
	}
}

func TestTraceContextTravels(t *testing.T) {
	var sent []string
	s := &script{}
	s.write = func(ctx context.Context, request *safefilev1.WriteFileRequest) (*safefilev1.WriteFileResponse, error) {
		sent = metadata.ValueFromIncomingContext(ctx, "traceparent")
		return written(request), nil
	}
	client := s.client(t)
	if _, err := client.Write(t.Context(), "a", nil); err != nil || len(sent) != 0 {
		t.Errorf("without a span %q was sent (%v)", sent, err)
	}
	span := trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}, TraceFlags: trace.FlagsSampled,
	})
	ctx := trace.ContextWithSpanContext(t.Context(), span)
	if _, err := client.Write(ctx, "a", nil); err != nil {
		t.Fatal(err)
	}
	want := "00-01000000000000000000000000000000-0200000000000000-01"
	if len(sent) != 1 || sent[0] != want {
		t.Errorf("sent %q, want %s", sent, want)
	}
}

func TestTooLargeIsRefusedHere(t *testing.T) {
	client := (&script{}).client(t)
	data := make([]byte, dataBytesMax+1)
	var tx Transaction
	tx.Write("a", data[:dataBytesMax]).Append("b", data[:1])
	_, ofAppend := client.Append(t.Context(), "a", data)
	_, ofTransaction := client.Transaction(t.Context(), &tx)
	for _, err := range []error{ofAppend, ofTransaction} {
		var found *Error
		if !errors.As(err, &found) || found.Code != codes.InvalidArgument || found.Reason != "ARGUMENT_INVALID" ||
			found.Outcome != NotCommitted || found.RequestID() == "" {
			t.Errorf("found %v", err)
		}
	}
}

func TestStepRefusesOptionsOfTheWhole(t *testing.T) {
	var tx Transaction
	tx.Write("a", nil, IfRevision(1)).Remove("b", RequestID("mine"))
	_, err := (&script{}).client(t).Transaction(t.Context(), &tx)
	var found *Error
	if !errors.As(err, &found) || !bytes.Contains([]byte(found.Message), []byte("RequestID in the step of b")) {
		t.Errorf("found %v", err)
	}
}

func TestWatchGoesOnBehindTheLastMessage(t *testing.T) {
	var tokens []string
	s := &script{}
	s.watch = func(
		request *safefilev1.WatchFilesRequest, stream grpc.ServerStreamingServer[safefilev1.WatchFilesResponse],
	) error {
		tokens = append(tokens, request.GetResumeToken())
		if err := stream.Send(&safefilev1.WatchFilesResponse{ResumeToken: request.GetResumeToken() + "x"}); err != nil {
			return err
		}
		return failure(codes.Unavailable, "REPLICA_DRAINING", nil)
	}
	seen := 0
	for event, err := range s.client(t, WithRetry(RetryPolicy{AttemptsMax: 2, BackoffMin: 1, BackoffMax: 1})).
		Watch(t.Context(), "", ResumeAfter("a")) {
		if err != nil {
			t.Fatal(err)
		}
		if seen++; seen == 5 {
			if event.GetResumeToken() != "axxxxx" || tokens[4] != "axxxx" {
				t.Errorf("at %q after %q", event.GetResumeToken(), tokens)
			}
			break
		}
	}
	if seen != 5 {
		t.Errorf("%d messages were seen", seen)
	}
}
