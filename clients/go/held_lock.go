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
	ending  context.Context
	end     context.CancelFunc
	renewed sync.WaitGroup
	once    sync.Once

	mutex sync.Mutex
	// When the lock runs out unless it is renewed. time.Now has the monotonic clock too, and that is what is compared.
	ends time.Time
	// Why the last renewal failed.
	failure error
}

// holdFrom renews a lock that lasts for ttl at least since it was asked for.
func holdFrom(locks *Locks, lock *safefilev1.Lock, ttl time.Duration, asked time.Time) *HeldLock {
	held := newHeldLock(locks, lock, ttl, asked)
	held.renewed.Go(held.renew)
	return held
}

func newHeldLock(locks *Locks, lock *safefilev1.Lock, ttl time.Duration, asked time.Time) *HeldLock {
	held := &HeldLock{locks: locks, lock: lock, ttl: ttl, ends: asked.Add(ttl)}
	held.lost, held.lose = context.WithCancelCause(context.Background())
	held.ending, held.end = context.WithCancel(context.Background())
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
func (h *HeldLock) Lost() <-chan struct{} {
	h.notice()
	return h.lost.Done()
}

// Err says why the lock is lost: LOCK_LOST, or why it could not be renewed in time. Nil while it is not.
func (h *HeldLock) Err() error {
	h.notice()
	return context.Cause(h.lost)
}

// notice loses a lock that ran out, also when nothing could run meanwhile that would have. False when it lasts.
func (h *HeldLock) notice() bool {
	h.mutex.Lock()
	ends, failure := h.ends, h.failure
	h.mutex.Unlock()
	if h.ending.Err() != nil || time.Now().Before(ends) {
		return false
	}
	if failure == nil {
		failure = &Error{
			Code: codes.Aborted, Message: "The lock ran out before it was renewed.",
			Metadata: map[string]string{"lock_id": h.ID()},
		}
	}
	h.lose(failure)
	return true
}

// Release ends it. False when it had ended before.
func (h *HeldLock) Release(ctx context.Context) (released bool, err error) {
	h.once.Do(func() {
		h.notice()
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

// renew renews the lock until nobody needs it any more, or it is lost.
func (h *HeldLock) renew() {
	wait := h.ttl / 3
	ends := h.ends
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		timer.Reset(max(0, min(wait, time.Until(ends))))
		select {
		case <-h.ending.Done():
			return
		case <-h.lost.Done():
			return
		case <-timer.C:
		}
		asked := time.Now()
		if h.notice() {
			return
		}
		ctx, cancel := context.WithDeadline(h.ending, ends)
		_, err := h.locks.Renew(ctx, h.ID(), TTL(h.ttl))
		cancel()
		switch {
		case h.ending.Err() != nil:
			return
		case IsReason(err, safefilev1.ErrorReason_ERROR_REASON_LOCK_LOST):
			h.lose(err)
			return
		case err == nil:
			ends = asked.Add(h.ttl)
			wait = h.ttl / 3
		default:
			wait = renewAgain
		}
		h.mutex.Lock()
		h.ends, h.failure = ends, err
		h.mutex.Unlock()
	}
}
