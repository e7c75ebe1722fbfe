package safefile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

const (
	// How often the service may name another offset without holding more than before.
	offsetsWithoutProgressMax = 3
	// Where no content ends: the largest number that all languages hold exactly.
	sizeUnknown = 1<<53 - 1
)

// Upload creates or replaces a file of any size. No more of the reader is read than the server takes. When the
// connection breaks it goes on from what the server holds, if the reader can seek, as an *os.File, a *bytes.Reader and
// an *io.SectionReader over an io.ReaderAt can; it begins where the reader stands. Other readers are sent once.
//
// An error of the reader is returned as it is, wrapped; nothing was changed then. When an earlier attempt may have
// committed, an [*Error] with the outcome [Unknown] wraps it.
func (c *Client) Upload(
	ctx context.Context, path string, reader io.Reader, options ...UploadOption,
) (*safefilev1.MutationResult, error) {
	return c.upload(ctx, path, sourceOf(reader), settingsOf(c, options))
}

// UploadFrom is [Client.Upload] of what open opens. It is called again when the upload has to be resumed, and what it
// returned is closed.
func (c *Client) UploadFrom(
	ctx context.Context, path string, open func() (io.ReadCloser, error), options ...UploadOption,
) (*safefilev1.MutationResult, error) {
	return c.upload(ctx, path, opener(open), settingsOf(c, options))
}

func (c *Client) upload(
	ctx context.Context, path string, from source, s *settings,
) (*safefilev1.MutationResult, error) {
	u := &upload{
		conn: c.conn, files: c.files, path: path, source: from, told: s.upload, size: sizeUnknown,
		answerMax: s.upload.answerWithin,
		header:    &safefilev1.UploadHeader{Volume: s.volume, Path: path, Options: s.mutation(), Mode: s.mode},
	}
	u.requestID = s.requestID
	if u.answerMax <= 0 {
		u.answerMax = c.conn.deadlineOf(u.header)
	}
	size, digest := s.upload.size, s.sha256
	if memory, ok := from.(*memory); ok {
		if size == nil {
			size = &memory.size
		}
		if len(digest) == 0 {
			var err error
			if digest, err = digestOf(memory); err != nil {
				return nil, &sourceError{path, err}
			}
		}
	}
	if size != nil {
		u.size = *size
		u.header.SizeBytes = size
	}
	u.header.Sha256 = digest
	u.content = sentContent{declared: len(digest) > 0, hash: sha256.New()}
	return u.run(ctx)
}

func digestOf(from source) ([]byte, error) {
	reader, err := from.open(0)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	_, err = io.Copy(sum, reader)
	return sum.Sum(nil), err
}

// upload is one upload over all its attempts.
type upload struct {
	conn      *conn
	files     safefilev1.FileOpsServiceClient
	path      string
	source    source
	told      uploadSettings
	header    *safefilev1.UploadHeader
	requestID string
	// Of the whole, or sizeUnknown.
	size int64
	// How long the answer may take after the last byte.
	answerMax time.Duration
	content   sentContent
}

// run sends the source. While the service is UNAVAILABLE, or the connection breaks, it goes on from the bytes that the
// service holds, if the source can be read again.
func (u *upload) run(ctx context.Context) (*safefilev1.MutationResult, error) {
	replayable := u.source.replayable()
	u.header.UploadId = u.told.uploadID
	if u.header.UploadId == "" && replayable {
		u.header.UploadId = newID()
	}
	var start, held int64
	if u.told.uploadID != "" && replayable {
		// Somebody else's beginning can only be asked for: a first chunk beyond it is answered with how much there is.
		start = u.size
	}
	retry := newRetry(u.conn.retry)
	fruitless := 0
	for {
		attempt := attempt{upload: u}
		result, err := attempt.run(ctx, start)
		if err == nil {
			return result, nil
		}
		var ofSource *sourceError
		if errors.As(err, &ofSource) {
			// The source failed when it was read again: that says nothing of the attempt before.
			if retry.unknown != nil {
				return nil, retry.unknown.because(err)
			}
			return nil, err
		}
		failure := errorFrom(ctx, err)
		if !replayable && attempt.began {
			return nil, failure
		}
		if offset, ok := offsetIn(failure); ok && replayable && fruitless < offsetsWithoutProgressMax {
			fruitless++
			if offset > held {
				// The last failure was followed by progress, so the next one is a first one again.
				fruitless = 0
				retry.reset()
			}
			// A service that holds now more, now less, comes to an end too.
			held, start = max(held, offset), offset
			if offset > 0 && u.told.onResume != nil {
				u.told.onResume(offset)
			}
			continue
		}
		if err := retry.after(ctx, failure, u.requestID); err != nil {
			return nil, err
		}
		// A guess: the service names the offset if it holds less than what was handed to the connection. An attempt that
		// never got through says nothing new.
		start = max(start, attempt.sent)
	}
}

// offsetIn is how much the service holds, when that is what it has to say.
func offsetIn(failure *Error) (int64, bool) {
	if failure.Code != codes.InvalidArgument {
		return 0, false
	}
	offset, err := strconv.ParseInt(failure.Metadata["upload_offset"], 10, 64)
	return offset, err == nil && offset >= 0
}

// sentContent is the digest of what is sent, over all attempts: bytes that are read again are not counted again.
type sentContent struct {
	// Whether the server compares the digest itself.
	declared bool
	// Whether it may be there without having been read.
	unread bool
	hashed int64
	hash   hash.Hash
}

// readFrom is where the source has to be read from, so that it can be sent from start on.
func (c *sentContent) readFrom(start int64) int64 {
	if c.declared {
		return start
	}
	return min(start, c.hashed)
}

func (c *sentContent) add(data []byte, offset int64) {
	c.unread = false
	if c.declared {
		return
	}
	fresh := data[min(int64(len(data)), c.hashed-offset):]
	c.hash.Write(fresh)
	c.hashed += int64(len(fresh))
}

// is checks after the fact, for a source whose digest was not known before.
func (c *sentContent) is(sum []byte) bool {
	return c.declared || c.unread || len(sum) == 0 || bytes.Equal(c.hash.Sum(nil), sum)
}

func (u *upload) compare(result *safefilev1.MutationResult) error {
	revision := result.GetRevision()
	if u.content.is(revision.GetSha256()) {
		return nil
	}
	return &Error{
		Code: codes.DataLoss,
		Message: fmt.Sprintf("Revision %d of %s does not hold the bytes that were sent. Upload it again.",
			revision.GetRevision(), revision.GetPath()),
		Outcome:  Committed,
		Metadata: map[string]string{requestIDKey: u.requestID, "path": u.path},
	}
}
