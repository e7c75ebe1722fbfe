package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
)

// content is that of an argument.
type content struct {
	Text   *string `json:"text"`
	Base64 *string `json:"base64"`
	Fill   *struct {
		Size integer `json:"size"`
		Seed int64   `json:"seed"`
	} `json:"fill"`
}

// reader gives it as often as is needed; a fill is made on the way.
func (c *content) reader() (*pattern, error) {
	switch {
	case c == nil:
		return nil, errors.New("a content is missing")
	case c.Text != nil:
		return held([]byte(*c.Text)), nil
	case c.Base64 != nil:
		data, err := base64.StdEncoding.DecodeString(*c.Base64)
		return held(data), err
	case c.Fill != nil:
		seed := c.Fill.Seed
		return &pattern{size: int64(c.Fill.Size), at: func(i int64) byte { return byte((i >> 8) ^ (i * 31) ^ seed) }}, nil
	}
	return nil, errors.New("a content has text, base64 or fill")
}

// bytes gives it in memory.
func (c *content) bytes() ([]byte, error) {
	reader, err := c.reader()
	if err != nil {
		return nil, err
	}
	data := make([]byte, reader.size)
	_, err = io.ReadFull(reader, data)
	return data, err
}

// pattern is a content whose bytes follow from where they are.
type pattern struct {
	size     int64
	at       func(int64) byte
	position int64
}

func held(data []byte) *pattern {
	return &pattern{size: int64(len(data)), at: func(i int64) byte { return data[i] }}
}

func (p *pattern) Read(into []byte) (int, error) {
	if p.position >= p.size {
		return 0, io.EOF
	}
	n := int(min(int64(len(into)), p.size-p.position))
	for i := range n {
		into[i] = p.at(p.position + int64(i))
	}
	p.position += int64(n)
	return n, nil
}

func (p *pattern) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
		p.position = offset
	case io.SeekCurrent:
		p.position += offset
	case io.SeekEnd:
		p.position = p.size + offset
	}
	return p.position, nil
}

// failing is a source that fails at an offset.
type failing struct {
	io.ReadSeeker
	after    int64
	position int64
}

func (f *failing) Read(into []byte) (int, error) {
	if f.position >= f.after {
		return 0, fmt.Errorf("the source fails after %d bytes", f.after)
	}
	n, err := f.ReadSeeker.Read(into[:min(int64(len(into)), f.after-f.position)])
	f.position += int64(n)
	return n, err
}

func (f *failing) Seek(offset int64, whence int) (int64, error) {
	at, err := f.ReadSeeker.Seek(offset, whence)
	f.position = at
	return at, err
}
