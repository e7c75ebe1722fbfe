package main

import (
	"errors"
	"io"
	"time"

	safefile "github.com/safefile/safefile/clients/go"
)

const pieceBytes = 256 * 1024

func stat(c *call) (any, error) {
	var args struct {
		callArgs
		Path string `json:"path"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	ctx, cancel := args.context()
	defer cancel()
	found, err := c.client.Stat(ctx, args.Path)
	if err != nil {
		return nil, err
	}
	return object{"file": canonical(found)}, nil
}

func list(c *call) (any, error) {
	var args struct {
		callArgs
		Path      string `json:"path"`
		Recursive bool   `json:"recursive"`
		PageSize  *int32 `json:"pageSize"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.ListOption]
	if args.Recursive {
		with.add(safefile.Recursive())
	}
	if args.PageSize != nil {
		with.add(safefile.PageSize(*args.PageSize))
	}
	ctx, cancel := args.context()
	defer cancel()
	found, err := all(c.client.List(ctx, args.Path, with.list...))
	if err != nil {
		return nil, err
	}
	return object{"files": found}, nil
}

func revisions(c *call) (any, error) {
	var args struct {
		callArgs
		Path     string `json:"path"`
		PageSize *int32 `json:"pageSize"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.RevisionsOption]
	if args.PageSize != nil {
		with.add(safefile.PageSize(*args.PageSize))
	}
	ctx, cancel := args.context()
	defer cancel()
	found, err := all(c.client.Revisions(ctx, args.Path, with.list...))
	if err != nil {
		return nil, err
	}
	return object{"revisions": found}, nil
}

type rangeArgs struct {
	Offset   *integer `json:"offset"`
	Limit    *integer `json:"limit"`
	BytesMax *integer `json:"bytesMax"`
}

func (o *options[O]) part(a rangeArgs) {
	if a.Offset != nil {
		o.add(safefile.Offset(int64(*a.Offset)))
	}
	if a.Limit != nil {
		o.add(safefile.Limit(int64(*a.Limit)))
	}
}

// A read is a stream of content: it has no deadline.
func read(c *call) (any, error) {
	var args struct {
		callArgs
		rangeArgs
		Path string `json:"path"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.ReadOption]
	with.part(args.rangeArgs)
	if args.BytesMax != nil {
		with.add(safefile.MaxBytes(int64(*args.BytesMax)))
	}
	ctx, cancel := args.streamContext()
	defer cancel()
	data, file, err := c.client.Read(ctx, args.Path, with.list...)
	if err != nil {
		return nil, err
	}
	return object{"file": canonical(file), "content": contentValue(data)}, nil
}

func readRevision(c *call) (any, error) {
	var args struct {
		callArgs
		rangeArgs
		Path     string  `json:"path"`
		Revision integer `json:"revision"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.ReadOption]
	with.part(args.rangeArgs)
	ctx, cancel := args.streamContext()
	defer cancel()
	data, revision, err := c.client.ReadRevision(ctx, args.Path, int64(args.Revision), with.list...)
	if err != nil {
		return nil, err
	}
	return object{"revision": canonical(revision), "content": contentValue(data)}, nil
}

func download(c *call) (value any, err error) {
	var args struct {
		callArgs
		rangeArgs
		Path           string       `json:"path"`
		PauseMs        milliseconds `json:"pauseMs"`
		StopAfterBytes *integer     `json:"stopAfterBytes"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	var with options[safefile.DownloadOption]
	with.part(args.rangeArgs)
	ctx, cancel := args.streamContext()
	defer cancel()
	found, err := c.client.Download(ctx, args.Path, with.list...)
	if err != nil {
		return nil, err
	}
	defer func() {
		if failure := found.Close(); err == nil && failure != nil {
			err = failure
		}
	}()
	if args.BytesMax != nil && found.Size() > int64(*args.BytesMax) {
		return nil, safefile.ErrTooLarge
	}
	sum := newContentSum()
	piece := make([]byte, pieceBytes)
	for {
		n, err := found.Read(piece)
		_, _ = sum.Write(piece[:n])
		if errors.Is(err, io.EOF) {
			return object{"file": canonical(found.File()), "content": sum.value()}, nil
		}
		if err != nil {
			return nil, err
		}
		if args.StopAfterBytes != nil && sum.size >= int64(*args.StopAfterBytes) {
			return object{}, nil
		}
		time.Sleep(args.PauseMs.duration())
	}
}
