package dev.safefile.client;

import com.google.protobuf.ByteString;
import dev.safefile.v1.FileOpsServiceGrpc;
import dev.safefile.v1.MutationOptions;
import dev.safefile.v1.MutationResult;
import dev.safefile.v1.ReadFileRequest;
import dev.safefile.v1.ReadRevisionRequest;
import dev.safefile.v1.RecoveryServiceGrpc;
import dev.safefile.v1.UploadHeader;
import io.grpc.CallOptions;
import io.grpc.MethodDescriptor;
import java.io.IOException;
import java.util.UUID;
import java.util.function.Function;
import java.util.function.Supplier;

/** Content of any size, both ways. */
final class Contents {
    private final Connection connection;
    private final ClientOptions options;

    Contents(Connection connection, ClientOptions options) {
        this.connection = connection;
        this.options = options;
    }

    /** Until the header is here nothing was given to the caller, so it may be repeated. */
    Download open(Supplier<Download> once) {
        Retry retry = connection.retry();
        while (true) {
            try {
                return once.get();
            } catch (SafefileException failure) {
                retry.after(failure);
            }
        }
    }

    /** All of it at once; a stream that broke is begun again. */
    Content whole(Supplier<Download> once, ReadOptions given) {
        Retry retry = connection.retry();
        while (true) {
            try (Download download = once.get()) {
                return new Content(download.bytes(given.bytesMax), download.file(), download.revision());
            } catch (SafefileException failure) {
                retry.after(failure);
            }
        }
    }

    Download file(String path, String volume, ReadOptions given) {
        ReadFileRequest request = ReadFileRequest.newBuilder()
                .setVolume(volume)
                .setPath(path)
                .setOffset(given.offset)
                .setLimit(given.limit)
                .build();
        return download(path, FileOpsServiceGrpc.getReadFileMethod(), request, ContentPart::of);
    }

    Download revision(String path, long revision, String volume, ReadOptions given) {
        ReadRevisionRequest request = ReadRevisionRequest.newBuilder()
                .setVolume(volume)
                .setPath(path)
                .setRevision(revision)
                .setOffset(given.offset)
                .setLimit(given.limit)
                .build();
        return download(path, RecoveryServiceGrpc.getReadRevisionMethod(), request, ContentPart::of);
    }

    private <Q, A> Download download(
            String path, MethodDescriptor<Q, A> method, Q request, Function<A, ContentPart> partOf) {
        if (Failures.isCancelled()) throw Failures.cancelledBefore(null);
        MessageCall<Q, A> call = connection.messages(method, CallOptions.DEFAULT, Download.PREFETCHED);
        call.send(request);
        call.end();
        return new Download(call, () -> partOf.apply(call.next(options.idle)), options.idle, path);
    }

    MutationResult upload(String path, String volume, UploadSource source, MutationOptions change, UploadOptions given)
            throws IOException {
        String uploadId = given.uploadId != null
                ? given.uploadId
                : source.isReplayable() ? UUID.randomUUID().toString() : "";
        UploadHeader.Builder header = UploadHeader.newBuilder()
                .setVolume(volume)
                .setPath(path)
                .setOptions(change)
                .setUploadId(uploadId);
        if (given.mode != null) header.setMode(given.mode);
        // Of bytes in memory the server is always told what to expect.
        byte[] whole = source instanceof UploadSource.Bytes known ? known.bytes : null;
        if (given.sizeBytes != null) header.setSizeBytes(given.sizeBytes);
        else if (whole != null) header.setSizeBytes(whole.length);
        if (given.sha256 != null) header.setSha256(ByteString.copyFrom(given.sha256));
        else if (whole != null) header.setSha256(Protos.sha256(whole));
        Upload upload = new Upload(
                connection,
                source,
                header.build(),
                given.uploadId != null,
                given.crc32c,
                options.chunkBytes,
                options.idle,
                given.deadline,
                given.onProgress,
                given.onResumed);
        return upload.run();
    }
}
