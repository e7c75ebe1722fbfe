package dev.safefile.client;

import dev.safefile.v1.FileInfo;
import dev.safefile.v1.FileOpsServiceGrpc;
import dev.safefile.v1.ListFilesRequest;
import dev.safefile.v1.ListFilesResponse;
import dev.safefile.v1.ListRevisionsRequest;
import dev.safefile.v1.ListRevisionsResponse;
import dev.safefile.v1.RecoveryServiceGrpc;
import dev.safefile.v1.Revision;
import dev.safefile.v1.StatFileRequest;
import dev.safefile.v1.WatchFilesRequest;
import dev.safefile.v1.WatchFilesResponse;
import java.util.function.Consumer;

/** The calls that change nothing. */
abstract class Reads extends Calls {
    final Contents contents;

    Reads(ClientOptions options) {
        super(options);
        this.contents = new Contents(connection, options);
    }

    /** What is at a path now. Empty is the root. */
    public FileInfo stat(String path) {
        return stat(path, given -> {});
    }

    public FileInfo stat(String path, Consumer<CallOptions> fill) {
        CallOptions given = filled(new CallOptions(), fill);
        StatFileRequest request = StatFileRequest.newBuilder()
                .setVolume(volume(given))
                .setPath(path)
                .build();
        return ask(FileOpsServiceGrpc.getStatFileMethod(), request, given).getFile();
    }

    /** The entries of a directory, sorted, over all pages. */
    public Iterable<FileInfo> list(String path) {
        return list(path, given -> {});
    }

    public Iterable<FileInfo> list(String path, Consumer<ListOptions> fill) {
        ListOptions given = filled(new ListOptions(), fill);
        ListFilesRequest request = ListFilesRequest.newBuilder()
                .setVolume(volume(given))
                .setPath(path)
                .setRecursive(given.recursive)
                .setPageSize(given.pageSize)
                .build();
        return new Pages<>(
                token -> ask(
                        FileOpsServiceGrpc.getListFilesMethod(),
                        request.toBuilder().setPageToken(token).build(),
                        given),
                ListFilesResponse::getFilesList,
                ListFilesResponse::getNextPageToken);
    }

    /** A whole small file at once. */
    public Content read(String path) {
        return read(path, given -> {});
    }

    public Content read(String path, Consumer<ReadOptions> fill) {
        ReadOptions given = filled(new ReadOptions(), fill);
        return contents.whole(() -> contents.file(path, volume(given), given), given);
    }

    /** A file of any size, as it arrives. It is whole only once its end was read without an exception. */
    public Download download(String path) {
        return download(path, given -> {});
    }

    public Download download(String path, Consumer<ReadOptions> fill) {
        ReadOptions given = filled(new ReadOptions(), fill);
        return contents.open(() -> contents.file(path, volume(given), given));
    }

    /**
     * The changes of a file or tree as they are committed, in order per path, until it is closed. The first message comes at
     * once: whatever is committed after it is seen. Goes on by itself after a break.
     */
    public Watch<WatchFilesResponse> watch(String path) {
        return watch(path, given -> {});
    }

    public Watch<WatchFilesResponse> watch(String path, Consumer<WatchOptions> fill) {
        WatchOptions given = filled(new WatchOptions(), fill);
        WatchFilesRequest.Builder request = WatchFilesRequest.newBuilder()
                .setVolume(volume(given))
                .setPath(path)
                .setRecursive(given.recursive);
        return connection.watch(
                FileOpsServiceGrpc.getWatchFilesMethod(),
                token -> request.setResumeToken(token).build(),
                WatchFilesResponse::getResumeToken,
                given.resumeToken);
    }

    /** The revisions of a path, newest first, over all pages. */
    public Iterable<Revision> revisions(String path) {
        return revisions(path, given -> {});
    }

    public Iterable<Revision> revisions(String path, Consumer<ListOptions> fill) {
        ListOptions given = filled(new ListOptions(), fill);
        ListRevisionsRequest request = ListRevisionsRequest.newBuilder()
                .setVolume(volume(given))
                .setPath(path)
                .setPageSize(given.pageSize)
                .build();
        return new Pages<>(
                token -> ask(
                        RecoveryServiceGrpc.getListRevisionsMethod(),
                        request.toBuilder().setPageToken(token).build(),
                        given),
                ListRevisionsResponse::getRevisionsList,
                ListRevisionsResponse::getNextPageToken);
    }

    /** The content of a revision at once. 0 is the newest. */
    public Content readRevision(String path, long revision) {
        return readRevision(path, revision, given -> {});
    }

    public Content readRevision(String path, long revision, Consumer<ReadOptions> fill) {
        ReadOptions given = filled(new ReadOptions(), fill);
        return contents.whole(() -> contents.revision(path, revision, volume(given), given), given);
    }

    /** The content of a revision of any size, as it arrives; also of a file that is deleted now. 0 is the newest. */
    public Download downloadRevision(String path, long revision) {
        return downloadRevision(path, revision, given -> {});
    }

    public Download downloadRevision(String path, long revision, Consumer<ReadOptions> fill) {
        ReadOptions given = filled(new ReadOptions(), fill);
        return contents.open(() -> contents.revision(path, revision, volume(given), given));
    }
}
