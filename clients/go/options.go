package safefile

import (
	"maps"
	"time"
)

// VolumeOption is taken by every call about paths.
type VolumeOption struct {
	option
	inCall
	inList
	inRevisions
	inReads
	inWatch
	inChanges
	inTransaction
	inRestore
	inLock
	inLocks
}

// InVolume names the volume. The client's own unless given.
func InVolume(name string) VolumeOption {
	return VolumeOption{option: func(s *settings) { s.volume = name }}
}

// RequestIDOption is taken by changes, restores and locks.
type RequestIDOption struct {
	option
	inChanges
	inTransaction
	inRestore
	inLock
	inBreak
}

// RequestID makes a repeat of the whole call safe: the second call with the same id and contents returns the first
// one's outcome. A random UUID unless given.
func RequestID(id string) RequestIDOption {
	return RequestIDOption{option: func(s *settings) {
		s.requestID = id
		s.wholeOnly = append(s.wholeOnly, "RequestID")
	}}
}

// WholeChangeOption is taken by every change, but not by the steps of a transaction.
type WholeChangeOption struct {
	option
	inChanges
	inTransaction
}

// ValidateOnly checks, and changes nothing.
func ValidateOnly() WholeChangeOption {
	return WholeChangeOption{option: func(s *settings) {
		s.validateOnly = true
		s.wholeOnly = append(s.wholeOnly, "ValidateOnly")
	}}
}

// UnderLock makes the change under a lock that was acquired; LOCK_LOST when it has ended.
func UnderLock(lockID string) WholeChangeOption {
	return WholeChangeOption{option: func(s *settings) {
		s.lockID = lockID
		s.wholeOnly = append(s.wholeOnly, "UnderLock")
	}}
}

// WaitOption is taken by changes and by the acquiring of locks.
type WaitOption struct {
	option
	inChanges
	inTransaction
	inLock
}

// LockWait is how long to wait for the path to be free. 0 does not wait; the server's default unless given.
func LockWait(wait time.Duration) WaitOption {
	return WaitOption{option: func(s *settings) {
		s.lockWait = &wait
		s.wholeOnly = append(s.wholeOnly, "LockWait")
	}}
}

// WorkOption is taken by changes, restores and the acquiring of locks.
type WorkOption struct {
	option
	inChanges
	inTransaction
	inRestore
	inLock
}

// Priority says who goes first among those waiting: -100 to 100, higher first.
func Priority(priority int32) WorkOption {
	return WorkOption{option: func(s *settings) {
		s.priority = priority
		s.wholeOnly = append(s.wholeOnly, "Priority")
	}}
}

// Label adds a label that is kept with the revision. No secrets.
func Label(key, value string) WorkOption { return Labels(map[string]string{key: value}) }

// Labels adds several.
func Labels(labels map[string]string) WorkOption {
	return WorkOption{option: func(s *settings) {
		if s.labels == nil {
			s.labels = map[string]string{}
		}
		maps.Copy(s.labels, labels)
		s.wholeOnly = append(s.wholeOnly, "Labels")
	}}
}

// ConditionOption says what must be true of the path; PRECONDITION_FAILED when it is not. Several hold together.
type ConditionOption struct {
	option
	inChanges
}

// IfETag changes the file only if it has exactly this etag.
func IfETag(etag string) ConditionOption {
	return ConditionOption{option: func(s *settings) { s.etag = etag }}
}

// IfRevision changes the file only if it is exactly this revision; 0 means that nothing may be there (else
// ALREADY_EXISTS).
func IfRevision(revision int64) ConditionOption {
	return ConditionOption{option: func(s *settings) { s.ifRevision = &revision }}
}

// TargetOption is about what may be at the target of a move or copy.
type TargetOption struct {
	option
	inTargets
}

// Overwrite replaces a file at the target; what was there stays as a revision. ALREADY_EXISTS unless given.
func Overwrite() TargetOption {
	return TargetOption{option: func(s *settings) { s.overwrite = true }}
}

// TargetIfETag replaces the target only if it has exactly this etag.
func TargetIfETag(etag string) TargetOption {
	return TargetOption{option: func(s *settings) { s.targetETag = etag }}
}

// TargetIfRevision replaces the target only if it is exactly this revision; 0 means that nothing may be there.
func TargetIfRevision(revision int64) TargetOption {
	return TargetOption{option: func(s *settings) { s.targetIfRevision = &revision }}
}

// SourceOption is about what is copied.
type SourceOption struct {
	option
	inCopy
}

// FromRevision copies a revision. The live file unless given.
func FromRevision(revision int64) SourceOption {
	return SourceOption{option: func(s *settings) { s.fromRevision = revision }}
}

// ModeOption is taken by what can make a file or directory.
type ModeOption struct {
	option
	inWrite
	inUpload
	inAttributes
	inMakeDirectory
}

// Mode gives the permission bits, 0 to 0o777. Those of the file unless given, or 0644 for a new one, 0755 for a
// directory.
func Mode(bits uint32) ModeOption {
	return ModeOption{option: func(s *settings) { s.mode = &bits }}
}

// DigestOption is taken by uploads and patches.
type DigestOption struct {
	option
	inUpload
	inPatch
}

// SHA256 is the digest of the whole file as it is to become, when known: anything else is CHECKSUM_MISMATCH.
func SHA256(sum []byte) DigestOption {
	return DigestOption{option: func(s *settings) { s.sha256 = sum }}
}

// AttributeOption is one attribute to change.
type AttributeOption struct {
	option
	inAttributes
}

// UpdateTime sets the time of last change, from 1970 to 9999.
func UpdateTime(at time.Time) AttributeOption {
	return AttributeOption{option: func(s *settings) { s.updateTime = &at }}
}

// SetXattr sets an extended attribute, named without the "user." in front; at most 64 KiB together.
func SetXattr(name string, value []byte) AttributeOption {
	return AttributeOption{option: func(s *settings) {
		if s.setXattrs == nil {
			s.setXattrs = map[string][]byte{}
		}
		s.setXattrs[name] = value
	}}
}

// RemoveXattr removes extended attributes, named without the "user." in front. Missing ones are no error.
func RemoveXattr(names ...string) AttributeOption {
	return AttributeOption{option: func(s *settings) { s.removeXattrs = append(s.removeXattrs, names...) }}
}

// ExistingOption is taken by the making of directories.
type ExistingOption struct {
	option
	inMakeDirectory
}

// AllowExisting succeeds, and changes nothing, when the directory is there already. ALREADY_EXISTS unless given.
func AllowExisting() ExistingOption {
	return ExistingOption{option: func(s *settings) { s.allowExisting = true }}
}
