// The sample program of the Go client: what the service does, in six parts. It needs a server:
//
//	SAFEFILE_ADDRESS=127.0.0.1:7420 SAFEFILE_DIRECTORY=example go run ./example
package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"

	safefile "github.com/safefile/safefile/clients/go"
	"github.com/safefile/safefile/clients/go/safefilev1"
)

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	client, err := safefile.New(environment("SAFEFILE_ADDRESS", "127.0.0.1:7420"))
	if err != nil {
		return err
	}
	defer client.Close()
	directory := environment("SAFEFILE_DIRECTORY", "example")
	if err := write(ctx, client, directory); err != nil {
		return err
	}
	if err := conflict(ctx, client, directory); err != nil {
		return err
	}
	operation, err := transaction(ctx, client, directory)
	if err != nil {
		return err
	}
	if err := watch(ctx, client, directory); err != nil {
		return err
	}
	if err := upload(ctx, client, directory); err != nil {
		return err
	}
	return restore(ctx, client, directory, operation)
}

func environment(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}

func write(ctx context.Context, client *safefile.Client, directory string) error {
	// [write]
	// Only if nothing is there yet. A call that fails is repeated under the same request id, so it happens once.
	result, err := client.Write(ctx, directory+"/notes.txt", []byte("hello\n"), safefile.IfRevision(0))
	if err != nil {
		return err
	}
	fmt.Printf("write: revision %d, %d bytes\n", result.Revision.Revision, result.File.SizeBytes)
	// [end]
	return nil
}

func conflict(ctx context.Context, client *safefile.Client, directory string) error {
	// [conflict]
	path := directory + "/notes.txt"
	_, file, err := client.Read(ctx, path)
	if err != nil {
		return err
	}
	// Only if nobody changed it since it was read: true the first time, and no longer the second.
	if _, err = client.Write(ctx, path, []byte("hello again\n"), safefile.IfETag(file.Etag)); err != nil {
		return err
	}
	_, err = client.Write(ctx, path, []byte("too late\n"), safefile.IfETag(file.Etag))
	var failure *safefile.Error
	if !errors.As(err, &failure) {
		return fmt.Errorf("the conflict was not noticed: %w", err)
	}
	// The outcome says what became of the file; errors say what was found instead.
	fmt.Printf("conflict: %s, %s, the file is at revision %s\n",
		failure.Reason, failure.Outcome, failure.Metadata["revision"])
	// [end]
	return nil
}

func transaction(ctx context.Context, client *safefile.Client, directory string) (string, error) {
	// [transaction]
	// All three or none, also if every machine loses power in the middle.
	var tx safefile.Transaction
	for _, name := range []string{"a", "b", "c"} {
		tx.Write(directory+"/tree/"+name, []byte("this is "+name+"\n"))
	}
	done, err := client.Transaction(ctx, &tx)
	if err != nil {
		return "", err
	}
	fmt.Printf("transaction: %d changes, all or none\n", len(done.Items))
	// [end]
	return done.Result.OperationId, nil
}

func watch(ctx context.Context, client *safefile.Client, directory string) error {
	// [watch]
	for event, err := range client.Watch(ctx, directory, safefile.Recursive()) {
		if err != nil {
			return err
		}
		change := event.GetChange()
		if change == nil {
			// The first message, a heartbeat: what is committed from here on is seen.
			if _, err := client.Write(ctx, directory+"/watched.txt", []byte("look\n")); err != nil {
				return err
			}
			continue
		}
		name := change.Revision.Path[len(directory)+1:]
		kind := change.Revision.Kind.String()[len("REVISION_KIND_"):]
		fmt.Printf("watch: %s of %s, revision %d\n", kind, name, change.Revision.Revision)
		break
	}
	// [end]
	return nil
}

func upload(ctx context.Context, client *safefile.Client, directory string) error {
	// [upload]
	content := bytes.Repeat([]byte("0123456789abcdef"), 4<<20/16)
	id := safefile.UploadID(fmt.Sprintf("sample-%d", os.Getpid()))
	// A source that fails near its end: nothing is changed, and the service keeps what it has under the name.
	broken := io.MultiReader(bytes.NewReader(content[:len(content)-1024]), failing{})
	if _, err := client.Upload(ctx, directory+"/large.bin", broken, id); !errors.Is(err, errBroken) {
		return fmt.Errorf("the source did not fail: %w", err)
	}
	resumed := int64(0)
	result, err := client.Upload(ctx, directory+"/large.bin", bytes.NewReader(content), id,
		safefile.OnResume(func(offset int64) { resumed = offset }))
	if err != nil {
		return err
	}
	digest := sha256.Sum256(content)
	if resumed == 0 || !bytes.Equal(result.Revision.Sha256, digest[:]) {
		return errors.New("the upload did not go on, or has other bytes")
	}
	fmt.Printf("upload: broke off, went on, %d bytes, digest equal\n", result.File.SizeBytes)
	// [end]
	return nil
}

func restore(ctx context.Context, client *safefile.Client, directory, operation string) error {
	// [restore]
	tree := directory + "/tree"
	if _, err := client.Remove(ctx, tree, safefile.Recursive()); err != nil {
		return err
	}
	// As it was right after the transaction.
	started, err := client.StartRestore(ctx, tree, safefile.AsOfOperation(operation), safefile.Tree())
	if err != nil {
		return err
	}
	var last *safefilev1.RestoreProgress
	for event, err := range client.WatchRestore(ctx, started.RestoreId) {
		if err != nil {
			return err
		}
		if progress := event.GetProgress(); progress != nil {
			last = progress
			fmt.Fprintf(os.Stderr, "%d of %d files\n", progress.FilesDone, progress.FilesTotal)
		}
	}
	state := last.GetState().String()[len("RESTORE_STATE_"):]
	fmt.Printf("restore: %d of %d files, %s\n", last.GetFilesRestored(), last.GetFilesTotal(), state)
	// [end]
	return nil
}

// failing is a source that breaks.
type failing struct{}

var errBroken = errors.New("the source broke")

func (failing) Read([]byte) (int, error) { return 0, errBroken }
