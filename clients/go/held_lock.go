package safefile

import (
	"context"
	"sync"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

const (
	// A renewal that failed is tried again after this, as long as the lock may last.
	renewAgain = 200 * time.Millisecond
	// A lock ends by itself anyway: whoever is done does not wait long for its release.
	releaseWait = 5 * time.Second
)

// HeldLock is a lock that is renewed, at a third of its time to live, as long as somebody needs it.
type HeldLock struct {
	locks *Locks
	lock  *safefilev1.Lock
	ttl   time.Duration

	// Ends when the lock is lost, or may be.
	lost context.Context
	lose context.CancelCauseFunc
	// Ends the renewing.
	end     context.CancelFunc
	renewed sync.WaitGroup
	once    sync.Once
}

// holdFrom renews a lock that lasts for ttl at least since it was asked for.
func holdFrom(locks *Locks, lock *safefilev1.Lock, ttl time.Duration, asked time.Time) *HeldLock {
	held := &HeldLock{locks: locks, lock: lock, ttl: ttl}
	held.lost, held.lose = context.WithCancelCause(context.Background())
	ending, end := context.WithCancel(context.Background())
	held.end = end
	held.renewed.Go(func() { held.renew(ending, asked.Add(ttl)) })
	return held
}

// ID is for [UnderLock].
func (h *HeldLock) ID() string { return h.lock.GetLockId() }

// Lock is the lock as it was acquired.
func (h *HeldLock) Lock() *safefilev1.Lock { return h.lock }

// FencingToken is that of the first path: strictly rising with every exclusive holder.
func (h *HeldLock) FencingToken() int64 {
	if targets := h.lock.GetTargets(); len(targets) > 0 {
		return targets[0].GetFencingToken()
	}
	return 0
}

// Lost is closed when the lock is lost, or may be.
func (h *HeldLock) Lost() <-chan struct{} { return h.lost.Done() }

// Err says why the lock is lost: LOCK_LOST, or why it could not be renewed in time. Nil while it is not.
func (h *HeldLock) Err() error { return context.Cause(h.lost) }

// Release ends it. False when it had ended before.
func (h *HeldLock) Release(ctx context.Context) (released bool, err error) {
	h.once.Do(func() {
		h.end()
		h.renewed.Wait()
		released, err = h.locks.Release(ctx, h.ID())
	})
	return released, err
}

// leave is Release for somebody who does not care whether it works.
func (h *HeldLock) leave(ctx context.Context) {
	h.once.Do(func() {
		h.end()
		h.renewed.Wait()
		h.locks.leave(ctx, h.ID())
	})
}

func (h *HeldLock) renew(ending context.Context, ends time.Time) {
	// time.Now has the monotonic clock too, and that is what is compared.
	wait := h.ttl / 3
	var failure error = &Error{
		Code: codes.Aborted, Message: "The lock ran out before it was renewed.",
		Metadata: map[string]string{"lock_id": h.ID()},
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(max(0, min(wait, time.Until(ends))))
		select {
		case <-ending.Done():
			return
		case <-timer.C:
		}
		asked := time.Now()
		if !asked.Before(ends) {
			h.lose(failure)
			return
		}
		ctx, cancel := context.WithDeadline(ending, ends)
		_, err := h.locks.Renew(ctx, h.ID(), TTL(h.ttl))
		cancel()
		switch {
		case err == nil:
			ends = asked.Add(h.ttl)
			wait = h.ttl / 3
			continue
		case ending.Err() != nil:
			return
		case IsReason(err, safefilev1.ErrorReason_ERROR_REASON_LOCK_LOST):
			h.lose(err)
			return
		}
		failure = err
		wait = renewAgain
	}
}
