package safefile

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// source is where the bytes of an upload come from.
type source interface {
	// open gives the bytes from an offset on. Closing what it returns is up to the caller.
	open(from int64) (io.ReadCloser, error)
	// replayable tells whether the same bytes can be had once more.
	replayable() bool
}

// memory is a source whose size and digest are known beforehand.
type memory struct {
	seeker
	size int64
}

// inMemory takes bytes that nobody changes meanwhile.
func inMemory(data []byte) *memory {
	return &memory{seeker{bytes.NewReader(data), 0}, int64(len(data))}
}

// sourceOf finds out what a reader can do.
func sourceOf(reader io.Reader) source {
	switch typed := reader.(type) {
	case *bytes.Buffer:
		return inMemory(typed.Bytes())
	case *bytes.Reader:
		return &memory{seeker{typed, typed.Size() - int64(typed.Len())}, int64(typed.Len())}
	case *strings.Reader:
		return &memory{seeker{typed, typed.Size() - int64(typed.Len())}, int64(typed.Len())}
	case io.ReadSeeker:
		// A pipe is an *os.File too, and says here that it cannot seek.
		if at, err := typed.Seek(0, io.SeekCurrent); err == nil {
			return seeker{typed, at}
		}
	}
	return once{reader}
}

// seeker begins where the reader stood.
type seeker struct {
	reader io.ReadSeeker
	base   int64
}

func (s seeker) replayable() bool { return true }

func (s seeker) open(from int64) (io.ReadCloser, error) {
	_, err := s.reader.Seek(s.base+from, io.SeekStart)
	return io.NopCloser(s.reader), err
}

// once is a stream that cannot be read again.
type once struct{ reader io.Reader }

func (o once) replayable() bool { return false }

func (o once) open(int64) (io.ReadCloser, error) { return io.NopCloser(o.reader), nil }

// opener opens the source as often as it is needed.
type opener func() (io.ReadCloser, error)

func (o opener) replayable() bool { return true }

func (o opener) open(from int64) (io.ReadCloser, error) {
	reader, err := o()
	if err != nil || from == 0 {
		return reader, err
	}
	if seeker, ok := reader.(io.Seeker); ok {
		// Its beginning is where it was opened.
		if _, err := seeker.Seek(from, io.SeekCurrent); err == nil {
			return reader, nil
		}
	}
	// A source that has become shorter gives nothing more, and the service says what it makes of that.
	if _, err := io.CopyN(io.Discard, reader, from); err != nil && err != io.EOF {
		reader.Close()
		return nil, err
	}
	return reader, nil
}

// sourceError is a failure of the source and none of the call, whatever it wraps.
type sourceError struct {
	path  string
	cause error
}

func (e *sourceError) Error() string {
	return fmt.Sprintf("safefile: reading what to upload to %s: %v", e.path, e.cause)
}

func (e *sourceError) Unwrap() error { return e.cause }
