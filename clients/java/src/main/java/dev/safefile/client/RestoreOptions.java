package dev.safefile.client;

import dev.safefile.v1.OverwritePolicy;
import dev.safefile.v1.StartRestoreRequest;
import java.time.Instant;
import java.util.Collection;
import java.util.Map;
import java.util.UUID;

/** What to restore, and how. The point to go back to has to be given: `asOf` or `asOfOperation`. */
public final class RestoreOptions extends AbstractCallOptions<RestoreOptions> {
    private final StartRestoreRequest.Builder request =
            StartRestoreRequest.newBuilder().setOverwritePolicy(OverwritePolicy.OVERWRITE_POLICY_ALWAYS);

    RestoreOptions() {}

    /** As it was at this time. */
    public RestoreOptions asOf(Instant time) {
        request.setAsOfTime(Protos.timestamp(time));
        return this;
    }

    /** As it was after this operation. */
    public RestoreOptions asOfOperation(String operationId) {
        request.setAsOfOperation(operationId);
        return this;
    }

    /** Everything at and below the path. */
    public RestoreOptions tree(boolean value) {
        request.setTree(value);
        return this;
    }

    /** What to do with files that are there. They are replaced unless given. */
    public RestoreOptions overwrite(OverwritePolicy policy) {
        request.setOverwritePolicy(policy);
        return this;
    }

    /** Only what matches one of these patterns. */
    public RestoreOptions include(Collection<String> patterns) {
        request.addAllInclude(patterns);
        return this;
    }

    /** Nothing that matches one of these patterns. */
    public RestoreOptions exclude(Collection<String> patterns) {
        request.addAllExclude(patterns);
        return this;
    }

    /** Delete what did not exist then. */
    public RestoreOptions deleteExtra(boolean value) {
        request.setDeleteExtra(value);
        return this;
    }

    /** Restore to here and leave the path alone. */
    public RestoreOptions targetPath(String path) {
        request.setTargetPath(path);
        return this;
    }

    /** Change nothing; the items say what would be done. */
    public RestoreOptions dryRun(boolean value) {
        request.setDryRun(value);
        return this;
    }

    /** Makes a repeat of the whole call safe. A random UUID unless given. */
    public RestoreOptions requestId(String id) {
        request.setRequestId(id);
        return this;
    }

    /** Who goes first among those waiting: -100 to 100, higher first. */
    public RestoreOptions priority(int value) {
        request.setPriority(value);
        return this;
    }

    /** Kept with the revisions. No secrets. */
    public RestoreOptions labels(Map<String, String> labels) {
        request.putAllLabels(labels);
        return this;
    }

    StartRestoreRequest message(String path, String volumeName) {
        if (request.getRequestId().isEmpty())
            request.setRequestId(UUID.randomUUID().toString());
        return request.setPath(path).setVolume(volumeName).build();
    }
}
