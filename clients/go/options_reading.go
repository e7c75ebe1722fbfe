package safefile

import "time"

// DepthOption is taken by what can mean a whole tree.
type DepthOption struct {
	option
	inList
	inWatch
	inRemove
}

// Recursive means a directory with all that is below it.
func Recursive() DepthOption {
	return DepthOption{option: func(s *settings) { s.recursive = true }}
}

// PageOption is taken by listings.
type PageOption struct {
	option
	inList
	inRevisions
	inLocks
}

// PageSize is how many entries are fetched at once. 1,000 unless given.
func PageSize(entries int32) PageOption {
	return PageOption{option: func(s *settings) { s.pageSize = entries }}
}

// RangeOption says which part is read.
type RangeOption struct {
	option
	inReads
}

// Offset is where to begin, in bytes.
func Offset(bytes int64) RangeOption {
	return RangeOption{option: func(s *settings) { s.offset = bytes }}
}

// Limit is the most bytes to read. 0 reads up to the end.
func Limit(bytes int64) RangeOption {
	return RangeOption{option: func(s *settings) { s.limit = bytes }}
}

// MaxBytesOption is taken by reads.
type MaxBytesOption struct {
	option
	inRead
}

// MaxBytes is the most that a read takes into memory; more is [ErrTooLarge]. 64 MiB unless given.
func MaxBytes(bytes int64) MaxBytesOption {
	return MaxBytesOption{option: func(s *settings) { s.bytesMax = bytes }}
}

// ResumeOption is taken by watches.
type ResumeOption struct {
	option
	inWatch
	inRestoreWatch
}

// ResumeAfter goes on behind the message that had this resume token, or cursor.
func ResumeAfter(token string) ResumeOption {
	return ResumeOption{option: func(s *settings) { s.resumeToken = token }}
}

// TransferOption is taken by uploads.
type TransferOption struct {
	option
	inUpload
}

// Size is the size of the whole, when known: then a source that ends early is an error and not a shorter file.
func Size(bytes int64) TransferOption {
	return TransferOption{option: func(s *settings) { s.upload.size = &bytes }}
}

// UploadID is the name under which the service keeps the bytes when the stream breaks. A random one unless given, and
// none for a source that cannot be read again. Give one to go on with an upload of an earlier process: the service is
// then asked first how much it holds. It stands for one content; several uploads at once under one name end each
// other.
func UploadID(id string) TransferOption {
	return TransferOption{option: func(s *settings) { s.upload.uploadID = id }}
}

// OnProgress is told where the upload stands, after each chunk. It falls back to what the service holds when a stream
// broke.
func OnProgress(tell func(sentBytes int64)) TransferOption {
	return TransferOption{option: func(s *settings) { s.upload.onProgress = tell }}
}

// OnResume is told when the upload goes on from bytes that the service holds already.
func OnResume(tell func(offset int64)) TransferOption {
	return TransferOption{option: func(s *settings) { s.upload.onResume = tell }}
}

// AnswerWithin is how long the answer may take after the last byte. The client's deadline unless given.
func AnswerWithin(limit time.Duration) TransferOption {
	return TransferOption{option: func(s *settings) { s.upload.answerWithin = limit }}
}

// ScopeOption is taken by restores.
type ScopeOption struct {
	option
	inRestore
}

// Tree restores everything at and below the path.
func Tree() ScopeOption {
	return ScopeOption{option: func(s *settings) { s.restore.tree = true }}
}

// KeepExisting restores only what is missing. What is there is replaced unless this is given.
func KeepExisting() ScopeOption {
	return ScopeOption{option: func(s *settings) { s.restore.keepExisting = true }}
}

// Include restores only what matches one of these globs. Only with [Tree].
func Include(globs ...string) ScopeOption {
	return ScopeOption{option: func(s *settings) { s.restore.include = append(s.restore.include, globs...) }}
}

// Exclude leaves out what matches one of these globs. Only with [Tree].
func Exclude(globs ...string) ScopeOption {
	return ScopeOption{option: func(s *settings) { s.restore.exclude = append(s.restore.exclude, globs...) }}
}

// DeleteExtra also deletes what did not exist then. Only with [Tree].
func DeleteExtra() ScopeOption {
	return ScopeOption{option: func(s *settings) { s.restore.deleteExtra = true }}
}

// ToPath restores to here and leaves the path alone.
func ToPath(path string) ScopeOption {
	return ScopeOption{option: func(s *settings) { s.restore.targetPath = path }}
}

// DryRun only says what would be done.
func DryRun() ScopeOption {
	return ScopeOption{option: func(s *settings) { s.restore.dryRun = true }}
}

// HoldOption is taken by the acquiring of locks.
type HoldOption struct {
	option
	inLock
}

// Owner is what the caller calls itself, for people.
func Owner(name string) HoldOption {
	return HoldOption{option: func(s *settings) { s.lock.owner = name }}
}

// Session is the same for all locks that are held together, so that circles of waits are found.
func Session(name string) HoldOption {
	return HoldOption{option: func(s *settings) { s.lock.session = name }}
}

// TTLOption is taken by the acquiring and renewing of locks.
type TTLOption struct {
	option
	inLock
	inRenew
}

// TTL is how long the lock lasts unless it is renewed. The server's default unless given.
func TTL(lasts time.Duration) TTLOption {
	return TTLOption{option: func(s *settings) { s.lock.ttl = &lasts }}
}

// LockFilterOption is taken by the listing of locks.
type LockFilterOption struct {
	option
	inLocks
}

// AtOrBelow lists only locks that cover, or lie at or below, the path.
func AtOrBelow(path string) LockFilterOption {
	return LockFilterOption{option: func(s *settings) { s.lock.path = path }}
}

// ClientLocksOnly leaves out the leases of changes.
func ClientLocksOnly() LockFilterOption {
	return LockFilterOption{option: func(s *settings) { s.lock.clientLocksOnly = true }}
}
