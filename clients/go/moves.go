package safefile

import (
	"context"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

// Moved is what a move did.
type Moved struct {
	// Result is about the target; its BackupRevision is one of the target.
	Result *safefilev1.MutationResult
	// SourceRevision is the revision that ended the source. Nil for [ValidateOnly].
	SourceRevision *safefilev1.Revision
}

// Move moves a file or directory, atomically; missing parents of the target are made. A directory moves with at most
// 1,000 files and directories in it, to where nothing is. [IfETag] and [IfRevision] are about the source.
func (c *Client) Move(ctx context.Context, source, target string, options ...MoveOption) (*Moved, error) {
	s := settingsOf(c, options)
	request := &safefilev1.MoveFileRequest{
		Volume: s.volume, Path: source, Options: s.mutation(), TargetPath: target, Overwrite: s.overwrite,
		TargetPrecondition: preconditionOf(s.targetETag, s.targetIfRevision),
	}
	answer, err := c.files.MoveFile(ctx, request)
	result, err := resultOf(answer, err, s)
	if err != nil {
		return nil, err
	}
	return &Moved{Result: result, SourceRevision: answer.GetSourceRevision()}, nil
}

// Copy copies a file, or one of its revisions; missing parents of the target are made.
func (c *Client) Copy(
	ctx context.Context, source, target string, options ...CopyOption,
) (*safefilev1.MutationResult, error) {
	s := settingsOf(c, options)
	request := &safefilev1.CopyFileRequest{
		Volume: s.volume, Path: source, Options: s.mutation(), TargetPath: target, Overwrite: s.overwrite,
		TargetPrecondition: preconditionOf(s.targetETag, s.targetIfRevision), Revision: s.fromRevision,
	}
	answer, err := c.files.CopyFile(ctx, request)
	return resultOf(answer, err, s)
}

// MakeDirectory makes a directory and its missing parents.
func (c *Client) MakeDirectory(
	ctx context.Context, path string, options ...MakeDirectoryOption,
) (*safefilev1.MutationResult, error) {
	s := settingsOf(c, options)
	request := &safefilev1.MakeDirectoryRequest{
		Volume: s.volume, Path: path, Options: s.mutation(), Mode: s.mode, AllowExisting: s.allowExisting,
	}
	answer, err := c.files.MakeDirectory(ctx, request)
	return resultOf(answer, err, s)
}
