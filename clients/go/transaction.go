package safefile

import (
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"

	"github.com/safefile/safefile/clients/go/safefilev1"
)

// Transaction collects steps: 1 to 1,000, each path changed by one of them only, at most 1 MiB of data together.
// Nothing is sent before [Client.Transaction]. Its zero value is ready for use, and its methods return it, so that
// steps can be chained. All conditions are about the time before the transaction.
//
// Steps take the options of the methods of the same name, but for those about the change as a whole ([InVolume],
// [RequestID], [LockWait] and so on): these are for [Client.Transaction], and a step with one is refused there.
type Transaction struct {
	steps   []*safefilev1.TransactionOperation
	size    int
	refused string
}

// Transacted is what a transaction did.
type Transacted struct {
	// Result is about the whole: one operation id for all. Files, revisions and backup revisions are in Items.
	Result *safefilev1.MutationResult
	// Items has one per step, in their order.
	Items []*safefilev1.TransactionItem
}

// Write creates or replaces a file.
func (t *Transaction) Write(path string, data []byte, options ...WriteOption) *Transaction {
	s := stepSettings(t, path, options)
	sum := sha256.Sum256(data)
	write := &safefilev1.TransactionWrite{Data: data, Mode: s.mode, Sha256: sum[:]}
	t.add(path, s).Action = &safefilev1.TransactionOperation_Write{Write: write}
	t.size += len(data)
	return t
}

// Append adds bytes at the end of a file, creating it when it is missing.
func (t *Transaction) Append(path string, data []byte, options ...ChangeOption) *Transaction {
	s := stepSettings(t, path, options)
	added := &safefilev1.TransactionAppend{Data: data}
	t.add(path, s).Action = &safefilev1.TransactionOperation_Append{Append: added}
	t.size += len(data)
	return t
}

// Patch replaces parts of a file.
func (t *Transaction) Patch(path string, edits []Edit, options ...PatchOption) *Transaction {
	s := stepSettings(t, path, options)
	patch := &safefilev1.TransactionPatch{Edits: editsOf(edits), Sha256: s.sha256}
	t.add(path, s).Action = &safefilev1.TransactionOperation_Patch{Patch: patch}
	t.size += bytesOf(edits)
	return t
}

// Remove deletes a file.
func (t *Transaction) Remove(path string, options ...ChangeOption) *Transaction {
	s := stepSettings(t, path, options)
	t.add(path, s).Action = &safefilev1.TransactionOperation_Delete{Delete: &safefilev1.TransactionDelete{}}
	return t
}

// Move moves a file. The target counts as a path of the transaction.
func (t *Transaction) Move(path, target string, options ...MoveOption) *Transaction {
	s := stepSettings(t, path, options)
	move := &safefilev1.TransactionMove{
		TargetPath: target, Overwrite: s.overwrite,
		TargetPrecondition: preconditionOf(s.targetETag, s.targetIfRevision),
	}
	t.add(path, s).Action = &safefilev1.TransactionOperation_Move{Move: move}
	return t
}

// Copy copies a file, or one of its revisions. The target counts as a path of the transaction.
func (t *Transaction) Copy(path, target string, options ...CopyOption) *Transaction {
	s := stepSettings(t, path, options)
	copied := &safefilev1.TransactionCopy{
		TargetPath: target, Overwrite: s.overwrite, Revision: s.fromRevision,
		TargetPrecondition: preconditionOf(s.targetETag, s.targetIfRevision),
	}
	t.add(path, s).Action = &safefilev1.TransactionOperation_Copy{Copy: copied}
	return t
}

// Rollback sets a file back to an earlier revision.
func (t *Transaction) Rollback(path string, revision int64, options ...ChangeOption) *Transaction {
	s := stepSettings(t, path, options)
	rollback := &safefilev1.TransactionRollback{Revision: revision}
	t.add(path, s).Action = &safefilev1.TransactionOperation_Rollback{Rollback: rollback}
	return t
}

// SetAttributes changes attributes of a file.
func (t *Transaction) SetAttributes(path string, options ...AttributesOption) *Transaction {
	s := stepSettings(t, path, options)
	attributes := &safefilev1.TransactionAttributes{
		Mode: s.mode, UpdateTime: timestampOf(s.updateTime), SetXattrs: s.setXattrs, RemoveXattrs: s.removeXattrs,
	}
	t.add(path, s).Action = &safefilev1.TransactionOperation_Attributes{Attributes: attributes}
	return t
}

// Check changes nothing, but the transaction is only committed if the conditions hold.
func (t *Transaction) Check(path string, conditions ...ConditionOption) *Transaction {
	t.add(path, stepSettings(t, path, conditions))
	return t
}

// Transaction makes up to 1,000 changes on many paths: all are committed or none is, also across crashes.
//
//	var tx safefile.Transaction
//	tx.Write("a", data, safefile.IfRevision(3)).Move("b", "c").Check("d", safefile.IfETag(etag))
//	done, err := client.Transaction(ctx, &tx)
func (c *Client) Transaction(ctx context.Context, tx *Transaction, options ...TransactionOption) (*Transacted, error) {
	s := settingsOf(c, options)
	request := &safefilev1.ExecuteTransactionRequest{Volume: s.volume, Options: s.mutation(), Operations: tx.steps}
	if tx.refused != "" {
		return nil, refusal("operations", tx.refused, s.requestID)
	}
	if err := checkSize(tx.size, "operations", s); err != nil {
		return nil, err
	}
	answer, err := c.files.ExecuteTransaction(ctx, request)
	result, err := resultOf(answer, err, s)
	if err != nil {
		return nil, err
	}
	if found := len(answer.GetItems()); found != len(tx.steps) {
		message := fmt.Sprintf("The server's answer has %d items for %d steps.", found, len(tx.steps))
		failure := &Error{Code: codes.Internal, Message: message, Outcome: Committed, Metadata: map[string]string{}}
		return nil, failure.settle(s.requestID, true, Committed)
	}
	return &Transacted{Result: result, Items: answer.GetItems()}, nil
}

func (t *Transaction) add(path string, s *settings) *safefilev1.TransactionOperation {
	step := &safefilev1.TransactionOperation{Path: path, Precondition: preconditionOf(s.etag, s.ifRevision)}
	t.steps = append(t.steps, step)
	return step
}

// stepSettings notes options that are about the whole.
func stepSettings[O interface{ apply(*settings) }](t *Transaction, path string, options []O) *settings {
	s := &settings{}
	for _, option := range options {
		option.apply(s)
	}
	if s.volume != "" {
		s.wholeOnly = append(s.wholeOnly, "InVolume")
	}
	if len(s.wholeOnly) > 0 && t.refused == "" {
		t.refused = fmt.Sprintf("must not have %s in the step of %s: give it to the transaction",
			strings.Join(s.wholeOnly, ", "), path)
	}
	return s
}
