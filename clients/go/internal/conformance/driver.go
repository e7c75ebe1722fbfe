package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.opentelemetry.io/otel/propagation"

	safefile "github.com/safefile/safefile/clients/go"
)

// driver has what lives longer than one command.
type driver struct {
	mutex   sync.Mutex
	clients map[string]*safefile.Client
	watches map[string]*watch
	holds   map[string]*safefile.HeldLock
}

// call is a command that is run.
type call struct {
	driver *driver
	client *safefile.Client
	// The client's name before the handle's, so that two clients may use one.
	name string
	args json.RawMessage
}

// verbs have their names from the protocol.
var verbs = map[string]func(*call) (any, error){
	"stat": stat, "list": list, "read": read, "download": download, "readRevision": readRevision,
	"revisions": revisions,
	"write":     write, "upload": upload, "append": appendBytes, "patch": patch, "setAttributes": setAttributes,
	"move": move, "copy": copyFile, "makeDirectory": makeDirectory, "remove": remove, "rollback": rollback,
	"transaction":  transaction,
	"startRestore": startRestore, "watchRestore": watchRestore,
	"watch": startWatch, "watchNext": watchNext, "watchStop": watchStop,
	"acquire": acquire, "renew": renew, "release": release, "listLocks": listLocks, "breakLock": breakLock,
	"hold": hold, "held": isHeld, "unhold": unhold,
}

func (d *driver) run(command command) (any, error) {
	if len(command.Args) == 0 {
		command.Args = json.RawMessage("{}")
	}
	c := &call{driver: d, name: command.Client, args: command.Args}
	switch command.Verb {
	case "golden":
		return golden(c)
	case "open":
		return open(c)
	}
	d.mutex.Lock()
	c.client = d.clients[command.Client]
	d.mutex.Unlock()
	if c.client == nil {
		return nil, fmt.Errorf("there is no client %q", command.Client)
	}
	if command.Verb == "close" {
		d.mutex.Lock()
		delete(d.clients, command.Client)
		d.mutex.Unlock()
		return object{}, c.client.Close()
	}
	verb, ok := verbs[command.Verb]
	if !ok {
		return nil, fmt.Errorf("the driver does not know the verb %q", command.Verb)
	}
	return verb(c)
}

// decode refuses arguments that the verb does not know.
func (c *call) decode(into any) error {
	decoder := json.NewDecoder(strings.NewReader(string(c.args)))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

// milliseconds is a number of them in JSON.
type milliseconds float64

func (m milliseconds) duration() time.Duration {
	return time.Duration(float64(m) * float64(time.Millisecond))
}

// integer is a number, or its text as in protobuf's JSON.
type integer int64

func (i *integer) UnmarshalJSON(text []byte) error {
	return json.Unmarshal([]byte(strings.Trim(string(text), `"`)), (*int64)(i))
}

func (i *integer) pointer() *int64 { return (*int64)(i) }

// callArgs are those of every call.
type callArgs struct {
	DeadlineMs    *milliseconds `json:"deadlineMs"`
	CancelAfterMs *milliseconds `json:"cancelAfterMs"`
	Traceparent   string        `json:"traceparent"`
}

// context is that of a call with a deadline.
func (a callArgs) context() (context.Context, context.CancelFunc) {
	ctx, cancel := a.streamContext()
	if a.DeadlineMs == nil {
		return ctx, cancel
	}
	ctx, end := context.WithTimeout(ctx, a.DeadlineMs.duration())
	return ctx, func() { end(); cancel() }
}

// streamContext is that of a stream of content, or of a watch, which have no deadline.
func (a callArgs) streamContext() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	if a.Traceparent != "" {
		carrier := propagation.MapCarrier{"traceparent": a.Traceparent}
		ctx = propagation.TraceContext{}.Extract(ctx, carrier)
	}
	if a.CancelAfterMs != nil {
		timer := time.AfterFunc(a.CancelAfterMs.duration(), cancel)
		return ctx, func() { timer.Stop(); cancel() }
	}
	return ctx, cancel
}

func open(c *call) (any, error) {
	var args struct {
		Addresses []string `json:"addresses"`
		Retry     struct {
			AttemptsMax  int          `json:"attemptsMax"`
			TimeMsMax    milliseconds `json:"timeMsMax"`
			BackoffMsMin milliseconds `json:"backoffMsMin"`
			BackoffMsMax milliseconds `json:"backoffMsMax"`
		} `json:"retry"`
		DeadlineMs *milliseconds `json:"deadlineMs"`
		IdleMs     *milliseconds `json:"idleMs"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	options := []safefile.ClientOption{safefile.WithRetry(safefile.RetryPolicy{
		AttemptsMax: args.Retry.AttemptsMax,
		TimeMax:     args.Retry.TimeMsMax.duration(),
		BackoffMin:  args.Retry.BackoffMsMin.duration(),
		BackoffMax:  args.Retry.BackoffMsMax.duration(),
	})}
	if args.DeadlineMs != nil {
		options = append(options, safefile.WithDeadline(args.DeadlineMs.duration()))
	}
	if args.IdleMs != nil {
		options = append(options, safefile.WithIdle(args.IdleMs.duration()))
	}
	client, err := safefile.New(strings.Join(args.Addresses, ","), options...)
	if err != nil {
		return nil, err
	}
	c.driver.mutex.Lock()
	defer c.driver.mutex.Unlock()
	if _, taken := c.driver.clients[c.name]; taken {
		client.Close()
		return nil, fmt.Errorf("there is a client %q already", c.name)
	}
	c.driver.clients[c.name] = client
	return object{}, nil
}
