package dev.safefile.client;

import dev.safefile.v1.AppendFileRequest;
import dev.safefile.v1.AppendFileResponse;
import dev.safefile.v1.CopyFileRequest;
import dev.safefile.v1.DeleteFileRequest;
import dev.safefile.v1.ExecuteTransactionRequest;
import dev.safefile.v1.ExecuteTransactionResponse;
import dev.safefile.v1.FileEdit;
import dev.safefile.v1.FileOpsServiceGrpc;
import dev.safefile.v1.MakeDirectoryRequest;
import dev.safefile.v1.MoveFileRequest;
import dev.safefile.v1.MoveFileResponse;
import dev.safefile.v1.MutationResult;
import dev.safefile.v1.PatchFileRequest;
import dev.safefile.v1.RecoveryServiceGrpc;
import dev.safefile.v1.RollbackFileRequest;
import dev.safefile.v1.SetAttributesRequest;
import dev.safefile.v1.TransactionAttributes;
import dev.safefile.v1.WriteFileRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.List;
import java.util.function.Consumer;

/** The calls that change something. */
abstract class Changes extends Reads {
    /** Writes, appends, patches and a whole transaction take this much content. */
    private static final int DATA_BYTES_MAX = 1024 * 1024;

    Changes(ClientOptions options) {
        super(options);
    }

    /** Creates or replaces a file. More than 1 MiB travels as an upload. */
    public MutationResult write(String path, byte[] bytes) {
        return write(path, bytes, given -> {});
    }

    public MutationResult write(String path, byte[] bytes, Consumer<WriteOptions> fill) {
        WriteOptions given = filled(new WriteOptions(), fill);
        if (bytes.length > DATA_BYTES_MAX) return writeLarge(path, bytes, given);
        WriteFileRequest.Builder request = WriteFileRequest.newBuilder()
                .setVolume(volume(given))
                .setPath(path)
                .setOptions(given.message())
                .setData(Protos.view(bytes))
                .setSha256(Protos.sha256(bytes));
        if (given.mode != null) request.setMode(given.mode);
        return change(FileOpsServiceGrpc.getWriteFileMethod(), request.build(), given)
                .getResult();
    }

    private MutationResult writeLarge(String path, byte[] bytes, WriteOptions given) {
        UploadOptions upload = new UploadOptions();
        upload.mode = given.mode;
        upload.deadline = deadline(given, given.lockWait);
        try {
            return contents.upload(path, volume(given), UploadSource.of(bytes), given.message(), upload);
        } catch (IOException impossible) {
            throw new UncheckedIOException(impossible);
        }
    }

    /**
     * Creates or replaces a file of any size. No more of the source is read than the server takes. When the connection
     * breaks it goes on from what the server holds, if the source can be read again. What the source throws comes as it
     * is, and nothing was changed then. Only when an attempt before it may have committed comes the SafefileException of
     * that one, with the outcome UNKNOWN and what the source threw as its cause.
     */
    public MutationResult upload(String path, UploadSource source) throws IOException {
        return upload(path, source, given -> {});
    }

    public MutationResult upload(String path, UploadSource source, Consumer<UploadOptions> fill) throws IOException {
        UploadOptions given = filled(new UploadOptions(), fill);
        given.deadline = deadline(given, given.lockWait);
        return contents.upload(path, volume(given), source, given.message(), given);
    }

    /** Adds 1 byte to 1 MiB at the end of a file, creating it when it is missing. Readers see all of them or none. */
    public AppendFileResponse append(String path, byte[] bytes) {
        return append(path, bytes, given -> {});
    }

    public AppendFileResponse append(String path, byte[] bytes, Consumer<WriteOptions> fill) {
        WriteOptions given = filled(new WriteOptions(), fill);
        AppendFileRequest.Builder request = AppendFileRequest.newBuilder()
                .setVolume(volume(given))
                .setPath(path)
                .setOptions(given.message());
        checkSize(bytes.length, "data", given.requestId);
        request.setData(Protos.view(bytes)).setSha256(Protos.sha256(bytes));
        if (given.mode != null) request.setMode(given.mode);
        return change(FileOpsServiceGrpc.getAppendFileMethod(), request.build(), given);
    }

    /**
     * Replaces parts of a file that exists. Readers see all edits or none. The edits, 1 to 1,000 with at most 1 MiB of data
     * together, come in rising order of offset and without overlap. Offsets mean little without `etag` or `ifRevision`.
     */
    public MutationResult patch(String path, List<FileEdit> edits) {
        return patch(path, edits, given -> {});
    }

    public MutationResult patch(String path, List<FileEdit> edits, Consumer<PatchOptions> fill) {
        PatchOptions given = filled(new PatchOptions(), fill);
        PatchFileRequest.Builder request = PatchFileRequest.newBuilder()
                .setVolume(volume(given))
                .setPath(path)
                .setOptions(given.message())
                .setSha256(Protos.view(given.sha256));
        checkSize(Transaction.sizeBytes(edits), "edits", given.requestId);
        return change(
                        FileOpsServiceGrpc.getPatchFileMethod(),
                        request.addAllEdits(edits).build(),
                        given)
                .getResult();
    }

    /** Changes mode, time or extended attributes of a file, as one revision. */
    public MutationResult setAttributes(String path, Consumer<Attributes> attributes) {
        return setAttributes(path, attributes, given -> {});
    }

    public MutationResult setAttributes(String path, Consumer<Attributes> attributes, Consumer<ChangeOptions> fill) {
        ChangeOptions given = filled(new ChangeOptions(), fill);
        SetAttributesRequest request = attributesOf(attributes)
                .setVolume(volume(given))
                .setPath(path)
                .setOptions(given.message())
                .build();
        return change(FileOpsServiceGrpc.getSetAttributesMethod(), request, given)
                .getResult();
    }

    /**
     * Moves a file or directory, atomically; missing parents of the target are made. A directory moves with at most 1,000
     * files and directories in it, to where nothing is.
     */
    public MoveFileResponse move(String source, String target) {
        return move(source, target, given -> {});
    }

    public MoveFileResponse move(String source, String target, Consumer<MoveOptions> fill) {
        MoveOptions given = filled(new MoveOptions(), fill);
        MoveFileRequest.Builder request = MoveFileRequest.newBuilder()
                .setVolume(volume(given))
                .setPath(source)
                .setOptions(given.message())
                .setTargetPath(target)
                .setOverwrite(given.overwrite);
        given.target.message().ifPresent(request::setTargetPrecondition);
        return change(FileOpsServiceGrpc.getMoveFileMethod(), request.build(), given);
    }

    /** Copies a file, or one of its revisions; missing parents of the target are made. */
    public MutationResult copy(String source, String target) {
        return copy(source, target, given -> {});
    }

    public MutationResult copy(String source, String target, Consumer<CopyOptions> fill) {
        CopyOptions given = filled(new CopyOptions(), fill);
        CopyFileRequest.Builder request = CopyFileRequest.newBuilder()
                .setVolume(volume(given))
                .setPath(source)
                .setOptions(given.message())
                .setTargetPath(target)
                .setOverwrite(given.overwrite)
                .setRevision(given.revision);
        given.target.message().ifPresent(request::setTargetPrecondition);
        return change(FileOpsServiceGrpc.getCopyFileMethod(), request.build(), given)
                .getResult();
    }

    /** Makes a directory and its missing parents. */
    public MutationResult makeDirectory(String path) {
        return makeDirectory(path, given -> {});
    }

    public MutationResult makeDirectory(String path, Consumer<DirectoryOptions> fill) {
        DirectoryOptions given = filled(new DirectoryOptions(), fill);
        MakeDirectoryRequest.Builder request = MakeDirectoryRequest.newBuilder()
                .setVolume(volume(given))
                .setPath(path)
                .setOptions(given.message())
                .setAllowExisting(given.allowExisting);
        if (given.mode != null) request.setMode(given.mode);
        return change(FileOpsServiceGrpc.getMakeDirectoryMethod(), request.build(), given)
                .getResult();
    }

    /** Deletes a file. Its content stays as the revision `backup_revision`. */
    public MutationResult remove(String path) {
        return remove(path, given -> {});
    }

    public MutationResult remove(String path, Consumer<RemoveOptions> fill) {
        RemoveOptions given = filled(new RemoveOptions(), fill);
        DeleteFileRequest request = DeleteFileRequest.newBuilder()
                .setVolume(volume(given))
                .setPath(path)
                .setOptions(given.message())
                .setRecursive(given.recursive)
                .build();
        return change(FileOpsServiceGrpc.getDeleteFileMethod(), request, given).getResult();
    }

    /**
     * Up to 1,000 changes on many paths: all are committed or none is, also across crashes. All conditions are about the
     * time before: {@code client.transaction(tx -> tx.write("a", bytes).move("b", "c"))}.
     */
    public ExecuteTransactionResponse transaction(Consumer<Transaction> steps) {
        return transaction(steps, given -> {});
    }

    public ExecuteTransactionResponse transaction(Consumer<Transaction> steps, Consumer<ChangeOptions> fill) {
        ChangeOptions given = filled(new ChangeOptions(), fill);
        Transaction transaction = new Transaction();
        steps.accept(transaction);
        ExecuteTransactionRequest.Builder request = ExecuteTransactionRequest.newBuilder()
                .setVolume(volume(given))
                .setOptions(given.message())
                .addAllOperations(transaction.operations());
        checkSize(transaction.dataBytes(), "operations", given.requestId);
        return change(FileOpsServiceGrpc.getExecuteTransactionMethod(), request.build(), given);
    }

    /** Makes an earlier revision the live file again, as a new revision. */
    public MutationResult rollback(String path, long revision) {
        return rollback(path, revision, given -> {});
    }

    public MutationResult rollback(String path, long revision, Consumer<ChangeOptions> fill) {
        ChangeOptions given = filled(new ChangeOptions(), fill);
        RollbackFileRequest request = RollbackFileRequest.newBuilder()
                .setVolume(volume(given))
                .setPath(path)
                .setOptions(given.message())
                .setRevision(revision)
                .build();
        return change(RecoveryServiceGrpc.getRollbackFileMethod(), request, given)
                .getResult();
    }

    private static SetAttributesRequest.Builder attributesOf(Consumer<Attributes> fill) {
        TransactionAttributes given = filled(new Attributes(), fill).message();
        SetAttributesRequest.Builder request = SetAttributesRequest.newBuilder()
                .putAllSetXattrs(given.getSetXattrsMap())
                .addAllRemoveXattrs(given.getRemoveXattrsList());
        if (given.hasMode()) request.setMode(given.getMode());
        if (given.hasUpdateTime()) request.setUpdateTime(given.getUpdateTime());
        return request;
    }

    /**
     * What is asked is refused here as the service would. More would not fit into a message, and the refusal of that would
     * not say what became of the file.
     */
    private static void checkSize(long sizeBytes, String field, String requestId) {
        if (sizeBytes <= DATA_BYTES_MAX) return;
        throw Failures.refused(field, "must be at most " + DATA_BYTES_MAX + " bytes", requestId);
    }
}
