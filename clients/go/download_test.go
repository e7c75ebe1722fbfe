package safefile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"hash/crc32"
	"io"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

func header(offset, size, whole int64) *safefilev1.ReadFileResponse {
	return &safefilev1.ReadFileResponse{Part: &safefilev1.ReadFileResponse_Header{Header: &safefilev1.ContentHeader{
		File: &safefilev1.FileInfo{SizeBytes: whole}, Offset: offset, SizeBytes: size,
	}}}
}

func chunk(offset int64, data string) *safefilev1.ReadFileResponse {
	sum := crc32.Checksum([]byte(data), castagnoli)
	return &safefilev1.ReadFileResponse{Part: &safefilev1.ReadFileResponse_Chunk{Chunk: &safefilev1.ContentChunk{
		Data: []byte(data), Offset: offset, Crc32C: &sum,
	}}}
}

func damaged(offset int64, data string) *safefilev1.ReadFileResponse {
	found := chunk(offset, data)
	found.GetChunk().Data[0] ^= 1
	return found
}

func trailer(size int64, of string) *safefilev1.ReadFileResponse {
	sum := sha256.Sum256([]byte(of))
	return &safefilev1.ReadFileResponse{Part: &safefilev1.ReadFileResponse_Trailer{Trailer: &safefilev1.ContentTrailer{
		Sha256: sum[:], SizeBytes: size,
	}}}
}

type readParts []*safefilev1.ReadFileResponse

func sends(parts readParts, end error) *script {
	s := &script{}
	s.read = func(_ *safefilev1.ReadFileRequest, stream grpc.ServerStreamingServer[safefilev1.ReadFileResponse]) error {
		for _, part := range parts {
			if err := stream.Send(part); err != nil {
				return err
			}
		}
		return end
	}
	return s
}

func TestDownloadOfAWholeFile(t *testing.T) {
	client := sends(readParts{header(0, 6, 6), chunk(0, "abc"), chunk(3, "def"), trailer(6, "abcdef")}, nil).client(t)
	found, err := client.Download(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	data, err := io.ReadAll(found)
	sum := sha256.Sum256([]byte("abcdef"))
	if err != nil || string(data) != "abcdef" || !bytes.Equal(found.SHA256(), sum[:]) {
		t.Errorf("found %q, %v", data, err)
	}
	// io.Copy takes the other way.
	data, file, err := client.Read(t.Context(), "a")
	if err != nil || string(data) != "abcdef" || file.GetSizeBytes() != 6 {
		t.Errorf("found %q, %v", data, err)
	}
	if _, _, err := client.Read(t.Context(), "a", MaxBytes(5)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("more than allowed ended with %v", err)
	}
}

func TestDownloadIsNeverAShortFile(t *testing.T) {
	for name, parts := range map[string]readParts{
		"no header":         {chunk(0, "abc")},
		"a negative size":   {header(0, -1, -1), trailer(-1, "")},
		"a negative offset": {header(-3, 3, 9), chunk(-3, "abc"), trailer(3, "")},
		"no trailer":        {header(0, 3, 3), chunk(0, "abc")},
		"a gap":             {header(0, 6, 6), chunk(0, "abc"), chunk(4, "ef"), trailer(6, "abcdef")},
		"a gap in a part":   {header(0, 6, 9), chunk(0, "abc"), chunk(4, "def"), trailer(6, "")},
		"too short":         {header(0, 6, 6), chunk(0, "abc"), trailer(6, "abc")},
		"too long":          {header(0, 3, 3), chunk(0, "abcd"), trailer(4, "abcd")},
		"damaged":           {header(0, 3, 9), damaged(0, "abc"), trailer(3, "")},
		"another digest":    {header(0, 3, 3), chunk(0, "abc"), trailer(3, "abd")},
		"more behind":       {header(0, 3, 3), chunk(0, "abc"), trailer(3, "abc"), chunk(3, "d")},
		"two headers":       {header(0, 3, 3), header(0, 3, 3)},
	} {
		_, _, err := sends(parts, nil).client(t).Read(t.Context(), "a")
		var found *Error
		if !errors.As(err, &found) || found.Code != codes.DataLoss {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A status after the trailer counts too.
	parts := readParts{header(0, 3, 3), chunk(0, "abc"), trailer(3, "abc")}
	_, _, err := sends(parts, status.Error(codes.Internal, "late")).client(t).Read(t.Context(), "a")
	if status.Code(err) != codes.Internal {
		t.Errorf("a late failure ended with %v", err)
	}
}

func TestCloseReadsToTheEnd(t *testing.T) {
	parts := readParts{header(0, 3, 3), chunk(0, "abc"), trailer(3, "abd")}
	found, err := sends(parts, nil).client(t).Download(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, 3)
	if _, err := io.ReadFull(found, data); err != nil {
		t.Fatal(err)
	}
	if err := found.Close(); status.Code(err) != codes.DataLoss {
		t.Errorf("what came after the last byte was not looked at: %v", err)
	}
	if _, err := found.Read(data); err == nil {
		t.Error("a closed download can be read")
	}
}
