package dev.safefile.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonObject;
import com.google.protobuf.ByteString;
import dev.safefile.client.AbstractChangeOptions;
import dev.safefile.client.Attributes;
import dev.safefile.client.Condition;
import dev.safefile.client.StepOptions;
import dev.safefile.client.Transaction;
import dev.safefile.client.UploadOptions;
import dev.safefile.client.UploadSource;
import dev.safefile.v1.AppendFileResponse;
import dev.safefile.v1.ExecuteTransactionResponse;
import dev.safefile.v1.FileEdit;
import dev.safefile.v1.MoveFileResponse;
import dev.safefile.v1.MutationResult;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.stream.Stream;

/** Changes. */
final class ChangeVerbs {
    private static final List<String> CHANGE = List.of(
            "path", "requestId", "validateOnly", "etag", "ifRevision", "lockWaitMs", "priority", "labels", "lockId");

    private final Verbs verbs;

    ChangeVerbs(Verbs verbs) {
        this.verbs = verbs;
    }

    void add() {
        change("write", this::write, "content", "mode");
        change(
                "upload",
                this::upload,
                "content",
                "mode",
                "source",
                "declare",
                "sha256",
                "sizeBytes",
                "uploadId",
                "failAfterBytes");
        change("append", this::append, "content", "mode");
        change("patch", this::patch, "edits");
        change("setAttributes", this::setAttributes, "mode", "updateTime", "setXattrs", "removeXattrs");
        change("move", this::move, "target", "overwrite", "targetIfRevision", "targetEtag");
        change("copy", this::copy, "target", "overwrite", "targetIfRevision", "targetEtag", "revision");
        change("makeDirectory", this::makeDirectory, "mode", "allowExisting");
        change("remove", this::remove, "recursive");
        change("transaction", this::transaction, "steps");
        change("rollback", this::rollback, "revision");
    }

    private void change(String name, Verb.Action action, String... arguments) {
        verbs.add(
                name,
                action,
                Stream.concat(CHANGE.stream(), Stream.of(arguments)).toArray(String[]::new));
    }

    /** What every change takes. */
    private static void fill(Args args, AbstractChangeOptions<?> options) {
        ReadVerbs.fill(args, options);
        args.ifText("requestId", options::requestId);
        options.validateOnly(args.flag("validateOnly"));
        args.ifText("etag", options::etag);
        args.ifNumber("ifRevision", options::ifRevision);
        args.ifNumber("lockWaitMs", ms -> options.lockWait(Duration.ofMillis(ms)));
        args.ifNumber("priority", priority -> options.priority((int) priority));
        args.ifText("lockId", options::lockId);
        options.labels(args.map("labels"));
    }

    private static JsonObject result(MutationResult result) {
        return Values.with("result", result);
    }

    private JsonObject write(Args args) throws IOException {
        byte[] bytes = Bytes.of(args.get("content")).all();
        return result(verbs.client(args).write(args.text("path"), bytes, options -> {
            fill(args, options);
            args.ifNumber("mode", mode -> options.mode((int) mode));
        }));
    }

    private JsonObject upload(Args args) throws IOException {
        Bytes content = Bytes.of(args.get("content"));
        String kind = args.textOr("source", "bytes");
        boolean declare = !kind.equals("bytes") && (!args.has("declare") || args.flag("declare"));
        byte[] sha256 = declare ? sha256(content) : null;
        JsonArray resumedAt = new JsonArray();
        long[] sentBytes = {0};
        Path file = null;
        try {
            UploadSource source;
            if (kind.equals("stream")) source = UploadSource.once(open(args, content));
            else if (args.has("failAfterBytes")) source = UploadSource.of(() -> open(args, content));
            else if (kind.equals("bytes")) source = UploadSource.of(content.all());
            else if (kind.equals("file")) {
                file = Files.createTempFile("safefile-", ".upload");
                try (InputStream in = content.open()) {
                    Files.copy(in, file, java.nio.file.StandardCopyOption.REPLACE_EXISTING);
                }
                source = UploadSource.of(file);
            } else throw new IllegalArgumentException("unknown source " + kind);
            MutationResult result = verbs.client(args).upload(args.text("path"), source, options -> {
                fill(args, options);
                args.ifNumber("mode", mode -> options.mode((int) mode));
                if (declare) options.sizeBytes(content.sizeBytes()).sha256(sha256);
                given(args, options);
                options.onProgress(bytes -> sentBytes[0] = bytes).onResumed(resumedAt::add);
            });
            JsonObject value = result(result);
            value.add("resumedAt", resumedAt);
            value.addProperty("sentBytes", sentBytes[0]);
            return value;
        } finally {
            if (file != null) Files.delete(file);
        }
    }

    /** What is declared instead of what is so. */
    private static void given(Args args, UploadOptions options) {
        args.ifText("uploadId", options::uploadId);
        args.ifNumber("sizeBytes", options::sizeBytes);
        args.ifText("sha256", hex -> options.sha256(HexFormat.of().parseHex(hex)));
    }

    private static InputStream open(Args args, Bytes content) {
        return args.has("failAfterBytes") ? content.failing(args.number("failAfterBytes")) : content.open();
    }

    private static byte[] sha256(Bytes content) throws IOException {
        MessageDigest digest = Values.sha256();
        byte[] piece = new byte[256 * 1024];
        try (InputStream in = content.open()) {
            for (int count = in.read(piece); count >= 0; count = in.read(piece)) digest.update(piece, 0, count);
        }
        return digest.digest();
    }

    private JsonObject append(Args args) throws IOException {
        byte[] bytes = Bytes.of(args.get("content")).all();
        AppendFileResponse appended = verbs.client(args).append(args.text("path"), bytes, options -> {
            fill(args, options);
            args.ifNumber("mode", mode -> options.mode((int) mode));
        });
        JsonObject value = result(appended.getResult());
        value.addProperty("offset", appended.getOffset());
        return value;
    }

    private JsonObject patch(Args args) throws IOException {
        return result(verbs.client(args).patch(args.text("path"), edits(args), options -> fill(args, options)));
    }

    private static List<FileEdit> edits(Args args) throws IOException {
        List<FileEdit> edits = new ArrayList<>();
        for (Args given : args.each("edits")) {
            FileEdit.Builder edit =
                    FileEdit.newBuilder().setOffset(given.numberOr("offset", 0)).setLength(given.numberOr("length", 0));
            if (given.has("content")) {
                edit.setData(ByteString.copyFrom(Bytes.of(given.get("content")).all()));
            }
            edits.add(edit.build());
        }
        return edits;
    }

    private JsonObject setAttributes(Args args) {
        return result(verbs.client(args)
                .setAttributes(
                        args.text("path"), attributes -> attributes(args, attributes), options -> fill(args, options)));
    }

    private static void attributes(Args args, Attributes attributes) {
        args.ifNumber("mode", mode -> attributes.mode((int) mode));
        args.ifText("updateTime", time -> attributes.updateTime(Instant.parse(time)));
        args.map("setXattrs")
                .forEach((name, value) -> attributes.setXattr(name, value.getBytes(StandardCharsets.UTF_8)));
        args.texts("removeXattrs").forEach(attributes::removeXattr);
    }

    private static Condition target(Args args) {
        Condition condition = Condition.NONE;
        if (args.has("targetEtag")) condition = condition.andEtag(args.text("targetEtag"));
        if (args.has("targetIfRevision")) condition = condition.andRevision(args.number("targetIfRevision"));
        return condition;
    }

    private JsonObject move(Args args) {
        MoveFileResponse moved = verbs.client(args).move(args.text("path"), args.text("target"), options -> {
            fill(args, options);
            options.overwrite(args.flag("overwrite")).target(target(args));
        });
        JsonObject value = result(moved.getResult());
        if (moved.hasSourceRevision()) value.add("sourceRevision", Values.message(moved.getSourceRevision()));
        return value;
    }

    private JsonObject copy(Args args) {
        return result(verbs.client(args).copy(args.text("path"), args.text("target"), options -> {
            fill(args, options);
            options.overwrite(args.flag("overwrite")).target(target(args));
            args.ifNumber("revision", options::revision);
        }));
    }

    private JsonObject makeDirectory(Args args) {
        return result(verbs.client(args).makeDirectory(args.text("path"), options -> {
            fill(args, options);
            options.allowExisting(args.flag("allowExisting"));
            args.ifNumber("mode", mode -> options.mode((int) mode));
        }));
    }

    private JsonObject remove(Args args) {
        return result(verbs.client(args).remove(args.text("path"), options -> {
            fill(args, options);
            options.recursive(args.flag("recursive"));
        }));
    }

    private JsonObject rollback(Args args) {
        return result(verbs.client(args)
                .rollback(args.text("path"), args.numberOr("revision", 0), options -> fill(args, options)));
    }

    private JsonObject transaction(Args args) throws IOException {
        List<TransactionStep> steps = new ArrayList<>();
        for (Args step : args.each("steps")) steps.add(step(step));
        ExecuteTransactionResponse done = verbs.client(args)
                .transaction(
                        transaction -> steps.forEach(step -> step.addTo(transaction)), options -> fill(args, options));
        JsonObject value = result(done.getResult());
        value.add("items", Values.with("items", done.getItemsList()).get("items"));
        return value;
    }

    private interface TransactionStep {
        void addTo(Transaction transaction);
    }

    private static TransactionStep step(Args args) throws IOException {
        String path = args.text("path");
        switch (args.text("action")) {
            case "write":
                byte[] whole = Bytes.of(args.get("content")).all();
                return transaction -> transaction.write(path, whole, options -> fill(args, options));
            case "append":
                byte[] added = Bytes.of(args.get("content")).all();
                return transaction -> transaction.append(path, added, options -> fill(args, options));
            case "patch":
                List<FileEdit> edits = edits(args);
                return transaction -> transaction.patch(path, edits, options -> fill(args, options));
            case "remove":
                return transaction -> transaction.remove(path, options -> fill(args, options));
            case "move":
                return transaction -> transaction.move(path, args.text("target"), options -> fill(args, options));
            case "copy":
                return transaction -> transaction.copy(path, args.text("target"), options -> fill(args, options));
            case "rollback":
                return transaction ->
                        transaction.rollback(path, args.numberOr("revision", 0), options -> fill(args, options));
            case "attributes":
                return transaction -> transaction.attributes(
                        path, attributes -> attributes(args, attributes), options -> fill(args, options));
            case "check":
                return transaction -> transaction.check(path, condition(args));
            default:
                throw new IllegalArgumentException("unknown action " + args.text("action"));
        }
    }

    private static Condition condition(Args args) {
        Condition condition = Condition.NONE;
        if (args.has("etag")) condition = condition.andEtag(args.text("etag"));
        if (args.has("ifRevision")) condition = condition.andRevision(args.number("ifRevision"));
        return condition;
    }

    private static void fill(Args args, StepOptions options) {
        options.condition(condition(args)).target(target(args)).overwrite(args.flag("overwrite"));
        if (args.text("action").equals("write")) args.ifNumber("mode", mode -> options.mode((int) mode));
        if (args.text("action").equals("copy")) args.ifNumber("revision", options::revision);
    }
}
