// The driver of the Go client for the conformance suite: test/conformance/PROTOCOL.md has what it reads and writes.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
	"time"

	safefile "github.com/safefile/safefile/clients/go"
)

// After the last line, commands that are under way may still answer for so long.
const lastAnswersWait = 5 * time.Second

// command is one line of standard input.
type command struct {
	ID     json.RawMessage `json:"id"`
	Client string          `json:"client"`
	Verb   string          `json:"verb"`
	Args   json.RawMessage `json:"args"`
}

// answer is one line of standard output.
type answer struct {
	ID    json.RawMessage `json:"id"`
	Value any             `json:"value,omitempty"`
	Error any             `json:"error,omitempty"`
}

// object is what most values are.
type object map[string]any

func main() {
	driver := &driver{
		clients: map[string]*safefile.Client{},
		watches: map[string]*watch{},
		holds:   map[string]*safefile.HeldLock{},
	}
	if err := driver.serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (d *driver) serve(input io.Reader, output io.Writer) error {
	var running sync.WaitGroup
	var writing sync.Mutex
	write := func(found answer) {
		line, err := json.Marshal(found)
		if err != nil {
			line, _ = json.Marshal(answer{ID: found.ID, Error: object{"other": err.Error()}})
		}
		writing.Lock()
		defer writing.Unlock()
		// Each whole line at once.
		_, _ = output.Write(append(line, '\n'))
	}
	lines := bufio.NewReaderSize(input, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			running.Go(func() { write(d.answer(line)) })
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	done := make(chan struct{})
	go func() {
		running.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-time.After(lastAnswersWait):
	}
	return nil
}

func (d *driver) answer(line []byte) (found answer) {
	var command command
	if err := json.Unmarshal(line, &command); err != nil {
		return answer{ID: json.RawMessage("null"), Error: object{"other": err.Error()}}
	}
	found.ID = command.ID
	defer func() {
		if failure := recover(); failure != nil {
			fmt.Fprintf(os.Stderr, "%v\n%s", failure, debug.Stack())
			found = answer{ID: command.ID, Error: object{"other": fmt.Sprint(failure)}}
		}
	}()
	value, err := d.run(command)
	if err != nil {
		found.Error = errorValue(err)
		return found
	}
	found.Value = value
	return found
}
