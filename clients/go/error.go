package safefile

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

// Outcome is what became of the file.
type Outcome string

const (
	// NotCommitted means that nothing changed.
	NotCommitted Outcome = "NOT_COMMITTED"
	// Committed means that the change is durable and visible.
	Committed Outcome = "COMMITTED"
	// Unknown means that nobody can say yet: repeat the call with the same request id to learn it.
	Unknown Outcome = "UNKNOWN"
)

const (
	errorDomain  = "safefile"
	reasonPrefix = "ERROR_REASON_"
	requestIDKey = "request_id"
)

// FieldViolation says what is wrong with one field of a request.
type FieldViolation struct{ Field, Description string }

// ConditionViolation says which condition did not hold.
type ConditionViolation struct{ Type, Subject, Description string }

// QuotaViolation says which limit was met.
type QuotaViolation struct{ Subject, Description string }

// Resource is what was not found, or was in the way.
type Resource struct{ Type, Name string }

// Error is a call that failed: why, and what that means for the file.
type Error struct {
	// Code is the gRPC status code.
	Code codes.Code
	// Message is a sentence for people.
	Message string
	// Reason is the name of a safefilev1.ErrorReason without its prefix, as in "LOCK_FENCED". Empty when the error is
	// not of the service itself.
	Reason string
	// Outcome is set for every failed change; a failed read may leave it empty.
	Outcome Outcome
	// Stage is the stage that failed, as in "lock". Empty when no stage ran.
	Stage string
	// Metadata has every dynamic value of the message, as text. The keys are in errors.proto.
	Metadata map[string]string
	// FieldViolations, ConditionViolations and QuotaViolations say what to correct.
	FieldViolations     []FieldViolation
	ConditionViolations []ConditionViolation
	QuotaViolations     []QuotaViolation
	// RetryAfter is when the server says that the call may be repeated. Nil when it does not say.
	RetryAfter *time.Duration
	// Resource is nil when the error is about none.
	Resource *Resource

	cause error
}

// Error gives the code, the reason where there is one, and the sentence.
func (e *Error) Error() string {
	if e.Reason != "" {
		return fmt.Sprintf("safefile: %s %s: %s", e.Status(), e.Reason, e.Message)
	}
	return fmt.Sprintf("safefile: %s: %s", e.Status(), e.Message)
}

// Unwrap gives what the call ended with: an error of gRPC, or context.Canceled.
func (e *Error) Unwrap() error { return e.cause }

// GRPCStatus makes status.Code and status.FromError work.
func (e *Error) GRPCStatus() *status.Status { return status.New(e.Code, e.Message) }

// Status is the name of the code: "ABORTED".
func (e *Error) Status() string {
	if e.Code == codes.Canceled {
		// As gRPC itself spells it.
		return "CANCELLED"
	}
	var name strings.Builder
	for at, letter := range e.Code.String() {
		if at > 0 && letter >= 'A' && letter <= 'Z' {
			name.WriteByte('_')
		}
		name.WriteRune(letter)
	}
	return strings.ToUpper(name.String())
}

// Is makes [IsReason] find it also behind another error, as in what [Locks.With] joins.
func (e *Error) Is(target error) bool {
	reason, ok := target.(reasonError)
	return ok && e.Reason == string(reason)
}

// reasonError stands for all errors of this reason.
type reasonError string

func (r reasonError) Error() string { return string(r) }

// RequestID is the id with which a change can be repeated. Empty when it was no change.
func (e *Error) RequestID() string { return e.Metadata[requestIDKey] }

// IsReason tells whether err is, or wraps, an [*Error] of this reason.
func IsReason(err error, reason safefilev1.ErrorReason) bool {
	return errors.Is(err, reasonError(strings.TrimPrefix(reason.String(), reasonPrefix)))
}

// ErrorOf gives the [*Error] that a message holds, such as RestoreItem.Error. Nil when there is none.
func ErrorOf(held *statuspb.Status) error {
	if held.GetCode() == int32(codes.OK) {
		return nil
	}
	return decoded(held)
}

func decoded(held *statuspb.Status) *Error {
	found := &Error{Code: codes.Code(held.GetCode()), Message: held.GetMessage(), Metadata: map[string]string{}}
	// The first detail of each type counts. One that cannot be read is left out: the status itself still can.
	seen := map[string]bool{}
	for _, packed := range held.GetDetails() {
		name := string(packed.MessageName())
		if seen[name] {
			continue
		}
		if detail, err := packed.UnmarshalNew(); err == nil {
			seen[name] = found.add(detail)
		}
	}
	return found
}

// add returns false when the detail is none of ours.
func (e *Error) add(detail proto.Message) bool {
	switch detail := detail.(type) {
	case *errdetails.ErrorInfo:
		if detail.GetDomain() != errorDomain {
			return false
		}
		e.Reason = detail.GetReason()
		maps.Copy(e.Metadata, detail.GetMetadata())
		e.Stage = e.Metadata["stage"]
		switch outcome := Outcome(e.Metadata["outcome"]); outcome {
		case NotCommitted, Committed, Unknown:
			e.Outcome = outcome
		}
	case *errdetails.BadRequest:
		for _, found := range detail.GetFieldViolations() {
			e.FieldViolations = append(e.FieldViolations, FieldViolation{found.GetField(), found.GetDescription()})
		}
	case *errdetails.PreconditionFailure:
		for _, found := range detail.GetViolations() {
			violation := ConditionViolation{found.GetType(), found.GetSubject(), found.GetDescription()}
			e.ConditionViolations = append(e.ConditionViolations, violation)
		}
	case *errdetails.QuotaFailure:
		for _, found := range detail.GetViolations() {
			e.QuotaViolations = append(e.QuotaViolations, QuotaViolation{found.GetSubject(), found.GetDescription()})
		}
	case *errdetails.RetryInfo:
		if delay := detail.GetRetryDelay(); delay != nil {
			wait := delay.AsDuration()
			e.RetryAfter = &wait
		}
	case *errdetails.ResourceInfo:
		e.Resource = &Resource{Type: detail.GetResourceType(), Name: detail.GetResourceName()}
	}
	return true
}

// errorFrom makes an Error of what a call of gRPC ended with. What ctx ended has the code for that.
func errorFrom(ctx context.Context, err error) *Error {
	var found *Error
	if errors.As(err, &found) {
		return found
	}
	held := status.Convert(err)
	found = decoded(held.Proto())
	found.cause = err
	if why := ctx.Err(); why != nil && found.Reason == "" && found.Code == status.FromContextError(why).Code() {
		return endedBy(ctx)
	}
	return found
}

// endedBy is the error of a call that ctx ended.
func endedBy(ctx context.Context) *Error {
	why := ctx.Err()
	found := &Error{Code: codes.Canceled, Message: "The call was cancelled.", Metadata: map[string]string{}, cause: why}
	if errors.Is(why, context.DeadlineExceeded) {
		found.Code, found.Message = codes.DeadlineExceeded, "The call took longer than its deadline."
	}
	return found
}

// settle adds what follows for the outcome of a change when the service itself did not say it.
func (e *Error) settle(requestID string, began bool, unanswered Outcome) *Error {
	if requestID == "" {
		return e
	}
	if e.Outcome == "" {
		said := e.Reason != "" && e.Reason != "OUTCOME_UNKNOWN" && e.Reason != "INTERNAL"
		switch {
		case said, !began, e.Code == codes.Unimplemented:
			e.Outcome = NotCommitted
		default:
			e.Outcome = unanswered
		}
	}
	if e.Metadata[requestIDKey] == "" {
		e.Metadata[requestIDKey] = requestID
	}
	return e
}

// because is the same failure of the service, with what else ended the call.
func (e *Error) because(cause error) *Error {
	found := *e
	found.cause = cause
	return &found
}

// dataLoss is the error of content that is not what it should be.
func dataLoss(path, what string) *Error {
	return &Error{
		Code:     codes.DataLoss,
		Message:  fmt.Sprintf("The content of %s %s. Read it again.", path, what),
		Metadata: map[string]string{"path": path},
	}
}

// refusal is what was asked and is refused here as the service would; nothing was sent.
func refusal(field, problem, requestID string) *Error {
	return &Error{
		Code:            codes.InvalidArgument,
		Message:         fmt.Sprintf("%s %s. Nothing was changed.", field, problem),
		Reason:          "ARGUMENT_INVALID",
		Outcome:         NotCommitted,
		Metadata:        map[string]string{"field": field, "problem": problem, requestIDKey: requestID},
		FieldViolations: []FieldViolation{{Field: field, Description: problem}},
	}
}

// lacking is an answer without a field that it always has.
func lacking(field, requestID string) *Error {
	found := &Error{Code: codes.Internal, Message: fmt.Sprintf("The server's answer lacks %s.", field)}
	found.Metadata = map[string]string{}
	return found.settle(requestID, true, Unknown)
}
