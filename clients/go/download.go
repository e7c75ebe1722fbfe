package safefile

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"io/fs"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

// ErrTooLarge is the error of a read that would take more than [MaxBytes] into memory.
var ErrTooLarge = errors.New("safefile: the content is larger than the read allows")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// contentPart is a message of ReadFile or ReadRevision.
type contentPart interface {
	GetHeader() *safefilev1.ContentHeader
	GetChunk() *safefilev1.ContentChunk
	GetTrailer() *safefilev1.ContentTrailer
}

// Download is content as it arrives, all of one revision. It is whole only when Read has returned io.EOF, or WriteTo
// no error: then every byte came, in order, with its CRC32C and the server's SHA-256. It must be closed.
type Download struct {
	header  *safefilev1.ContentHeader
	path    string
	receive func() (contentPart, error)
	cancel  context.CancelFunc
	idle    idleTimer
	idleMax time.Duration

	at     int64
	hash   hash.Hash
	sha256 []byte
	rest   []byte
	err    error
}

// openDownload waits for the header, so that what cannot be read fails here.
func openDownload[M contentPart](
	ctx context.Context, conn *conn, path string,
	start func(context.Context) (interface{ Recv() (M, error) }, error),
) (*Download, error) {
	ctx, cancel := context.WithCancel(ctx)
	d := &Download{path: path, cancel: cancel, idle: idleTimer{cancel: cancel}, idleMax: conn.idle, hash: sha256.New()}
	d.receive = func() (contentPart, error) {
		stream, err := start(ctx)
		if err != nil {
			return nil, err
		}
		d.receive = func() (contentPart, error) { return stream.Recv() }
		return d.receive()
	}
	first, err := d.next()
	if err == nil {
		switch header := first.GetHeader(); {
		case header == nil:
			err = dataLoss(path, "did not begin with a header")
		case header.GetOffset() < 0 || header.GetSizeBytes() < 0:
			err = dataLoss(path, "began with a negative offset or size")
		}
	}
	if err != nil {
		cancel()
		if errors.Is(err, io.EOF) {
			err = dataLoss(path, "did not begin with a header")
		}
		return nil, err
	}
	d.header = first.GetHeader()
	d.at = d.header.GetOffset()
	return d, nil
}

// File is the live file as it was when opened. Nil when a stored revision is read.
func (d *Download) File() *safefilev1.FileInfo { return d.header.GetFile() }

// Revision is the stored revision. Nil when the live file is read.
func (d *Download) Revision() *safefilev1.Revision { return d.header.GetRevision() }

// Offset is where in the content the first byte lies.
func (d *Download) Offset() int64 { return d.header.GetOffset() }

// Size is how many bytes will come.
func (d *Download) Size() int64 { return d.header.GetSizeBytes() }

// SHA256 is that of the whole content, computed here and equal to the server's. Nil before the end, or of a part.
func (d *Download) SHA256() []byte { return d.sha256 }

// Read gives the next bytes. Reading slowly slows the server down.
func (d *Download) Read(into []byte) (int, error) {
	for len(d.rest) == 0 {
		if d.err != nil {
			return 0, d.err
		}
		if len(into) == 0 {
			return 0, nil
		}
		d.advance()
	}
	n := copy(into, d.rest)
	d.rest = d.rest[n:]
	return n, nil
}

// WriteTo writes all that is left; io.Copy uses it.
func (d *Download) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		if len(d.rest) > 0 {
			n, err := w.Write(d.rest)
			total += int64(n)
			d.rest = d.rest[n:]
			if err != nil {
				return total, err
			}
		}
		if errors.Is(d.err, io.EOF) {
			return total, nil
		}
		if d.err != nil {
			return total, d.err
		}
		d.advance()
	}
}

// Close ends it, early where not all has come. When every byte has come it looks whether the content was whole, and
// says so if not.
func (d *Download) Close() error {
	defer d.cancel()
	// To the very end: a call that is cancelled instead resets its stream, and HTTP/2 servers end connections that
	// reset more than some thousand (CVE-2023-44487).
	var found error
	for d.err == nil && d.at-d.Offset() == d.Size() {
		d.advance()
		if d.err != nil && !errors.Is(d.err, io.EOF) {
			found = d.err
		}
	}
	d.err = fs.ErrClosed
	d.rest = nil
	return found
}

// advance takes the next chunk into rest, or sets err.
func (d *Download) advance() {
	d.rest, d.err = d.piece()
	if d.err != nil {
		d.cancel()
	}
}

func (d *Download) piece() ([]byte, error) {
	part, err := d.next()
	if errors.Is(err, io.EOF) {
		return nil, dataLoss(d.path, "was cut short")
	}
	if err != nil {
		return nil, err
	}
	if trailer := part.GetTrailer(); trailer != nil {
		return nil, d.end(trailer)
	}
	chunk := part.GetChunk()
	if chunk == nil {
		return nil, dataLoss(d.path, "held something unknown")
	}
	data := chunk.GetData()
	if chunk.GetOffset() != d.at {
		return nil, dataLoss(d.path, fmt.Sprintf("jumped from byte %d to %d", d.at, chunk.GetOffset()))
	}
	if d.at-d.Offset()+int64(len(data)) > d.Size() {
		return nil, dataLoss(d.path, "held more bytes than it said")
	}
	if chunk.Crc32C != nil && crc32.Checksum(data, castagnoli) != chunk.GetCrc32C() {
		return nil, dataLoss(d.path, "was damaged on the way")
	}
	d.at += int64(len(data))
	if d.whole() {
		d.hash.Write(data)
	}
	return data, nil
}

// end compares with the trailer. io.EOF when all is as it should be.
func (d *Download) end(trailer *safefilev1.ContentTrailer) error {
	sent := d.at - d.Offset()
	if trailer.GetSizeBytes() != sent || sent != d.Size() {
		return dataLoss(d.path, fmt.Sprintf("came with %d bytes of %d", sent, d.Size()))
	}
	if d.whole() && len(trailer.GetSha256()) > 0 {
		sum := d.hash.Sum(nil)
		if !bytes.Equal(sum, trailer.GetSha256()) {
			return dataLoss(d.path, "does not have the SHA-256 it came with")
		}
		d.sha256 = sum
	}
	_, err := d.next()
	if err == nil {
		return dataLoss(d.path, "went on after its end")
	}
	return err
}

func (d *Download) whole() bool {
	size := int64(-1)
	if file := d.File(); file != nil {
		size = file.GetSizeBytes()
	} else if revision := d.Revision(); revision != nil {
		size = revision.GetSizeBytes()
	}
	return d.Offset() == 0 && d.Size() == size
}

// next waits for a message, as long as the stream may stand still.
func (d *Download) next() (part contentPart, err error) {
	err = d.idle.during(d.idleMax, func() (err error) {
		part, err = d.receive()
		return err
	})
	if err == nil || errors.Is(err, io.EOF) {
		return part, err
	}
	if d.idle.expired.Load() {
		return nil, &Error{
			Code:     codes.DeadlineExceeded,
			Message:  fmt.Sprintf("Nothing of %s came for %s.", d.path, d.idleMax),
			Metadata: map[string]string{"path": d.path},
		}
	}
	return nil, err
}

// bytes takes all of it into memory.
func (d *Download) bytes(limit int64) ([]byte, error) {
	defer d.Close()
	if d.Size() > limit {
		return nil, fmt.Errorf("%w: %s has %d bytes, more than %d: use Download", ErrTooLarge, d.path, d.Size(), limit)
	}
	var into bytes.Buffer
	into.Grow(int(d.Size()))
	if _, err := d.WriteTo(&into); err != nil {
		return nil, err
	}
	return into.Bytes(), nil
}
