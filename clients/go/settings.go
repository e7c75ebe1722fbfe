package safefile

import (
	"time"

	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

// settings is what the options of one call add up to. A pointer that is nil was not given.
type settings struct {
	volume string

	// Of a change as a whole.
	requestID    string
	validateOnly bool
	lockWait     *time.Duration
	priority     int32
	labels       map[string]string
	lockID       string
	// The names of the options above that were given, so that a step of a transaction can refuse them.
	wholeOnly []string

	// About one path.
	etag             string
	ifRevision       *int64
	targetETag       string
	targetIfRevision *int64
	mode             *uint32
	sha256           []byte
	updateTime       *time.Time
	setXattrs        map[string][]byte
	removeXattrs     []string
	overwrite        bool
	fromRevision     int64
	allowExisting    bool
	recursive        bool

	// Of reads, listings and watches.
	pageSize    int32
	offset      int64
	limit       int64
	bytesMax    int64
	resumeToken string

	upload  uploadSettings
	restore restoreSettings
	lock    lockSettings
}

type uploadSettings struct {
	size         *int64
	uploadID     string
	onProgress   func(sentBytes int64)
	onResume     func(offset int64)
	answerWithin time.Duration
}

type restoreSettings struct {
	tree         bool
	keepExisting bool
	include      []string
	exclude      []string
	deleteExtra  bool
	targetPath   string
	dryRun       bool
}

type lockSettings struct {
	ttl             *time.Duration
	owner           string
	session         string
	clientLocksOnly bool
	path            string
}

// settingsOf applies options of any family over the client's own.
func settingsOf[O interface{ apply(*settings) }](c *Client, options []O) *settings {
	found := &settings{volume: c.volume, bytesMax: wholeBytesMax, pageSize: pageSizeDefault}
	for _, option := range options {
		option.apply(found)
	}
	return found
}

// mutation settles the request's id, once for all attempts of the call.
func (s *settings) mutation() *safefilev1.MutationOptions {
	if s.requestID == "" {
		s.requestID = newID()
	}
	return &safefilev1.MutationOptions{
		RequestId:    s.requestID,
		ValidateOnly: s.validateOnly,
		Precondition: preconditionOf(s.etag, s.ifRevision),
		LockWait:     durationOf(s.lockWait),
		Priority:     s.priority,
		Labels:       s.labels,
		LockId:       s.lockID,
	}
}

func preconditionOf(etag string, ifRevision *int64) *safefilev1.Precondition {
	if etag == "" && ifRevision == nil {
		return nil
	}
	return &safefilev1.Precondition{Etag: etag, IfRevision: ifRevision}
}

func durationOf(given *time.Duration) *durationpb.Duration {
	if given == nil {
		return nil
	}
	return durationpb.New(*given)
}
