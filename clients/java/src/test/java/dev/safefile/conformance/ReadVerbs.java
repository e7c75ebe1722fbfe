package dev.safefile.conformance;

import com.google.gson.JsonObject;
import dev.safefile.client.AbstractCallOptions;
import dev.safefile.client.Content;
import dev.safefile.client.Download;
import dev.safefile.client.ReadOptions;
import dev.safefile.client.Watch;
import dev.safefile.v1.OverwritePolicy;
import dev.safefile.v1.StartRestoreResponse;
import dev.safefile.v1.WatchRestoreResponse;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Reading, watching and restoring. */
final class ReadVerbs {
    private final Verbs verbs;
    private final Map<String, Watching> watches = new ConcurrentHashMap<>();

    ReadVerbs(Verbs verbs) {
        this.verbs = verbs;
    }

    void add() {
        verbs.add("stat", this::stat, "path");
        verbs.add("list", this::list, "path", "recursive", "pageSize");
        verbs.add("read", this::read, "path", "offset", "limit", "bytesMax");
        verbs.add("download", this::download, "path", "offset", "limit", "bytesMax", "pauseMs", "stopAfterBytes");
        verbs.add("revisions", this::revisions, "path", "pageSize");
        verbs.add("readRevision", this::readRevision, "path", "revision", "offset", "limit");
        verbs.add(
                "startRestore",
                this::startRestore,
                "path",
                "tree",
                "asOfTime",
                "asOfOperation",
                "overwrite",
                "include",
                "exclude",
                "deleteExtra",
                "targetPath",
                "dryRun",
                "requestId",
                "priority",
                "labels");
        verbs.add("watchRestore", this::watchRestore, "restoreId", "cursor");
        verbs.add("watch", this::watch, "path", "recursive", "resumeToken", "handle");
        verbs.add("watchNext", this::watchNext, "handle", "changes");
        verbs.add("watchStop", this::watchStop, "handle");
    }

    /** What every call takes. */
    static void fill(Args args, AbstractCallOptions<?> options) {
        args.ifNumber("deadlineMs", ms -> options.deadline(Duration.ofMillis(ms)));
    }

    private JsonObject stat(Args args) {
        return Values.with("file", verbs.client(args).stat(args.textOr("path", ""), options -> fill(args, options)));
    }

    private JsonObject list(Args args) {
        return Values.with("files", verbs.client(args).list(args.textOr("path", ""), options -> {
            fill(args, options);
            options.recursive(args.flag("recursive"));
            args.ifNumber("pageSize", size -> options.pageSize((int) size));
        }));
    }

    private static void range(Args args, ReadOptions options) {
        fill(args, options);
        args.ifNumber("offset", options::offset);
        args.ifNumber("limit", options::limit);
        args.ifNumber("bytesMax", options::bytesMax);
    }

    private JsonObject read(Args args) {
        Content content = verbs.client(args).read(args.text("path"), options -> range(args, options));
        JsonObject value = Values.with("file", content.file().orElseThrow());
        value.add("content", Values.content(content.bytes()));
        return value;
    }

    private JsonObject download(Args args) throws IOException {
        long stopBytes = args.numberOr("stopAfterBytes", Long.MAX_VALUE);
        long pauseMs = args.numberOr("pauseMs", 0);
        try (Download download = verbs.client(args).download(args.text("path"), options -> range(args, options))) {
            JsonObject content = Values.content(download, readBytes -> {
                if (pauseMs > 0) pause(pauseMs);
                return readBytes < stopBytes;
            });
            if (content == null) return new JsonObject();
            JsonObject value = Values.with("file", download.file().orElseThrow());
            value.add("content", content);
            return value;
        }
    }

    /** An interrupt is left to the next read, which says CANCELLED. */
    private static void pause(long ms) {
        try {
            Thread.sleep(ms);
        } catch (InterruptedException cancelled) {
            Thread.currentThread().interrupt();
        }
    }

    private JsonObject revisions(Args args) {
        return Values.with("revisions", verbs.client(args).revisions(args.text("path"), options -> {
            fill(args, options);
            args.ifNumber("pageSize", size -> options.pageSize((int) size));
        }));
    }

    private JsonObject readRevision(Args args) {
        Content content = verbs.client(args)
                .readRevision(args.text("path"), args.numberOr("revision", 0), options -> range(args, options));
        JsonObject value = Values.with("revision", content.revision().orElseThrow());
        value.add("content", Values.content(content.bytes()));
        return value;
    }

    private JsonObject startRestore(Args args) {
        StartRestoreResponse started = verbs.client(args).startRestore(args.text("path"), options -> {
            fill(args, options);
            options.tree(args.flag("tree"))
                    .deleteExtra(args.flag("deleteExtra"))
                    .dryRun(args.flag("dryRun"));
            args.ifText("asOfTime", time -> options.asOf(Instant.parse(time)));
            args.ifText("asOfOperation", options::asOfOperation);
            args.ifText(
                    "overwrite",
                    policy -> options.overwrite(OverwritePolicy.valueOf("OVERWRITE_POLICY_" + policy.toUpperCase())));
            options.include(args.texts("include")).exclude(args.texts("exclude"));
            args.ifText("targetPath", options::targetPath);
            args.ifText("requestId", options::requestId);
            args.ifNumber("priority", priority -> options.priority((int) priority));
            options.labels(args.map("labels"));
        });
        JsonObject value = Values.with("restore", started.getRestore());
        value.addProperty("restoreId", started.getRestoreId());
        return value;
    }

    private JsonObject watchRestore(Args args) {
        List<WatchRestoreResponse> events = new ArrayList<>();
        try (Watch<WatchRestoreResponse> watch =
                verbs.client(args).watchRestore(args.text("restoreId"), args.textOr("cursor", ""))) {
            watch.forEach(events::add);
        }
        return Values.with("events", events);
    }

    private JsonObject watch(Args args) {
        Watching watching = new Watching(verbs.client(args).watch(args.textOr("path", ""), options -> {
            options.recursive(args.flag("recursive"));
            args.ifText("resumeToken", options::resumeToken);
        }));
        watches.put(args.text("handle"), watching);
        return new JsonObject();
    }

    private JsonObject watchNext(Args args) throws InterruptedException {
        return Values.with("events", watching(args).next(args.numberOr("changes", 0)));
    }

    private JsonObject watchStop(Args args) {
        watching(args).stop();
        watches.remove(args.text("handle"));
        return new JsonObject();
    }

    private Watching watching(Args args) {
        Watching found = watches.get(args.text("handle"));
        if (found == null) throw new IllegalArgumentException("no watch " + args.text("handle"));
        return found;
    }
}
