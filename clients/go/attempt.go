package safefile

import (
	"context"
	"errors"
	"hash/crc32"
	"io"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

// attempt is one stream of an upload.
type attempt struct {
	*upload
	// Whether the source was touched.
	began bool
	// Up to where the source was handed to the connection, or was held by the service.
	sent int64
	// Whether the requests were ended, which asks for the commit. Until then a broken stream changes nothing.
	ended  bool
	stream grpc.ClientStreamingClient[safefilev1.UploadFileRequest, safefilev1.UploadFileResponse]
	idle   idleTimer
}

// A reader that gives neither bytes nor an error so many times in a row never will; bufio takes as many.
const emptyReadsMax = 100

// errAnswered ends the sending: the server has answered, or the stream is broken, which the answer tells.
var errAnswered = errors.New("the server has answered")

// run sends the source from start on. Whatever ends it before the requests were ended cancels the stream: an end of
// the requests would be taken for the end of the file.
func (a *attempt) run(ctx context.Context, start int64) (*safefilev1.MutationResult, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a.idle.cancel = cancel
	result, err := a.exchange(ctx, start)
	var ofSource *sourceError
	switch {
	case err == nil:
		return result, nil
	case errors.As(err, &ofSource):
		return nil, err
	}
	unanswered := NotCommitted
	if a.ended {
		unanswered = Unknown
	}
	failure := errorFrom(ctx, err)
	if a.idle.expired.Load() && failure.Reason == "" && failure.Code == codes.Canceled {
		failure = &Error{
			Code:     codes.DeadlineExceeded,
			Message:  "The server took too long for the upload.",
			Metadata: map[string]string{},
		}
	}
	return nil, failure.settle(a.requestID, true, unanswered)
}

func (a *attempt) exchange(ctx context.Context, start int64) (*safefilev1.MutationResult, error) {
	err := a.idle.during(a.conn.idle, func() (err error) {
		a.stream, err = a.files.UploadFile(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	err = a.send(start)
	switch {
	case err == nil:
		a.ended = true
		if err := a.stream.CloseSend(); err != nil {
			return nil, err
		}
	case !errors.Is(err, errAnswered):
		return nil, err
	}
	answer := &safefilev1.UploadFileResponse{}
	err = a.idle.during(a.answerMax, func() error { return a.stream.RecvMsg(answer) })
	if err != nil {
		return nil, err
	}
	result := answer.GetResult()
	if result == nil {
		return nil, lacking("the result", a.requestID)
	}
	if !a.ended {
		// An early answer is the answer; nothing asked for a commit.
		return result, nil
	}
	return result, a.compare(result)
}

func (a *attempt) send(start int64) error {
	header := &safefilev1.UploadFileRequest_Header{Header: a.header}
	if err := a.write(&safefilev1.UploadFileRequest{Part: header}); err != nil {
		return err
	}
	end := start
	if start > 0 && start == a.size {
		// All of it may be there: then it need not be read.
		a.content.unread = a.content.unread || a.content.hashed < start
	} else {
		var err error
		if end, err = a.sendSource(start); err != nil {
			return err
		}
	}
	if start > 0 && end == start {
		// Without any chunk the server could take this for an empty file: so it is told from where we meant to go on.
		return a.writeChunk(&safefilev1.ContentChunk{Offset: start})
	}
	return nil
}

// sendSource returns where the last chunk ended; start when none was sent.
func (a *attempt) sendSource(start int64) (end int64, err error) {
	at := a.content.readFrom(start)
	a.began = true
	reader, err := a.source.open(at)
	if err != nil {
		return start, &sourceError{a.path, err}
	}
	defer reader.Close()
	// What the server holds is read for the digest only, where it was not read before.
	for at < start {
		data, last, err := a.piece(reader, min(chunkBytes, start-at))
		if err != nil {
			return start, err
		}
		a.content.add(data, at)
		at += int64(len(data))
		a.sent = max(a.sent, at)
		if last {
			return start, nil
		}
	}
	end = start
	for last := false; !last; {
		var data []byte
		if data, last, err = a.piece(reader, chunkBytes); err != nil {
			return end, err
		}
		if len(data) == 0 {
			break
		}
		a.content.add(data, end)
		sum := crc32.Checksum(data, castagnoli)
		if err := a.writeChunk(&safefilev1.ContentChunk{Data: data, Offset: end, Crc32C: &sum}); err != nil {
			return end, err
		}
		end += int64(len(data))
		a.sent = max(a.sent, end)
		if a.told.onProgress != nil {
			a.told.onProgress(end)
		}
	}
	return end, nil
}

// piece reads size bytes, or fewer where they are the last. In a buffer of its own: gRPC may look at a message after
// it has taken it.
func (a *attempt) piece(reader io.Reader, size int64) (data []byte, last bool, err error) {
	data = make([]byte, size)
	filled := 0
	for empty := 0; filled < len(data); {
		n, err := reader.Read(data[filled:])
		filled += n
		switch {
		// Nothing but io.EOF itself is the end: io.ErrUnexpectedEOF, or an error that wraps io.EOF, is a source that broke
		// off, and what came of it is no file.
		case err == io.EOF:
			return data[:filled], true, nil
		case err != nil:
			return nil, true, &sourceError{a.path, err}
		case n > 0:
			empty = 0
		default:
			if empty++; empty == emptyReadsMax {
				return nil, true, &sourceError{a.path, io.ErrNoProgress}
			}
		}
	}
	return data, false, nil
}

func (a *attempt) writeChunk(chunk *safefilev1.ContentChunk) error {
	return a.write(&safefilev1.UploadFileRequest{Part: &safefilev1.UploadFileRequest_Chunk{Chunk: chunk}})
}

// write returns when the connection has room for the next one, or the server has answered.
func (a *attempt) write(message proto.Message) error {
	err := a.idle.during(a.conn.idle, func() error { return a.stream.SendMsg(message) })
	if errors.Is(err, io.EOF) {
		return errAnswered
	}
	return err
}
