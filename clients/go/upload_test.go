package safefile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

type uploadStream = grpc.ClientStreamingServer[safefilev1.UploadFileRequest, safefilev1.UploadFileResponse]

// keeper keeps what is uploaded, as the service does, and breaks streams.
type keeper struct {
	t    *testing.T
	held []byte
	// After so many bytes in all the stream breaks; one entry a stream.
	breaks  []int
	headers []*safefilev1.UploadHeader
	// The offset and size of each chunk.
	chunks [][2]int64
	// What the streams that were not ended ended with.
	ends []error
}

func (k *keeper) serve(stream uploadStream) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	k.headers = append(k.headers, first.GetHeader())
	limit := 1 << 40
	if len(k.breaks) > 0 {
		limit, k.breaks = k.breaks[0], k.breaks[1:]
	}
	for n := 0; ; n++ {
		message, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			k.ends = append(k.ends, err)
			return err
		}
		chunk := message.GetChunk()
		k.chunks = append(k.chunks, [2]int64{chunk.GetOffset(), int64(len(chunk.GetData()))})
		if chunk.GetOffset() != int64(len(k.held)) {
			return failure(codes.InvalidArgument, "ARGUMENT_INVALID",
				map[string]string{"upload_offset": strconv.Itoa(len(k.held))})
		}
		if len(chunk.GetData()) > 0 && chunk.GetCrc32C() != crc32.Checksum(chunk.GetData(), castagnoli) {
			k.t.Errorf("the chunk at %d has a wrong CRC32C", chunk.GetOffset())
		}
		k.held = append(k.held, chunk.GetData()...)
		if len(k.held) >= limit {
			return status.Error(codes.Unavailable, "the connection broke")
		}
	}
	sum := sha256.Sum256(k.held)
	return stream.SendAndClose(&safefilev1.UploadFileResponse{Result: &safefilev1.MutationResult{
		Revision: &safefilev1.Revision{Path: "a", Revision: 1, Sha256: sum[:]},
	}})
}

func (k *keeper) client(t *testing.T) *Client {
	k.t = t
	return (&script{upload: k.serve}).client(t)
}

func content(size int) []byte {
	data := make([]byte, size)
	for at := range data {
		data[at] = byte(at>>8) ^ byte(at*31)
	}
	return data
}

func TestUploadInChunks(t *testing.T) {
	k := &keeper{}
	data := content(2*chunkBytes + 5)
	var progress []int64
	_, err := k.client(t).Upload(t.Context(), "a", iotest.HalfReader(bytes.NewReader(data)),
		OnProgress(func(sent int64) { progress = append(progress, sent) }))
	if err != nil || !bytes.Equal(k.held, data) {
		t.Fatalf("%d bytes arrived, %v", len(k.held), err)
	}
	if len(k.chunks) != 3 || k.chunks[2] != [2]int64{2 * chunkBytes, 5} || len(progress) != 3 || progress[2] != int64(len(data)) {
		t.Errorf("chunks %v, progress %v", k.chunks, progress)
	}
	// It cannot be read again, and nothing of it is known beforehand.
	if header := k.headers[0]; header.UploadId != "" || header.SizeBytes != nil || len(header.Sha256) != 0 {
		t.Errorf("the header was %v", header)
	}
}

func TestBytesInMemoryAreDeclared(t *testing.T) {
	data := content(dataBytesMax + 1)
	sum := sha256.Sum256(data)
	for name, send := range map[string]func(*Client) error{
		"Write": func(c *Client) error { _, err := c.Write(t.Context(), "a", data); return err },
		"Upload": func(c *Client) error {
			_, err := c.Upload(t.Context(), "a", strings.NewReader(string(data)))
			return err
		},
	} {
		k := &keeper{}
		if err := send(k.client(t)); err != nil {
			t.Fatal(err)
		}
		header := k.headers[0]
		if header.GetSizeBytes() != int64(len(data)) || !bytes.Equal(header.Sha256, sum[:]) || header.UploadId == "" {
			t.Errorf("%s: the header was %v", name, header)
		}
	}
}

func TestUploadGoesOn(t *testing.T) {
	data := content(8 * chunkBytes)
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	// It begins where the file stands.
	for _, part := range [][]byte{[]byte("before"), data} {
		if _, err := file.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	opened := 0
	open := func() (io.ReadCloser, error) {
		opened++
		return io.NopCloser(iotest.OneByteReader(bytes.NewReader(data))), nil
	}
	for name, send := range map[string]func(*Client, UploadOption) error{
		"bytes": func(c *Client, o UploadOption) error {
			_, err := c.Upload(t.Context(), "a", bytes.NewReader(data), o)
			return err
		},
		"file": func(c *Client, o UploadOption) error {
			if _, err := file.Seek(6, io.SeekStart); err != nil {
				return err
			}
			_, err := c.Upload(t.Context(), "a", file, o)
			return err
		},
		"function": func(c *Client, o UploadOption) error {
			_, err := c.UploadFrom(t.Context(), "a", open, o)
			return err
		},
		"function that seeks": func(c *Client, o UploadOption) error {
			_, err := c.UploadFrom(t.Context(), "a", func() (io.ReadCloser, error) {
				opened, err := os.Open(file.Name())
				if err != nil {
					return nil, err
				}
				_, err = opened.Seek(6, io.SeekStart)
				return opened, err
			}, o)
			return err
		},
	} {
		k := &keeper{breaks: []int{2 * chunkBytes, 5 * chunkBytes}}
		var resumed []int64
		err := send(k.client(t), OnResume(func(offset int64) { resumed = append(resumed, offset) }))
		if err != nil || !bytes.Equal(k.held, data) {
			t.Errorf("%s: %d bytes arrived, %v", name, len(k.held), err)
		}
		if len(k.headers) < 3 || k.headers[0].UploadId != k.headers[2].UploadId {
			t.Errorf("%s: the headers were %v", name, k.headers)
		}
		for _, offset := range resumed {
			if offset != 2*chunkBytes && offset != 5*chunkBytes {
				t.Errorf("%s: resumed at %v", name, resumed)
			}
		}
	}
	if opened < 2 {
		t.Errorf("the source was opened %d times", opened)
	}
}

func TestUploadIDOfTheCallerIsAskedFor(t *testing.T) {
	data := content(3 * chunkBytes)
	for name, c := range map[string]struct {
		send func(*Client, ...UploadOption) error
		ask  int64
	}{
		"known": {func(c *Client, o ...UploadOption) error {
			_, err := c.Upload(t.Context(), "a", bytes.NewReader(data), o...)
			return err
		}, int64(len(data))},
		"unknown": {func(c *Client, o ...UploadOption) error {
			_, err := c.UploadFrom(t.Context(), "a", func() (io.ReadCloser, error) {
				return io.NopCloser(bytes.NewReader(data)), nil
			}, o...)
			return err
		}, sizeUnknown},
	} {
		k := &keeper{held: bytes.Clone(data[:chunkBytes])}
		resumed := int64(0)
		err := c.send(k.client(t), UploadID("mine"), OnResume(func(offset int64) { resumed = offset }))
		if err != nil || !bytes.Equal(k.held, data) || resumed != chunkBytes {
			t.Errorf("%s: %d bytes arrived, resumed at %d, %v", name, len(k.held), resumed, err)
		}
		want := [][2]int64{{c.ask, 0}, {chunkBytes, chunkBytes}, {2 * chunkBytes, chunkBytes}}
		if len(k.chunks) != 3 || k.chunks[0] != want[0] || k.chunks[1] != want[1] || k.headers[0].UploadId != "mine" {
			t.Errorf("%s: the chunks were %v", name, k.chunks)
		}
	}
	// All of it is there: nothing is read.
	k := &keeper{held: bytes.Clone(data)}
	_, err := k.client(t).Upload(t.Context(), "a", iotest.ErrReader(errors.New("read")), UploadID("mine"))
	if err == nil {
		t.Error("a reader that cannot be read again was not read")
	}
	broken := seekable{iotest.ErrReader(errors.New("read"))}
	if _, err := k.client(t).Upload(t.Context(), "a", broken, UploadID("mine"), Size(int64(len(data)))); err != nil {
		t.Errorf("what was there ended with %v", err)
	}
}

func TestAskingIsRepeated(t *testing.T) {
	data := content(2 * chunkBytes)
	k := &keeper{t: t, held: bytes.Clone(data[:chunkBytes])}
	streams := 0
	s := &script{upload: func(stream uploadStream) error {
		if streams++; streams == 1 {
			return status.Error(codes.Unavailable, "not yet")
		}
		return k.serve(stream)
	}}
	_, err := s.client(t).Upload(t.Context(), "a", bytes.NewReader(data), UploadID("mine"))
	if err != nil || !bytes.Equal(k.held, data) {
		t.Fatalf("%d bytes arrived, %v", len(k.held), err)
	}
	if len(k.chunks) != 2 || k.chunks[0] != [2]int64{int64(len(data)), 0} {
		t.Errorf("the chunks were %v", k.chunks)
	}
}

// seekable can seek and not read.
type seekable struct{ io.Reader }

func (seekable) Seek(offset int64, _ int) (int64, error) { return offset, nil }

func TestOffsetsWithoutProgressEnd(t *testing.T) {
	streams := 0
	s := &script{upload: func(stream uploadStream) error {
		streams++
		return failure(codes.InvalidArgument, "ARGUMENT_INVALID",
			map[string]string{"upload_offset": strconv.Itoa(streams % 2 * 3)})
	}}
	_, err := s.client(t).Upload(t.Context(), "a", bytes.NewReader(content(9)))
	if status.Code(err) != codes.InvalidArgument || streams > 1+1+offsetsWithoutProgressMax {
		t.Errorf("%d streams ended with %v", streams, err)
	}
}

func TestFailedSourceCancels(t *testing.T) {
	k := &keeper{}
	gone := errors.New("the disk is gone")
	source := io.MultiReader(bytes.NewReader(content(2*chunkBytes)), iotest.ErrReader(gone))
	done := make(chan error, 1)
	s := &script{upload: func(stream uploadStream) error {
		err := k.serve(stream)
		done <- err
		return err
	}}
	k.t = t
	_, err := s.client(t).Upload(t.Context(), "a", source)
	var typed *Error
	if !errors.Is(err, gone) || errors.As(err, &typed) {
		t.Errorf("found %v", err)
	}
	// An end of the requests would have been taken for the end of the file.
	if err := <-done; status.Code(err) != codes.Canceled {
		t.Errorf("the server saw %v", err)
	}
}

func TestSourceThatBreaksOffIsNoEnd(t *testing.T) {
	for _, want := range []error{io.ErrUnexpectedEOF, fmt.Errorf("the connection: %w", io.EOF), io.ErrNoProgress} {
		broken := iotest.ErrReader(want)
		if want == io.ErrNoProgress {
			broken = nothing{}
		}
		k := &keeper{}
		_, err := k.client(t).Upload(t.Context(), "a", io.MultiReader(bytes.NewReader(content(9)), broken))
		var ofSource *sourceError
		if !errors.As(err, &ofSource) || !errors.Is(err, want) {
			t.Errorf("a source that ended with %v: %v", want, err)
		}
	}
}

// nothing gives neither bytes nor an error.
type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

func TestSourceThatFailsLaterSettlesNothing(t *testing.T) {
	gone := errors.New("the disk is gone")
	opened := 0
	open := func() (io.ReadCloser, error) {
		if opened++; opened > 1 {
			return nil, gone
		}
		return io.NopCloser(strings.NewReader("abc")), nil
	}
	s := &script{upload: func(stream uploadStream) error {
		for {
			_, err := stream.Recv()
			if err == io.EOF {
				return status.Error(codes.Unavailable, "the connection broke")
			}
			if err != nil {
				return err
			}
		}
	}}
	_, err := s.client(t).UploadFrom(t.Context(), "a", open)
	var found *Error
	if !errors.As(err, &found) || found.Outcome != Unknown || found.RequestID() == "" || !errors.Is(err, gone) {
		t.Errorf("opened %d times, found %v", opened, err)
	}
}

func TestOtherBytesThanSentAreDataLoss(t *testing.T) {
	s := &script{upload: func(stream uploadStream) error {
		for {
			if _, err := stream.Recv(); err != nil {
				break
			}
		}
		return stream.SendAndClose(&safefilev1.UploadFileResponse{Result: &safefilev1.MutationResult{
			Revision: &safefilev1.Revision{Sha256: make([]byte, 32)},
		}})
	}}
	_, err := s.client(t).Upload(t.Context(), "a", iotest.HalfReader(strings.NewReader("abc")))
	var found *Error
	if !errors.As(err, &found) || found.Code != codes.DataLoss || found.Outcome != Committed || found.RequestID() == "" {
		t.Errorf("found %v", err)
	}
}

func TestStreamIsSentOnce(t *testing.T) {
	k := &keeper{breaks: []int{1}}
	_, err := k.client(t).Upload(t.Context(), "a", iotest.HalfReader(bytes.NewReader(content(chunkBytes))))
	var found *Error
	if !errors.As(err, &found) || found.Code != codes.Unavailable || found.Outcome == "" || len(k.headers) != 1 {
		t.Errorf("%d streams ended with %v", len(k.headers), err)
	}
}
