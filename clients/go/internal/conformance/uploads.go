package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"

	safefile "github.com/safefile/safefile/clients/go"
)

type uploadArgs struct {
	changeArgs
	Path           string   `json:"path"`
	Content        *content `json:"content"`
	Source         string   `json:"source"`
	Declare        *bool    `json:"declare"`
	Mode           *uint32  `json:"mode"`
	SHA256         *string  `json:"sha256"`
	SizeBytes      *integer `json:"sizeBytes"`
	UploadID       *string  `json:"uploadId"`
	FailAfterBytes *integer `json:"failAfterBytes"`
}

func upload(c *call) (any, error) {
	var args uploadArgs
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	source, end, err := args.source()
	if err != nil {
		return nil, err
	}
	defer end()
	with, err := args.options()
	if err != nil {
		return nil, err
	}
	var mutex sync.Mutex
	var sent int64
	resumed := []int64{}
	with.add(safefile.OnProgress(func(bytes int64) {
		mutex.Lock()
		defer mutex.Unlock()
		sent = bytes
	}))
	with.add(safefile.OnResume(func(offset int64) {
		mutex.Lock()
		defer mutex.Unlock()
		resumed = append(resumed, offset)
	}))
	ctx, cancel := args.streamContext()
	defer cancel()
	found, err := c.client.Upload(ctx, args.Path, source, with.list...)
	if err != nil {
		return nil, err
	}
	mutex.Lock()
	defer mutex.Unlock()
	return object{"result": canonical(found), "resumedAt": resumed, "sentBytes": sent}, nil
}

func (a *uploadArgs) options() (*options[safefile.UploadOption], error) {
	with := &options[safefile.UploadOption]{}
	with.change(a.changeArgs)
	with.mode(a.Mode)
	reader, err := a.Content.reader()
	if err != nil {
		return nil, err
	}
	if a.Source != "bytes" && (a.Declare == nil || *a.Declare) {
		sum := sha256.New()
		if _, err := io.Copy(sum, reader); err != nil {
			return nil, err
		}
		with.add(safefile.Size(reader.size))
		with.add(safefile.SHA256(sum.Sum(nil)))
	}
	if a.SHA256 != nil {
		sum, err := hex.DecodeString(*a.SHA256)
		if err != nil {
			return nil, err
		}
		with.add(safefile.SHA256(sum))
	}
	if a.SizeBytes != nil {
		with.add(safefile.Size(int64(*a.SizeBytes)))
	}
	if a.UploadID != nil {
		with.add(safefile.UploadID(*a.UploadID))
	}
	if a.DeadlineMs != nil {
		with.add(safefile.AnswerWithin(a.DeadlineMs.duration()))
	}
	return with, nil
}

// source is what is uploaded, and what ends it.
func (a *uploadArgs) source() (io.Reader, func(), error) {
	reader, err := a.Content.reader()
	if err != nil {
		return nil, nil, err
	}
	var found io.ReadSeeker = reader
	end := func() {}
	switch a.Source {
	case "bytes", "":
		data, err := a.Content.bytes()
		if err != nil {
			return nil, nil, err
		}
		found = bytes.NewReader(data)
	case "file":
		file, err := temporary(reader)
		if err != nil {
			return nil, nil, err
		}
		found, end = file, func() { file.Close() }
	case "stream":
	default:
		return nil, nil, fmt.Errorf("the driver does not know the source %q", a.Source)
	}
	if a.FailAfterBytes != nil {
		found = &failing{ReadSeeker: found, after: int64(*a.FailAfterBytes)}
	}
	if a.Source == "stream" {
		// Without its Seek.
		return struct{ io.Reader }{found}, end, nil
	}
	return found, end, nil
}

// temporary is a file that is gone when it is closed.
func temporary(content io.Reader) (*os.File, error) {
	file, err := os.CreateTemp("", "safefile-driver-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, err
	}
	if _, err := io.Copy(file, content); err != nil {
		return nil, err
	}
	_, err = file.Seek(0, io.SeekStart)
	return file, err
}
