package safefile

import (
	"context"
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"
)

// RetryPolicy says how often and how long a call that is UNAVAILABLE is repeated, with the same request id. A field
// that is zero has its default.
type RetryPolicy struct {
	// AttemptsMax counts the first attempt too: 1 never repeats. Default 5.
	AttemptsMax int
	// TimeMax is how long after the first failure the last attempt may start. Default 30 s.
	TimeMax time.Duration
	// BackoffMin is the first pause; each next one is twice as long, up to BackoffMax, less a random part of up to a
	// half. Default 100 ms.
	BackoffMin time.Duration
	// BackoffMax is the longest pause, unless the server asks for more. Default 5 s.
	BackoffMax time.Duration
}

func (p RetryPolicy) withDefaults() RetryPolicy {
	if p.AttemptsMax <= 0 {
		p.AttemptsMax = 5
	}
	if p.TimeMax <= 0 {
		p.TimeMax = 30 * time.Second
	}
	if p.BackoffMin <= 0 {
		p.BackoffMin = 100 * time.Millisecond
	}
	if p.BackoffMax <= 0 {
		p.BackoffMax = 5 * time.Second
	}
	return p
}

// retry counts the attempts of one call.
type retry struct {
	policy   RetryPolicy
	now      func() time.Time
	random   func() float64
	attempts int
	failed   time.Time
	// The failure of an attempt that may have committed.
	unknown *Error
}

func newRetry(policy RetryPolicy) *retry {
	return &retry{policy: policy, now: time.Now, random: rand.Float64, attempts: 1}
}

// after returns nil after a pause when the call may be repeated, and what to report when it may not.
func (r *retry) after(ctx context.Context, failure *Error, requestID string) error {
	failure = r.note(failure)
	pause, ok := r.pause(ctx, failure)
	if !ok {
		return failure
	}
	r.attempts++
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		// Nothing is under way: what the attempts before left open is all that is open.
		return r.note(endedBy(ctx).settle(requestID, false, NotCommitted))
	}
}

// pause is how long to wait before the next attempt. False when there is none.
func (r *retry) pause(ctx context.Context, failure *Error) (time.Duration, bool) {
	if failure.Code != codes.Unavailable || ctx.Err() != nil || r.attempts >= r.policy.AttemptsMax {
		return 0, false
	}
	pause := r.backoff()
	if failure.RetryAfter != nil {
		pause = max(pause, *failure.RetryAfter)
	}
	now := r.now()
	if r.failed.IsZero() {
		r.failed = now
	}
	resume := now.Add(pause)
	if resume.Sub(r.failed) > r.policy.TimeMax {
		return 0, false
	}
	if end, ok := ctx.Deadline(); ok && !resume.Before(end) {
		return 0, false
	}
	return pause, true
}

// reset is told of progress: the next failure is a first one again.
func (r *retry) reset() {
	r.attempts = 1
	r.failed = time.Time{}
}

func (r *retry) backoff() time.Duration {
	pause := r.policy.BackoffMin
	for n := 1; n < r.attempts && pause < r.policy.BackoffMax; n++ {
		pause *= 2
	}
	pause = min(pause, r.policy.BackoffMax)
	return time.Duration(float64(pause) * (1 - r.random()/2))
}

// note keeps open what an attempt left open: one that may have committed is not settled by a later one that did not
// get through, only by the service's own answer to the same request id. Returns what to report.
func (r *retry) note(failure *Error) *Error {
	answered := failure.Reason != "" && failure.Code != codes.Unavailable
	if failure.Outcome == Unknown {
		r.unknown = failure
	} else if r.unknown != nil && !answered {
		failure.Outcome = Unknown
	}
	return failure
}
