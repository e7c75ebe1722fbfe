package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"hash"
	"iter"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	safefile "github.com/safefile/safefile/clients/go"
)

const textBytesMax = 1024

// canonical is a message in protobuf's JSON; null when there is none.
func canonical(message proto.Message) json.RawMessage {
	if message == nil || !message.ProtoReflect().IsValid() {
		return json.RawMessage("null")
	}
	text, err := protojson.Marshal(message)
	if err != nil {
		panic(err)
	}
	return text
}

func canonicals[M proto.Message](messages []M) []json.RawMessage {
	found := []json.RawMessage{}
	for _, message := range messages {
		found = append(found, canonical(message))
	}
	return found
}

// all takes a listing to its end.
func all[M proto.Message](messages iter.Seq2[M, error]) ([]json.RawMessage, error) {
	found := []json.RawMessage{}
	for message, err := range messages {
		if err != nil {
			return nil, err
		}
		found = append(found, canonical(message))
	}
	return found, nil
}

// contentSum is what a content is reported as.
type contentSum struct {
	size  int64
	hash  hash.Hash
	first []byte
}

func newContentSum() *contentSum { return &contentSum{hash: sha256.New()} }

func (c *contentSum) Write(data []byte) (int, error) {
	c.hash.Write(data)
	c.size += int64(len(data))
	if room := textBytesMax - len(c.first); room > 0 {
		c.first = append(c.first, data[:min(room, len(data))]...)
	}
	return len(data), nil
}

func (c *contentSum) value() object {
	found := object{"sizeBytes": c.size, "sha256": hex.EncodeToString(c.hash.Sum(nil))}
	if c.size <= textBytesMax && utf8.Valid(c.first) {
		found["text"] = string(c.first)
	}
	return found
}

func contentValue(data []byte) object {
	sum := newContentSum()
	_, _ = sum.Write(data)
	return sum.value()
}

func errorValue(err error) object {
	var found *safefile.Error
	if !errors.As(err, &found) {
		return object{"other": err.Error()}
	}
	value := object{
		"code":                   found.Status(),
		"message":                found.Message,
		"metadata":               object{},
		"fieldViolations":        []object{},
		"preconditionViolations": []object{},
	}
	if found.Metadata != nil {
		value["metadata"] = found.Metadata
	}
	for key, text := range map[string]string{
		"reason": found.Reason, "outcome": string(found.Outcome), "stage": found.Stage, "requestId": found.RequestID(),
	} {
		if text != "" {
			value[key] = text
		}
	}
	if found.RetryAfter != nil {
		value["retryAfterMs"] = found.RetryAfter.Milliseconds()
	}
	if found.Resource != nil {
		value["resource"] = object{"type": found.Resource.Type, "name": found.Resource.Name}
	}
	fields := []object{}
	for _, field := range found.FieldViolations {
		fields = append(fields, object{"field": field.Field, "description": field.Description})
	}
	value["fieldViolations"] = fields
	conditions := []object{}
	for _, condition := range found.ConditionViolations {
		conditions = append(conditions, object{
			"type": condition.Type, "subject": condition.Subject, "description": condition.Description,
		})
	}
	value["preconditionViolations"] = conditions
	return value
}
