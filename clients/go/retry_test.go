package safefile

import (
	"context"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
)

// quiet is a retry whose clock stands still and whose pauses are the longest.
func quiet(policy RetryPolicy) *retry {
	r := newRetry(policy.withDefaults())
	now := time.Now()
	r.now = func() time.Time { return now }
	r.random = func() float64 { return 0 }
	return r
}

func unavailable() *Error {
	return &Error{Code: codes.Unavailable, Metadata: map[string]string{}}
}

func TestPausesDouble(t *testing.T) {
	r := quiet(RetryPolicy{AttemptsMax: 9, TimeMax: time.Hour})
	for at, want := range []time.Duration{100, 200, 400, 800, 1600, 3200, 5000, 5000} {
		r.attempts = at + 1
		if pause, ok := r.pause(t.Context(), unavailable()); !ok || pause != want*time.Millisecond {
			t.Errorf("pause %d is %s (%t), want %d ms", at, pause, ok, want)
		}
	}
	r.attempts = 2
	r.random = func() float64 { return 1 }
	if pause, _ := r.pause(t.Context(), unavailable()); pause != 100*time.Millisecond {
		t.Errorf("at its shortest the second pause is %s", pause)
	}
}

func TestRepeatsEnd(t *testing.T) {
	repeats := func(r *retry, failure *Error) bool {
		_, ok := r.pause(t.Context(), failure)
		return ok
	}
	last := quiet(RetryPolicy{AttemptsMax: 3})
	last.attempts = 3
	if repeats(last, unavailable()) {
		t.Error("a fourth attempt is made of three")
	}
	if repeats(quiet(RetryPolicy{}), &Error{Code: codes.Aborted}) {
		t.Error("ABORTED is repeated")
	}
	late := quiet(RetryPolicy{})
	late.failed = late.now().Add(-30 * time.Second)
	if repeats(late, unavailable()) {
		t.Error("an attempt is made later than 30 s after the first failure")
	}
	late.reset()
	if !repeats(late, unavailable()) {
		t.Error("progress does not count anew")
	}
	wait := time.Minute
	asked := unavailable()
	asked.RetryAfter = &wait
	if repeats(quiet(RetryPolicy{}), asked) {
		t.Error("the server asked for more time than there is")
	}
	if pause, ok := quiet(RetryPolicy{TimeMax: time.Hour}).pause(t.Context(), asked); !ok || pause != wait {
		t.Errorf("the pause is %s (%t), the server asked for %s", pause, ok, wait)
	}
	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, ok := quiet(RetryPolicy{}).pause(short, unavailable()); ok {
		t.Error("an attempt is made after the deadline")
	}
}

func TestOpenOutcomeStaysOpen(t *testing.T) {
	settled := func(last *Error) Outcome {
		r := quiet(RetryPolicy{})
		first := unavailable()
		first.Outcome = Unknown
		r.note(first)
		return r.note(last).Outcome
	}
	for _, c := range []struct {
		name string
		last *Error
		want Outcome
	}{
		{"never sent", &Error{Code: codes.Unavailable, Outcome: NotCommitted}, Unknown},
		{"UNAVAILABLE with a reason", &Error{Code: codes.Unavailable, Reason: "REPLICA_DRAINING", Outcome: NotCommitted}, Unknown},
		{"cancelled in a pause", &Error{Code: codes.Canceled, Outcome: NotCommitted}, Unknown},
		{"the service's answer", &Error{Code: codes.Aborted, Reason: "LOCK_TIMEOUT", Outcome: NotCommitted}, NotCommitted},
	} {
		if found := settled(c.last); found != c.want {
			t.Errorf("%s: %s, want %s", c.name, found, c.want)
		}
	}
}

func TestCancelEndsAPause(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, cancel)
	r := quiet(RetryPolicy{BackoffMin: time.Hour, BackoffMax: time.Hour, TimeMax: 2 * time.Hour})
	err := r.after(ctx, unavailable(), "id")
	found, ok := err.(*Error)
	if !ok || found.Code != codes.Canceled || found.Outcome != NotCommitted || found.RequestID() != "id" {
		t.Errorf("found %#v", err)
	}
}
