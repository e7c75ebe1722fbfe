package main

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"os"

	statuspb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/protobuf/proto"

	safefile "github.com/safefile/safefile/clients/go"
	"github.com/safefile/safefile/clients/go/internal/conformance/storagev1"
)

const (
	frameHeaderBytes   = 41
	frameTypeOperation = 1
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// golden decodes a file without a server.
func golden(c *call) (any, error) {
	var args struct {
		Kind string `json:"kind"`
		File string `json:"file"`
	}
	if err := c.decode(&args); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(args.File)
	if err != nil {
		return nil, err
	}
	switch args.Kind {
	case "status":
		var held statuspb.Status
		if err := proto.Unmarshal(data, &held); err != nil {
			return nil, err
		}
		found := safefile.ErrorOf(&held)
		if found == nil {
			return nil, errors.New("the status is OK")
		}
		return object{"error": errorValue(found)}, nil
	case "content":
		sum := sha256.Sum256(data)
		return object{"sha256": hex.EncodeToString(sum[:]), "crc32c": crc32.Checksum(data, castagnoli)}, nil
	case "frame":
		return frame(data)
	}
	return nil, fmt.Errorf("the driver does not know the kind %q", args.Kind)
}

// frame decodes one frame of the journal.
func frame(data []byte) (any, error) {
	if len(data) < frameHeaderBytes {
		return object{"valid": false}, nil
	}
	end := frameHeaderBytes + int64(binary.LittleEndian.Uint32(data[4:]))
	if end > int64(len(data)) || crc32.Checksum(data[4:end], castagnoli) != binary.LittleEndian.Uint32(data) {
		return object{"valid": false}, nil
	}
	value := object{
		"valid":           true,
		"sequence":        binary.LittleEndian.Uint64(data[8:]),
		"durableSequence": binary.LittleEndian.Uint64(data[16:]),
		"incarnation":     hex.EncodeToString(data[24:40]),
		"type":            data[40],
	}
	if data[40] == frameTypeOperation {
		var record storagev1.OperationRecord
		if err := proto.Unmarshal(data[frameHeaderBytes:end], &record); err != nil {
			return nil, err
		}
		value["record"] = canonical(&record)
	}
	return value, nil
}
