package dev.safefile.example;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.safefile.client.SafefileClient;
import dev.safefile.client.SafefileException;
import dev.safefile.client.UploadSource;
import dev.safefile.client.Watch;
import dev.safefile.v1.ErrorReason;
import dev.safefile.v1.ExecuteTransactionResponse;
import dev.safefile.v1.FileInfo;
import dev.safefile.v1.MutationResult;
import dev.safefile.v1.RestoreProgress;
import dev.safefile.v1.WatchFilesResponse;
import dev.safefile.v1.WatchRestoreResponse;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.SequenceInputStream;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import java.util.UUID;
import java.util.concurrent.atomic.AtomicLong;

/** What one does with Safefile, in six parts. */
public final class Example {
    private Example() {}

    public static void main(String[] args) throws Exception {
        String directory =
                Optional.ofNullable(System.getenv("SAFEFILE_DIRECTORY")).orElse("example");
        String address = Optional.ofNullable(System.getenv("SAFEFILE_ADDRESS")).orElse("127.0.0.1:7420");
        try (SafefileClient client = SafefileClient.of(address)) {
            // [write]
            // Only if nothing is there: revision 0 is a file that does not exist.
            byte[] hello = "hello\n".getBytes(UTF_8);
            MutationResult written = client.write(directory + "/notes.txt", hello, options -> options.ifRevision(0));
            System.out.printf(
                    "write: revision %d, %d bytes%n",
                    written.getRevision().getRevision(), written.getFile().getSizeBytes());

            // [conflict]
            String notes = directory + "/notes.txt";
            FileInfo read = client.read(notes).file().orElseThrow();
            client.write(notes, "hello again\n".getBytes(UTF_8), options -> options.etag(read.getEtag()));
            try {
                // The etag is that of before: whoever changed the file meanwhile is not overwritten.
                client.write(notes, "too late\n".getBytes(UTF_8), options -> options.etag(read.getEtag()));
            } catch (SafefileException failure) {
                if (!failure.is(ErrorReason.ERROR_REASON_PRECONDITION_FAILED)) throw failure;
                System.out.printf(
                        "conflict: %s, %s, the file is at revision %s%n",
                        failure.reason().orElseThrow(),
                        failure.outcome().orElseThrow(),
                        failure.metadata().get("revision"));
            }

            // [transaction]
            // All of it or nothing, also across crashes.
            ExecuteTransactionResponse done =
                    client.transaction(tx -> tx.write(directory + "/tree/a", "a".getBytes(UTF_8))
                            .write(directory + "/tree/b", "b".getBytes(UTF_8))
                            .write(directory + "/tree/c", "c".getBytes(UTF_8)));
            System.out.printf("transaction: %d changes, all or none%n", done.getItemsCount());

            // [watch]
            try (Watch<WatchFilesResponse> watch = client.watch(directory, options -> options.recursive(true))) {
                boolean started = false;
                for (WatchFilesResponse event : watch) {
                    // The first message comes at once: what is committed after it is seen.
                    if (!started) client.write(directory + "/watched.txt", "look\n".getBytes(UTF_8));
                    started = true;
                    if (!event.hasChange()) continue;
                    var revision = event.getChange().getRevision();
                    System.out.printf(
                            "watch: %s of %s, revision %d%n",
                            revision.getKind().name().replace("REVISION_KIND_", ""),
                            revision.getPath().substring(directory.length() + 1),
                            revision.getRevision());
                    break;
                }
            }

            // [upload]
            byte[] content = new byte[4 * 1024 * 1024];
            new Random(7).nextBytes(content);
            String large = directory + "/large.bin";
            // Under this name the service keeps what it got, also for another process.
            String uploadId = UUID.randomUUID().toString();
            boolean brokeOff = false;
            try {
                client.upload(
                        large, UploadSource.of(() -> failsHalfway(content)), options -> options.uploadId(uploadId));
            } catch (IOException failure) {
                brokeOff = true;
            }
            AtomicLong resumedAt = new AtomicLong();
            MutationResult result = client.upload(large, UploadSource.of(content), options -> options.uploadId(uploadId)
                    .onResumed(resumedAt::set));
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(content);
            boolean equal =
                    Arrays.equals(digest, result.getRevision().getSha256().toByteArray());
            System.out.printf(
                    "upload: %s, %s, %d bytes, digest %s%n",
                    brokeOff ? "broke off" : "did not break off",
                    resumedAt.get() > 0 ? "went on" : "began anew",
                    result.getFile().getSizeBytes(),
                    equal ? "equal" : "not equal");

            // [restore]
            String tree = directory + "/tree";
            client.remove(tree, options -> options.recursive(true));
            // As it was right after the transaction.
            String restoreId = client.startRestore(tree, options -> options.tree(true)
                            .asOfOperation(done.getResult().getOperationId()))
                    .getRestoreId();
            RestoreProgress last = RestoreProgress.getDefaultInstance();
            try (Watch<WatchRestoreResponse> watch = client.watchRestore(restoreId)) {
                for (WatchRestoreResponse event : watch) {
                    if (!event.hasProgress()) continue;
                    last = event.getProgress();
                    System.err.printf("restore: %d of %d files%n", last.getFilesDone(), last.getFilesTotal());
                }
            }
            System.out.printf(
                    "restore: %d of %d files, %s%n",
                    last.getFilesRestored(),
                    last.getFilesTotal(),
                    last.getState().name().replace("RESTORE_STATE_", ""));
            // [end]
        }
    }

    /** All but the end of it, and then a disk that cannot be read. */
    private static InputStream failsHalfway(byte[] content) {
        InputStream broken = new InputStream() {
            @Override
            public int read() throws IOException {
                throw new IOException("the disk cannot be read");
            }
        };
        return new SequenceInputStream(new ByteArrayInputStream(content, 0, content.length - 1024), broken);
    }
}
