package dev.safefile.client;

import dev.safefile.v1.FileEdit;
import dev.safefile.v1.TransactionAppend;
import dev.safefile.v1.TransactionCopy;
import dev.safefile.v1.TransactionDelete;
import dev.safefile.v1.TransactionMove;
import dev.safefile.v1.TransactionOperation;
import dev.safefile.v1.TransactionPatch;
import dev.safefile.v1.TransactionRollback;
import dev.safefile.v1.TransactionWrite;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/**
 * Collects the steps of a transaction: 1 to 1,000, each path changed by one of them only, at most 1 MiB of data together.
 * Nothing is sent before it is given to the client. Conditions are about the paths as they were before the transaction.
 */
public final class Transaction {
    private final List<TransactionOperation> operations = new ArrayList<>();
    private long dataBytes;

    /** Creates or replaces a file. */
    public Transaction write(String path, byte[] data) {
        return write(path, data, options -> {});
    }

    /** Creates or replaces a file, with these permission bits; `etag` and `ifRevision` are its condition. */
    public Transaction write(String path, byte[] data, Consumer<StepOptions> options) {
        StepOptions given = StepOptions.of(options);
        TransactionWrite.Builder write =
                TransactionWrite.newBuilder().setData(Protos.view(data)).setSha256(Protos.sha256(data));
        if (given.mode != null) write.setMode(given.mode);
        dataBytes += data.length;
        return add(given, TransactionOperation.newBuilder().setPath(path).setWrite(write));
    }

    /** Adds bytes at the end of a file, creating it when it is missing. */
    public Transaction append(String path, byte[] data) {
        return append(path, data, options -> {});
    }

    /** Adds bytes at the end of a file, creating it when it is missing. */
    public Transaction append(String path, byte[] data, Consumer<StepOptions> options) {
        TransactionAppend append =
                TransactionAppend.newBuilder().setData(Protos.view(data)).build();
        dataBytes += data.length;
        return add(
                StepOptions.of(options),
                TransactionOperation.newBuilder().setPath(path).setAppend(append));
    }

    /** Replaces parts of a file, as the client's `patch` does. */
    public Transaction patch(String path, List<FileEdit> edits) {
        return patch(path, edits, options -> {});
    }

    /** Replaces parts of a file, as the client's `patch` does. */
    public Transaction patch(String path, List<FileEdit> edits, Consumer<StepOptions> options) {
        TransactionPatch patch =
                TransactionPatch.newBuilder().addAllEdits(edits).build();
        dataBytes += sizeBytes(edits);
        return add(
                StepOptions.of(options),
                TransactionOperation.newBuilder().setPath(path).setPatch(patch));
    }

    /** Deletes a file. */
    public Transaction remove(String path) {
        return remove(path, options -> {});
    }

    /** Deletes a file. */
    public Transaction remove(String path, Consumer<StepOptions> options) {
        TransactionDelete delete = TransactionDelete.getDefaultInstance();
        return add(
                StepOptions.of(options),
                TransactionOperation.newBuilder().setPath(path).setDelete(delete));
    }

    /** Moves a file. The target counts as a path of the transaction. */
    public Transaction move(String path, String target) {
        return move(path, target, options -> {});
    }

    /** Moves a file. The target counts as a path of the transaction. */
    public Transaction move(String path, String target, Consumer<StepOptions> options) {
        StepOptions given = StepOptions.of(options);
        TransactionMove.Builder move =
                TransactionMove.newBuilder().setTargetPath(target).setOverwrite(given.overwrite);
        given.target.message().ifPresent(move::setTargetPrecondition);
        return add(given, TransactionOperation.newBuilder().setPath(path).setMove(move));
    }

    /** Copies a file. The target counts as a path of the transaction. */
    public Transaction copy(String path, String target) {
        return copy(path, target, options -> {});
    }

    /** Copies a file, or one of its revisions. The target counts as a path of the transaction. */
    public Transaction copy(String path, String target, Consumer<StepOptions> options) {
        StepOptions given = StepOptions.of(options);
        TransactionCopy.Builder copy = TransactionCopy.newBuilder()
                .setTargetPath(target)
                .setOverwrite(given.overwrite)
                .setRevision(given.revision);
        given.target.message().ifPresent(copy::setTargetPrecondition);
        return add(given, TransactionOperation.newBuilder().setPath(path).setCopy(copy));
    }

    /** Sets a file back to an earlier revision. */
    public Transaction rollback(String path, long revision) {
        return rollback(path, revision, options -> {});
    }

    /** Sets a file back to an earlier revision. */
    public Transaction rollback(String path, long revision, Consumer<StepOptions> options) {
        TransactionRollback rollback =
                TransactionRollback.newBuilder().setRevision(revision).build();
        return add(
                StepOptions.of(options),
                TransactionOperation.newBuilder().setPath(path).setRollback(rollback));
    }

    /** Changes attributes of a file. */
    public Transaction attributes(String path, Consumer<Attributes> attributes) {
        return attributes(path, attributes, options -> {});
    }

    /** Changes attributes of a file. */
    public Transaction attributes(String path, Consumer<Attributes> attributes, Consumer<StepOptions> options) {
        Attributes given = new Attributes();
        attributes.accept(given);
        TransactionOperation.Builder step =
                TransactionOperation.newBuilder().setPath(path).setAttributes(given.message());
        return add(StepOptions.of(options), step);
    }

    /** Changes nothing, but the transaction is only committed if this holds. */
    public Transaction check(String path, Condition condition) {
        StepOptions given = StepOptions.of(options -> options.condition(condition));
        return add(given, TransactionOperation.newBuilder().setPath(path));
    }

    List<TransactionOperation> operations() {
        return operations;
    }

    /** Of all steps together. */
    long dataBytes() {
        return dataBytes;
    }

    static long sizeBytes(List<FileEdit> edits) {
        return edits.stream().mapToLong(edit -> edit.getData().size()).sum();
    }

    private Transaction add(StepOptions options, TransactionOperation.Builder step) {
        options.condition.message().ifPresent(step::setPrecondition);
        operations.add(step.build());
        return this;
    }
}
