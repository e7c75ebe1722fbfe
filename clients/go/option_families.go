package safefile

// Each method takes a family of options, an interface, so that the compiler refuses an option that means nothing
// there. An option is of one kind, a type, that belongs to one family or several.

// option changes the settings of one call.
type option func(*settings)

func (o option) apply(s *settings) { o(s) }

// CallOption is taken by calls that need nothing but a path: [InVolume].
type CallOption interface {
	apply(*settings)
	isCall()
}

// ListOption is taken by [Client.List]: [InVolume], [Recursive], [PageSize].
type ListOption interface {
	apply(*settings)
	isList()
}

// RevisionsOption is taken by [Client.Revisions]: [InVolume], [PageSize].
type RevisionsOption interface {
	apply(*settings)
	isRevisions()
}

// DownloadOption is taken by downloads: [InVolume], [Offset], [Limit].
type DownloadOption interface {
	apply(*settings)
	isDownload()
}

// ReadOption is taken by reads: those of downloads, and [MaxBytes].
type ReadOption interface {
	apply(*settings)
	isRead()
}

// WatchOption is taken by [Client.Watch]: [InVolume], [Recursive], [ResumeAfter].
type WatchOption interface {
	apply(*settings)
	isWatch()
}

// RestoreWatchOption is taken by [Client.WatchRestore]: [ResumeAfter].
type RestoreWatchOption interface {
	apply(*settings)
	isRestoreWatch()
}

// ChangeOption is taken by every change of one path: [InVolume], [RequestID], [ValidateOnly], [IfETag], [IfRevision],
// [LockWait], [Priority], [Label], [Labels], [UnderLock].
type ChangeOption interface {
	apply(*settings)
	isChange()
}

// WriteOption is taken by writes and appends: those of every change, and [Mode].
type WriteOption interface {
	apply(*settings)
	isWrite()
}

// UploadOption is taken by uploads: those of writes, and [Size], [SHA256], [UploadID], [OnProgress], [OnResume],
// [AnswerWithin].
type UploadOption interface {
	apply(*settings)
	isUpload()
}

// PatchOption is taken by patches: those of every change, and [SHA256].
type PatchOption interface {
	apply(*settings)
	isPatch()
}

// AttributesOption is taken by [Client.SetAttributes]: those of every change, and [Mode], [UpdateTime], [SetXattr],
// [RemoveXattr].
type AttributesOption interface {
	apply(*settings)
	isAttributes()
}

// MoveOption is taken by moves: those of every change, which are about the source, and [Overwrite], [TargetIfETag],
// [TargetIfRevision].
type MoveOption interface {
	apply(*settings)
	isMove()
}

// CopyOption is taken by copies: those of moves, and [FromRevision].
type CopyOption interface {
	apply(*settings)
	isCopy()
}

// MakeDirectoryOption is taken by [Client.MakeDirectory]: those of every change, and [Mode], [AllowExisting].
type MakeDirectoryOption interface {
	apply(*settings)
	isMakeDirectory()
}

// RemoveOption is taken by [Client.Remove]: those of every change, and [Recursive].
type RemoveOption interface {
	apply(*settings)
	isRemove()
}

// TransactionOption is taken by [Client.Transaction]: those of every change but the conditions, which belong to its
// steps.
type TransactionOption interface {
	apply(*settings)
	isTransaction()
}

// RestoreOption is taken by [Client.StartRestore]: [InVolume], [RequestID], [Priority], [Label], [Labels], [Tree],
// [KeepExisting], [Include], [Exclude], [DeleteExtra], [ToPath], [DryRun].
type RestoreOption interface {
	apply(*settings)
	isRestore()
}

// LockOption is taken by [Locks.Acquire] and what builds on it: [InVolume], [TTL], [LockWait], [Priority],
// [RequestID], [Owner], [Session], [Label], [Labels].
type LockOption interface {
	apply(*settings)
	isLock()
}

// RenewOption is taken by [Locks.Renew]: [TTL].
type RenewOption interface {
	apply(*settings)
	isRenew()
}

// BreakOption is taken by [Locks.Break]: [RequestID].
type BreakOption interface {
	apply(*settings)
	isBreak()
}

// LocksOption is taken by [Locks.List]: [InVolume], [PageSize], [AtOrBelow], [ClientLocksOnly].
type LocksOption interface {
	apply(*settings)
	isLocks()
}

type (
	inCall          struct{}
	inList          struct{}
	inRevisions     struct{}
	inDownload      struct{}
	inRead          struct{}
	inWatch         struct{}
	inRestoreWatch  struct{}
	inChange        struct{}
	inWrite         struct{}
	inUpload        struct{}
	inPatch         struct{}
	inAttributes    struct{}
	inMove          struct{}
	inCopy          struct{}
	inMakeDirectory struct{}
	inRemove        struct{}
	inTransaction   struct{}
	inRestore       struct{}
	inLock          struct{}
	inRenew         struct{}
	inBreak         struct{}
	inLocks         struct{}

	inChanges struct {
		inChange
		inWrite
		inUpload
		inPatch
		inAttributes
		inMove
		inCopy
		inMakeDirectory
		inRemove
	}
	inReads struct {
		inDownload
		inRead
	}
	inTargets struct {
		inMove
		inCopy
	}
)

func (inCall) isCall()                   {}
func (inList) isList()                   {}
func (inRevisions) isRevisions()         {}
func (inDownload) isDownload()           {}
func (inRead) isRead()                   {}
func (inWatch) isWatch()                 {}
func (inRestoreWatch) isRestoreWatch()   {}
func (inChange) isChange()               {}
func (inWrite) isWrite()                 {}
func (inUpload) isUpload()               {}
func (inPatch) isPatch()                 {}
func (inAttributes) isAttributes()       {}
func (inMove) isMove()                   {}
func (inCopy) isCopy()                   {}
func (inMakeDirectory) isMakeDirectory() {}
func (inRemove) isRemove()               {}
func (inTransaction) isTransaction()     {}
func (inRestore) isRestore()             {}
func (inLock) isLock()                   {}
func (inRenew) isRenew()                 {}
func (inBreak) isBreak()                 {}
func (inLocks) isLocks()                 {}
