package safefile

import (
	"context"
	"errors"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

// Read gives a whole small file at once.
func (c *Client) Read(
	ctx context.Context, path string, options ...ReadOption,
) ([]byte, *safefilev1.FileInfo, error) {
	s := settingsOf(c, options)
	data, found, err := c.whole(ctx, s, func() (*Download, error) { return c.openFile(ctx, path, s) })
	if err != nil {
		return nil, nil, err
	}
	return data, found.File(), nil
}

// Download gives a file of any size, as it arrives. What it gives is whole only once it has ended without an error.
func (c *Client) Download(ctx context.Context, path string, options ...DownloadOption) (*Download, error) {
	s := settingsOf(c, options)
	return c.openFile(ctx, path, s)
}

// ReadRevision gives the content of a revision at once. 0 is the newest.
func (c *Client) ReadRevision(
	ctx context.Context, path string, revision int64, options ...ReadOption,
) ([]byte, *safefilev1.Revision, error) {
	s := settingsOf(c, options)
	data, found, err := c.whole(ctx, s, func() (*Download, error) { return c.openRevision(ctx, path, revision, s) })
	if err != nil {
		return nil, nil, err
	}
	return data, found.Revision(), nil
}

// DownloadRevision gives the content of a revision of any size, as it arrives; also of a file that is deleted now. 0
// is the newest.
func (c *Client) DownloadRevision(
	ctx context.Context, path string, revision int64, options ...DownloadOption,
) (*Download, error) {
	s := settingsOf(c, options)
	return c.openRevision(ctx, path, revision, s)
}

func (c *Client) openFile(ctx context.Context, path string, s *settings) (*Download, error) {
	request := &safefilev1.ReadFileRequest{Volume: s.volume, Path: path, Offset: s.offset, Limit: s.limit}
	type stream = interface {
		Recv() (*safefilev1.ReadFileResponse, error)
	}
	return c.open(ctx, func() (*Download, error) {
		return openDownload(ctx, c.conn, path, func(ctx context.Context) (stream, error) {
			return c.files.ReadFile(ctx, request)
		})
	})
}

func (c *Client) openRevision(ctx context.Context, path string, revision int64, s *settings) (*Download, error) {
	request := &safefilev1.ReadRevisionRequest{
		Volume: s.volume, Path: path, Revision: revision, Offset: s.offset, Limit: s.limit,
	}
	type stream = interface {
		Recv() (*safefilev1.ReadRevisionResponse, error)
	}
	return c.open(ctx, func() (*Download, error) {
		return openDownload(ctx, c.conn, path, func(ctx context.Context) (stream, error) {
			return c.recovery.ReadRevision(ctx, request)
		})
	})
}

// open repeats until the header is here: before that nothing was given to the caller.
func (c *Client) open(ctx context.Context, start func() (*Download, error)) (*Download, error) {
	retry := newRetry(c.conn.retry)
	for {
		found, err := start()
		if err == nil {
			return found, nil
		}
		if err := retry.after(ctx, errorFrom(ctx, err), ""); err != nil {
			return nil, err
		}
	}
}

// whole repeats until all of it is here.
func (c *Client) whole(
	ctx context.Context, s *settings, open func() (*Download, error),
) ([]byte, *Download, error) {
	retry := newRetry(c.conn.retry)
	for {
		found, err := open()
		if err != nil {
			return nil, nil, err
		}
		data, err := found.bytes(s.bytesMax)
		if err == nil {
			return data, found, nil
		}
		if errors.Is(err, ErrTooLarge) {
			return nil, nil, err
		}
		if err := retry.after(ctx, errorFrom(ctx, err), ""); err != nil {
			return nil, nil, err
		}
	}
}
