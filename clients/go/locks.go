package safefile

import (
	"context"
	"errors"
	"iter"
	"time"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

// Locks is [Client.Locks]: locks over several calls.
type Locks struct {
	client *Client
	stub   safefilev1.LockServiceClient
}

// LockTarget is a path to lock, or how much of it and with whom.
type LockTarget struct {
	// Path may name what is not there. "" is the root; it can be locked with all below it only.
	Path string
	// Subtree locks also everything below it.
	Subtree bool
	// Shared locks together with others who share it. Nobody changes it meanwhile.
	Shared bool
}

// Paths makes targets of paths that nobody else may hold.
func Paths(paths ...string) []LockTarget {
	found := make([]LockTarget, len(paths))
	for at, path := range paths {
		found[at] = LockTarget{Path: path}
	}
	return found
}

// Acquire locks all of the targets or none. The lock lasts for its time to live; whoever needs it longer renews it.
func (l *Locks) Acquire(
	ctx context.Context, targets []LockTarget, options ...LockOption,
) (*safefilev1.Lock, error) {
	s := settingsOf(l.client, options)
	request := &safefilev1.AcquireLockRequest{
		Volume: s.volume, Ttl: durationOf(s.lock.ttl), LockWait: durationOf(s.lockWait), Priority: s.priority,
		RequestId: s.mutation().GetRequestId(), OwnerName: s.lock.owner, Session: s.lock.session, Labels: s.labels,
	}
	for _, target := range targets {
		request.Targets = append(request.Targets, target.message())
	}
	answer, err := l.stub.AcquireLock(ctx, request)
	return lockOf(answer, err)
}

// Renew lets a lock last for its [TTL] from now on. LOCK_LOST when it has ended.
func (l *Locks) Renew(ctx context.Context, lockID string, options ...RenewOption) (*safefilev1.Lock, error) {
	s := settingsOf(l.client, options)
	request := &safefilev1.RenewLockRequest{LockId: lockID, Ttl: durationOf(s.lock.ttl)}
	answer, err := l.stub.RenewLock(ctx, request)
	return lockOf(answer, err)
}

// Release ends a lock. False when it had ended already.
func (l *Locks) Release(ctx context.Context, lockID string) (bool, error) {
	answer, err := l.stub.ReleaseLock(ctx, &safefilev1.ReleaseLockRequest{LockId: lockID})
	return answer.GetReleased(), err
}

// List says who holds and who waits, over all pages.
func (l *Locks) List(ctx context.Context, options ...LocksOption) iter.Seq2[*safefilev1.LockEntry, error] {
	s := settingsOf(l.client, options)
	return pages(func(token string) ([]*safefilev1.LockEntry, string, error) {
		answer, err := l.stub.ListLocks(ctx, &safefilev1.ListLocksRequest{
			Volume: s.volume, Path: s.lock.path, ClientLocksOnly: s.lock.clientLocksOnly, PageSize: s.pageSize,
			PageToken: token,
		})
		return answer.GetLocks(), answer.GetNextPageToken(), err
	})
}

// Break ends somebody else's lock, and stops the change that uses it. The reason is kept.
func (l *Locks) Break(
	ctx context.Context, lockID, reason string, options ...BreakOption,
) (*safefilev1.BreakLockResponse, error) {
	s := settingsOf(l.client, options)
	request := &safefilev1.BreakLockRequest{LockId: lockID, Reason: reason, RequestId: s.mutation().GetRequestId()}
	return l.stub.BreakLock(ctx, request)
}

// Hold locks, and renews the lock until it is released. ctx is that of the acquiring only.
func (l *Locks) Hold(ctx context.Context, targets []LockTarget, options ...LockOption) (*HeldLock, error) {
	acquired, err := l.Acquire(ctx, targets, options...)
	if err != nil {
		return nil, err
	}
	ttl := acquired.GetRemaining().AsDuration()
	// Nobody knows how long the answer was under way, but of a renewal it is known when it was asked for.
	asked := time.Now()
	lock, err := l.Renew(ctx, acquired.GetLockId(), TTL(ttl))
	if err != nil {
		l.leave(ctx, acquired.GetLockId())
		return nil, err
	}
	return holdFrom(l, lock, ttl, asked), nil
}

// With runs work while holding the lock, and releases it afterwards. The context that work is given ends when the lock
// is lost, and the whole fails with that, also when work does not: what it did last may not have been alone. When both
// fail the error is both, that of work first.
func (l *Locks) With(
	ctx context.Context, targets []LockTarget, work func(context.Context, *HeldLock) error, options ...LockOption,
) error {
	held, err := l.Hold(ctx, targets, options...)
	if err != nil {
		return err
	}
	defer held.leave(ctx)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(held.lost, func() { cancel(held.Err()) })()
	err = work(ctx, held)
	lost := held.Err()
	switch {
	case lost == nil || errors.Is(err, lost):
		return err
	case err == nil:
		return lost
	}
	return errors.Join(err, lost)
}

// leave releases a lock for somebody who has no more use for it, whatever ended them: it ends by itself anyway, so a
// release that fails is no failure of what was done.
func (l *Locks) leave(ctx context.Context, lockID string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWait)
	defer cancel()
	_, _ = l.Release(ctx, lockID)
}

func (t LockTarget) message() *safefilev1.LockTarget {
	found := &safefilev1.LockTarget{
		Path:  t.Path,
		Scope: safefilev1.LockScope_LOCK_SCOPE_PATH,
		Mode:  safefilev1.LockMode_LOCK_MODE_EXCLUSIVE,
	}
	if t.Subtree {
		found.Scope = safefilev1.LockScope_LOCK_SCOPE_SUBTREE
	}
	if t.Shared {
		found.Mode = safefilev1.LockMode_LOCK_MODE_SHARED
	}
	return found
}

func lockOf(answer interface{ GetLock() *safefilev1.Lock }, err error) (*safefilev1.Lock, error) {
	if err != nil {
		return nil, err
	}
	if lock := answer.GetLock(); lock != nil {
		return lock, nil
	}
	return nil, lacking("the lock", "")
}
