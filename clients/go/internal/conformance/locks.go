package main

import (
	"fmt"

	safefile "github.com/safefile/safefile/clients/go"
)

type lockArgs struct {
	callArgs
	Targets []struct {
		Path    string `json:"path"`
		Subtree bool   `json:"subtree"`
		Shared  bool   `json:"shared"`
	} `json:"targets"`
	TTLMs      *milliseconds     `json:"ttlMs"`
	LockWaitMs *milliseconds     `json:"lockWaitMs"`
	Priority   *int32            `json:"priority"`
	RequestID  *string           `json:"requestId"`
	Owner      string            `json:"owner"`
	Session    string            `json:"session"`
	Labels     map[string]string `json:"labels"`
}

func (a *lockArgs) targets() []safefile.LockTarget {
	var found []safefile.LockTarget
	for _, target := range a.Targets {
		found = append(found, safefile.LockTarget(target))
	}
	return found
}

func (a *lockArgs) options() []safefile.LockOption {
	var with options[safefile.LockOption]
	if a.TTLMs != nil {
		with.add(safefile.TTL(a.TTLMs.duration()))
	}
	if a.LockWaitMs != nil {
		with.add(safefile.LockWait(a.LockWaitMs.duration()))
	}
	if a.Priority != nil {
		with.add(safefile.Priority(*a.Priority))
	}
	if a.RequestID != nil {
		with.add(safefile.RequestID(*a.RequestID))
	}
	with.add(safefile.Owner(a.Owner))
	with.add(safefile.Session(a.Session))
	with.add(safefile.Labels(a.Labels))
	return with.list
}

func acquire(c *call) (any, error) {
	var args lockArgs
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	ctx, cancel := args.context()
	defer cancel()
	found, err := c.client.Locks.Acquire(ctx, args.targets(), args.options()...)
	if err != nil {
		return nil, err
	}
	return object{"lock": canonical(found)}, nil
}

func renew(c *call) (any, error) {
	var args struct {
		callArgs
		LockID string        `json:"lockId"`
		TTLMs  *milliseconds `json:"ttlMs"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.RenewOption]
	if args.TTLMs != nil {
		with.add(safefile.TTL(args.TTLMs.duration()))
	}
	ctx, cancel := args.context()
	defer cancel()
	found, err := c.client.Locks.Renew(ctx, args.LockID, with.list...)
	if err != nil {
		return nil, err
	}
	return object{"lock": canonical(found)}, nil
}

func release(c *call) (any, error) {
	var args struct {
		callArgs
		LockID string `json:"lockId"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	ctx, cancel := args.context()
	defer cancel()
	released, err := c.client.Locks.Release(ctx, args.LockID)
	if err != nil {
		return nil, err
	}
	return object{"released": released}, nil
}

func listLocks(c *call) (any, error) {
	var args struct {
		callArgs
		Path            string `json:"path"`
		ClientLocksOnly bool   `json:"clientLocksOnly"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.LocksOption]
	with.add(safefile.AtOrBelow(args.Path))
	if args.ClientLocksOnly {
		with.add(safefile.ClientLocksOnly())
	}
	ctx, cancel := args.context()
	defer cancel()
	found, err := all(c.client.Locks.List(ctx, with.list...))
	if err != nil {
		return nil, err
	}
	return object{"locks": found}, nil
}

func breakLock(c *call) (any, error) {
	var args struct {
		callArgs
		LockID string `json:"lockId"`
		Reason string `json:"reason"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	ctx, cancel := args.context()
	defer cancel()
	if _, err := c.client.Locks.Break(ctx, args.LockID, args.Reason); err != nil {
		return nil, err
	}
	return object{}, nil
}

func hold(c *call) (any, error) {
	var args struct {
		lockArgs
		Handle string `json:"handle"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	ctx, cancel := args.context()
	defer cancel()
	found, err := c.client.Locks.Hold(ctx, args.targets(), args.options()...)
	if err != nil {
		return nil, err
	}
	c.driver.mutex.Lock()
	defer c.driver.mutex.Unlock()
	c.driver.holds[c.key(args.Handle)] = found
	return object{"lockId": found.ID(), "fencingToken": found.FencingToken()}, nil
}

func isHeld(c *call) (any, error) {
	var args handleArgs
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	found, err := c.hold(args.Handle)
	if err != nil {
		return nil, err
	}
	return object{"lost": found.Err() != nil}, nil
}

func unhold(c *call) (any, error) {
	var args handleArgs
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	found, err := c.hold(args.Handle)
	if err != nil {
		return nil, err
	}
	ctx, cancel := args.context()
	defer cancel()
	released, err := found.Release(ctx)
	if err != nil {
		return nil, err
	}
	c.driver.mutex.Lock()
	defer c.driver.mutex.Unlock()
	delete(c.driver.holds, c.key(args.Handle))
	return object{"released": released}, nil
}

func (c *call) hold(handle string) (*safefile.HeldLock, error) {
	c.driver.mutex.Lock()
	defer c.driver.mutex.Unlock()
	if found, ok := c.driver.holds[c.key(handle)]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("there is no held lock %q", handle)
}
