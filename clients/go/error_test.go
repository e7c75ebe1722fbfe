package safefile

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

func TestErrorReadsAllDetails(t *testing.T) {
	sent := failure(codes.Aborted, "PRECONDITION_FAILED",
		map[string]string{"outcome": "NOT_COMMITTED", "stage": "commit", "revision": "2", "request_id": "id"},
		&errdetails.BadRequest{FieldViolations: []*errdetails.BadRequest_FieldViolation{
			{Field: "path", Description: "is empty"},
		}},
		&errdetails.PreconditionFailure{Violations: []*errdetails.PreconditionFailure_Violation{
			{Type: "ETAG", Subject: "a", Description: "is another"},
		}},
		&errdetails.QuotaFailure{Violations: []*errdetails.QuotaFailure_Violation{{Subject: "s", Description: "d"}}},
		&errdetails.RetryInfo{RetryDelay: durationpb.New(1500 * time.Millisecond)},
		&errdetails.ResourceInfo{ResourceType: "safefile/file", ResourceName: "a"},
	)
	found := errorFrom(t.Context(), sent)
	found.cause = nil
	wait := 1500 * time.Millisecond
	want := &Error{
		Code: codes.Aborted, Message: "what happened", Reason: "PRECONDITION_FAILED", Outcome: NotCommitted,
		Stage: "commit",
		Metadata: map[string]string{
			"outcome": "NOT_COMMITTED", "stage": "commit", "revision": "2", "request_id": "id",
		},
		FieldViolations:     []FieldViolation{{"path", "is empty"}},
		ConditionViolations: []ConditionViolation{{"ETAG", "a", "is another"}},
		QuotaViolations:     []QuotaViolation{{"s", "d"}},
		RetryAfter:          &wait,
		Resource:            &Resource{"safefile/file", "a"},
	}
	if !reflect.DeepEqual(found, want) {
		t.Errorf("found %+v, want %+v", found, want)
	}
	if !IsReason(fmt.Errorf("wrapped: %w", found), safefilev1.ErrorReason_ERROR_REASON_PRECONDITION_FAILED) {
		t.Error("its reason is not found below what wraps it")
	}
	if IsReason(found, safefilev1.ErrorReason_ERROR_REASON_LOCK_LOST) {
		t.Error("another reason is found")
	}
	if found.Status() != "ABORTED" || found.RequestID() != "id" || status.Code(found) != codes.Aborted {
		t.Errorf("status %s, request %s, code %s", found.Status(), found.RequestID(), status.Code(found))
	}
}

func TestErrorOfAnotherDomainIsNotRead(t *testing.T) {
	other, _ := anypb.New(&errdetails.ErrorInfo{Domain: "proxy.example", Reason: "BUSY"})
	own, _ := anypb.New(&errdetails.ErrorInfo{Domain: "safefile", Reason: "INTERNAL"})
	broken := &anypb.Any{TypeUrl: "type.googleapis.com/google.rpc.RetryInfo", Value: []byte{0xff}}
	unknown := &anypb.Any{TypeUrl: "type.googleapis.com/google.rpc.Nobody", Value: []byte{1}}
	alone := decoded(&statuspb.Status{Code: 14, Message: "m", Details: []*anypb.Any{other}})
	if alone.Reason != "" || alone.Code != codes.Unavailable || alone.Message != "m" {
		t.Errorf("found %+v", alone)
	}
	mixed := decoded(&statuspb.Status{Code: 13, Details: []*anypb.Any{broken, unknown, other, own}})
	if mixed.Reason != "INTERNAL" || mixed.RetryAfter != nil {
		t.Errorf("found %+v", mixed)
	}
}

func TestOutcomeOfAFailedChange(t *testing.T) {
	for _, c := range []struct {
		name       string
		error      Error
		began      bool
		unanswered Outcome
		want       Outcome
	}{
		{"the server's word", Error{Code: codes.Internal, Reason: "INTERNAL", Outcome: Committed}, true, Unknown, Committed},
		{"a reason", Error{Code: codes.Unavailable, Reason: "LOCK_UNAVAILABLE"}, true, Unknown, NotCommitted},
		{"OUTCOME_UNKNOWN", Error{Code: codes.Unknown, Reason: "OUTCOME_UNKNOWN"}, true, Unknown, Unknown},
		{"INTERNAL", Error{Code: codes.Internal, Reason: "INTERNAL"}, true, Unknown, Unknown},
		{"never sent", Error{Code: codes.Unavailable}, false, Unknown, NotCommitted},
		{"UNIMPLEMENTED", Error{Code: codes.Unimplemented}, true, Unknown, NotCommitted},
		{"a broken connection", Error{Code: codes.Unavailable}, true, Unknown, Unknown},
		{"an upload that was not ended", Error{Code: codes.Unavailable}, true, NotCommitted, NotCommitted},
	} {
		c.error.Metadata = map[string]string{}
		found := c.error.settle("id", c.began, c.unanswered)
		if found.Outcome != c.want || found.RequestID() != "id" {
			t.Errorf("%s: %s of %q, want %s", c.name, found.Outcome, found.RequestID(), c.want)
		}
	}
	read := (&Error{Code: codes.Unavailable, Metadata: map[string]string{}}).settle("", true, Unknown)
	if read.Outcome != "" {
		t.Errorf("a read has the outcome %s", read.Outcome)
	}
}

func TestCancelledCallIsAContextError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	found := errorFrom(ctx, status.Error(codes.Canceled, "context canceled"))
	if found.Status() != "CANCELLED" || !errors.Is(found, context.Canceled) {
		t.Errorf("found %v", found)
	}
	if said := errorFrom(ctx, status.Error(codes.Aborted, "busy")); said.Code != codes.Aborted {
		t.Errorf("what the server said became %v", said)
	}
}
