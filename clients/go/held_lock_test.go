package safefile

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

// keeperOfLocks renews as often as allowed.
func keeperOfLocks(ttl time.Duration, renewals int32, refused error) (*script, *atomic.Int32, *atomic.Int32) {
	var renewed, released atomic.Int32
	lock := &safefilev1.Lock{
		LockId: "l", Remaining: durationpb.New(ttl), Targets: []*safefilev1.HeldTarget{{FencingToken: 7}},
	}
	s := &script{}
	s.acquire = func(*safefilev1.AcquireLockRequest) (*safefilev1.AcquireLockResponse, error) {
		return &safefilev1.AcquireLockResponse{Lock: lock}, nil
	}
	s.renew = func(*safefilev1.RenewLockRequest) (*safefilev1.RenewLockResponse, error) {
		if renewed.Add(1) > renewals {
			return nil, refused
		}
		return &safefilev1.RenewLockResponse{Lock: lock}, nil
	}
	s.release = func(*safefilev1.ReleaseLockRequest) (*safefilev1.ReleaseLockResponse, error) {
		released.Add(1)
		return &safefilev1.ReleaseLockResponse{Released: true}, nil
	}
	return s, &renewed, &released
}

func TestHeldLockIsLost(t *testing.T) {
	var cancelled error = &Error{Code: codes.Canceled, Outcome: Unknown}
	for name, c := range map[string]struct {
		refused error
		reason  string
		// What the work ends with.
		mine error
	}{
		"LOCK_LOST":    {failure(codes.Aborted, "LOCK_LOST", nil), "LOCK_LOST", nil},
		"not answered": {failure(codes.Unavailable, "LOCK_UNAVAILABLE", nil), "LOCK_UNAVAILABLE", nil},
		"both fail":    {failure(codes.Aborted, "LOCK_LOST", nil), "LOCK_LOST", cancelled},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			// Long enough that a slow machine renews in time: once as it is acquired, once later, and then no more.
			s, renewed, released := keeperOfLocks(2*time.Second, 2, c.refused)
			var fencing int64
			err := s.client(t).Locks.With(t.Context(), Paths("a"), func(ctx context.Context, held *HeldLock) error {
				fencing = held.FencingToken()
				<-ctx.Done()
				return c.mine
			})
			if !errors.Is(err, reasonError(c.reason)) || c.mine != nil && !errors.Is(err, c.mine) || fencing != 7 {
				t.Errorf("ended with %v, token %d", err, fencing)
			}
			if renewed.Load() < 3 || released.Load() != 1 {
				t.Errorf("renewed %d times, released %d times", renewed.Load(), released.Load())
			}
		})
	}
}

func TestLockThatRanOutIsLost(t *testing.T) {
	// Nobody renews it, and nobody is woken: as in a process that stood still.
	ranOut := func() *HeldLock {
		return newHeldLock(nil, &safefilev1.Lock{LockId: "l"}, time.Minute, time.Now().Add(-2*time.Minute))
	}
	if ranOut().Err() == nil {
		t.Error("a lock that ran out is not lost")
	}
	select {
	case <-ranOut().Lost():
	default:
		t.Error("nobody is told of a lock that ran out")
	}
	lasting := newHeldLock(nil, &safefilev1.Lock{}, time.Minute, time.Now())
	if lasting.Err() != nil {
		t.Error("a lock that lasts is lost")
	}
	// What was released in time is not lost later.
	released := ranOut()
	released.end()
	if released.Err() != nil {
		t.Error("a lock that was released is lost")
	}
}

func TestReleaseThatFailsIsNoFailure(t *testing.T) {
	s, _, _ := keeperOfLocks(time.Minute, 9, nil)
	s.release = func(*safefilev1.ReleaseLockRequest) (*safefilev1.ReleaseLockResponse, error) {
		return nil, failure(codes.Internal, "INTERNAL", nil)
	}
	mine := errors.New("mine")
	client := s.client(t)
	for _, want := range []error{nil, mine} {
		err := client.Locks.With(t.Context(), Paths("a"), func(context.Context, *HeldLock) error { return want })
		if err != want {
			t.Errorf("found %v, want %v", err, want)
		}
	}
}
