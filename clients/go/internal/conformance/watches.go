package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	safefile "github.com/safefile/safefile/clients/go"
)

// watch collects what a watch gives until somebody asks.
type watch struct {
	cancel context.CancelFunc
	mutex  sync.Mutex
	// Since the last watchNext.
	events  []json.RawMessage
	changes int
	ended   bool
	err     error
	// Closed, and replaced, at each event.
	moved chan struct{}
}

type handleArgs struct {
	callArgs
	Handle string `json:"handle"`
}

// key is the handle of one client.
func (c *call) key(handle string) string { return c.name + "/" + handle }

func startWatch(c *call) (any, error) {
	var args struct {
		handleArgs
		Path        string `json:"path"`
		Recursive   bool   `json:"recursive"`
		ResumeToken string `json:"resumeToken"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.WatchOption]
	with.add(safefile.ResumeAfter(args.ResumeToken))
	if args.Recursive {
		with.add(safefile.Recursive())
	}
	ctx, cancel := args.streamContext()
	found := &watch{cancel: cancel, moved: make(chan struct{})}
	go func() {
		defer cancel()
		for event, err := range c.client.Watch(ctx, args.Path, with.list...) {
			if err != nil {
				found.move(func() { found.err = err })
				break
			}
			found.move(func() {
				found.events = append(found.events, canonical(event))
				if event.GetChange() != nil {
					found.changes++
				}
			})
		}
		found.move(func() { found.ended = true })
	}()
	first := func() bool { return len(found.events) > 0 }
	if err := found.wait(context.Background(), first); err != nil {
		return nil, err
	}
	c.driver.mutex.Lock()
	defer c.driver.mutex.Unlock()
	c.driver.watches[c.key(args.Handle)] = found
	return object{}, nil
}

func watchNext(c *call) (any, error) {
	var args struct {
		handleArgs
		Changes int `json:"changes"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	found, err := c.watch(args.Handle)
	if err != nil {
		return nil, err
	}
	ctx, cancel := args.context()
	defer cancel()
	enough := func() bool { return found.changes >= args.Changes && (len(found.events) > 0 || !found.ended) }
	if err := found.wait(ctx, enough); err != nil {
		return nil, err
	}
	found.mutex.Lock()
	defer found.mutex.Unlock()
	events := found.events
	if events == nil {
		events = []json.RawMessage{}
	}
	found.events, found.changes = nil, 0
	return object{"events": events}, nil
}

func watchStop(c *call) (any, error) {
	var args handleArgs
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	found, err := c.watch(args.Handle)
	if err != nil {
		return nil, err
	}
	c.driver.mutex.Lock()
	delete(c.driver.watches, c.key(args.Handle))
	c.driver.mutex.Unlock()
	found.cancel()
	return object{}, nil
}

func (c *call) watch(handle string) (*watch, error) {
	c.driver.mutex.Lock()
	defer c.driver.mutex.Unlock()
	if found, ok := c.driver.watches[c.key(handle)]; ok {
		return found, nil
	}
	return nil, fmt.Errorf("there is no watch %q", handle)
}

func (w *watch) move(change func()) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	change()
	close(w.moved)
	w.moved = make(chan struct{})
}

// wait returns when enough, looked at under the mutex, is true, or with the watch's error when it has ended before.
func (w *watch) wait(ctx context.Context, enough func() bool) error {
	for {
		w.mutex.Lock()
		done, ended, err, moved := enough(), w.ended, w.err, w.moved
		w.mutex.Unlock()
		switch {
		case done:
			return nil
		case ended && err == nil:
			return errors.New("the watch has ended")
		case ended:
			return err
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return fmt.Errorf("no more came: %w", ctx.Err())
		}
	}
}
