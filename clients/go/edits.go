package safefile

import (
	"context"
	"crypto/sha256"
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

// Appended is what an append did.
type Appended struct {
	Result *safefilev1.MutationResult
	// Offset is where in the file the added bytes begin.
	Offset int64
}

// Edit replaces Length bytes at Offset by Data.
type Edit struct {
	// Offset counts in the content before any edit. At most its size.
	Offset int64
	// Length is how many bytes go. 0 inserts.
	Length int64
	// Data is what comes instead. Empty removes.
	Data []byte
}

// Append adds 1 byte to 1 MiB at the end of a file, creating it when it is missing. Readers see all of them or none.
// [Mode] is that of a file that did not exist.
func (c *Client) Append(ctx context.Context, path string, data []byte, options ...WriteOption) (*Appended, error) {
	s := settingsOf(c, options)
	sum := sha256.Sum256(data)
	request := &safefilev1.AppendFileRequest{
		Volume: s.volume, Path: path, Options: s.mutation(), Data: data, Mode: s.mode, Sha256: sum[:],
	}
	if err := checkSize(len(data), "data", s); err != nil {
		return nil, err
	}
	answer, err := c.files.AppendFile(ctx, request)
	result, err := resultOf(answer, err, s)
	if err != nil {
		return nil, err
	}
	return &Appended{Result: result, Offset: answer.GetOffset()}, nil
}

// Patch replaces parts of a file that exists. Readers see all edits or none. The edits, 1 to 1,000 with at most 1 MiB
// of data together, come in rising order of offset and without overlap. Offsets mean little without [IfETag] or
// [IfRevision].
func (c *Client) Patch(
	ctx context.Context, path string, edits []Edit, options ...PatchOption,
) (*safefilev1.MutationResult, error) {
	s := settingsOf(c, options)
	request := &safefilev1.PatchFileRequest{
		Volume: s.volume, Path: path, Options: s.mutation(), Edits: editsOf(edits), Sha256: s.sha256,
	}
	if err := checkSize(bytesOf(edits), "edits", s); err != nil {
		return nil, err
	}
	answer, err := c.files.PatchFile(ctx, request)
	return resultOf(answer, err, s)
}

// SetAttributes changes mode, time or extended attributes of a file, as one revision. At least one must be given.
func (c *Client) SetAttributes(
	ctx context.Context, path string, options ...AttributesOption,
) (*safefilev1.MutationResult, error) {
	s := settingsOf(c, options)
	request := &safefilev1.SetAttributesRequest{
		Volume: s.volume, Path: path, Options: s.mutation(), Mode: s.mode, UpdateTime: timestampOf(s.updateTime),
		SetXattrs: s.setXattrs, RemoveXattrs: s.removeXattrs,
	}
	answer, err := c.files.SetAttributes(ctx, request)
	return resultOf(answer, err, s)
}

func editsOf(edits []Edit) []*safefilev1.FileEdit {
	found := make([]*safefilev1.FileEdit, len(edits))
	for at, edit := range edits {
		found[at] = &safefilev1.FileEdit{Offset: edit.Offset, Length: edit.Length, Data: edit.Data}
	}
	return found
}

func bytesOf(edits []Edit) int {
	sum := 0
	for _, edit := range edits {
		sum += len(edit.Data)
	}
	return sum
}

// checkSize refuses what would not fit into a message: the refusal of that would not say what became of the file.
func checkSize(size int, field string, s *settings) error {
	if size <= dataBytesMax {
		return nil
	}
	return refusal(field, fmt.Sprintf("must be at most %d bytes", dataBytesMax), s.requestID)
}

func timestampOf(given *time.Time) *timestamppb.Timestamp {
	if given == nil {
		return nil
	}
	return timestamppb.New(*given)
}
