package safefile

import (
	"context"
	"iter"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

// Point is what a restore goes back to: [AsOfTime] or [AsOfOperation].
type Point struct {
	apply func(*safefilev1.StartRestoreRequest)
}

// AsOfTime gives each path its newest revision that was committed at or before it.
func AsOfTime(at time.Time) Point {
	return Point{func(request *safefilev1.StartRestoreRequest) {
		request.Point = &safefilev1.StartRestoreRequest_AsOfTime{AsOfTime: timestamppb.New(at)}
	}}
}

// AsOfOperation is the point just after this operation was committed.
func AsOfOperation(id string) Point {
	return Point{func(request *safefilev1.StartRestoreRequest) {
		request.Point = &safefilev1.StartRestoreRequest_AsOfOperation{AsOfOperation: id}
	}}
}

// Revisions gives the revisions of a path, newest first, over all pages.
func (c *Client) Revisions(
	ctx context.Context, path string, options ...RevisionsOption,
) iter.Seq2[*safefilev1.Revision, error] {
	s := settingsOf(c, options)
	return pages(func(token string) ([]*safefilev1.Revision, string, error) {
		answer, err := c.recovery.ListRevisions(ctx, &safefilev1.ListRevisionsRequest{
			Volume: s.volume, Path: path, PageSize: s.pageSize, PageToken: token,
		})
		return answer.GetRevisions(), answer.GetNextPageToken(), err
	})
}

// Rollback makes an earlier revision the live file again, as a new revision.
func (c *Client) Rollback(
	ctx context.Context, path string, revision int64, options ...ChangeOption,
) (*safefilev1.MutationResult, error) {
	s := settingsOf(c, options)
	request := &safefilev1.RollbackFileRequest{
		Volume: s.volume, Path: path, Options: s.mutation(), Revision: revision,
	}
	answer, err := c.recovery.RollbackFile(ctx, request)
	return resultOf(answer, err, s)
}

// StartRestore starts to restore a file or, with [Tree], a tree, and returns at once.
func (c *Client) StartRestore(
	ctx context.Context, path string, point Point, options ...RestoreOption,
) (*safefilev1.StartRestoreResponse, error) {
	s := settingsOf(c, options)
	request := &safefilev1.StartRestoreRequest{
		Volume: s.volume, Path: path, Tree: s.restore.tree,
		OverwritePolicy: safefilev1.OverwritePolicy_OVERWRITE_POLICY_ALWAYS,
		Include:         s.restore.include, Exclude: s.restore.exclude, DeleteExtra: s.restore.deleteExtra,
		TargetPath: s.restore.targetPath, DryRun: s.restore.dryRun,
		RequestId: s.mutation().GetRequestId(), Priority: s.priority, Labels: s.labels,
	}
	if s.restore.keepExisting {
		request.OverwritePolicy = safefilev1.OverwritePolicy_OVERWRITE_POLICY_NEVER
	}
	if point.apply != nil {
		point.apply(request)
	}
	return c.recovery.StartRestore(ctx, request)
}

// WatchRestore gives the events of a restore until it ends, also across a restart of the server.
func (c *Client) WatchRestore(
	ctx context.Context, restoreID string, options ...RestoreWatchOption,
) iter.Seq2[*safefilev1.WatchRestoreResponse, error] {
	s := settingsOf(c, options)
	start := func(
		ctx context.Context, cursor string,
	) (grpc.ServerStreamingClient[safefilev1.WatchRestoreResponse], error) {
		return c.recovery.WatchRestore(ctx, &safefilev1.WatchRestoreRequest{RestoreId: restoreID, Cursor: cursor})
	}
	return follow(ctx, c.conn, s.resumeToken, start, (*safefilev1.WatchRestoreResponse).GetCursor)
}
