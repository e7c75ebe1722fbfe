package dev.safefile.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.TypeRegistry;
import com.google.protobuf.util.JsonFormat;
import com.google.rpc.ErrorDetailsProto;
import dev.safefile.client.SafefileException;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;

/** What the driver answers, as JSON. */
final class Values {
    private static final int TEXT_BYTES_MAX = 1_024;
    private static final int PIECE_BYTES = 256 * 1024;

    private static final JsonFormat.Printer PRINTER = JsonFormat.printer()
            .omittingInsignificantWhitespace()
            .usingTypeRegistry(TypeRegistry.newBuilder()
                    .add(ErrorDetailsProto.getDescriptor().getMessageTypes())
                    .build());

    private Values() {}

    static JsonObject with(String name, Message message) {
        JsonObject value = new JsonObject();
        value.add(name, message(message));
        return value;
    }

    static JsonObject with(String name, Iterable<? extends Message> messages) {
        JsonArray array = new JsonArray();
        messages.forEach(message -> array.add(message(message)));
        JsonObject value = new JsonObject();
        value.add(name, array);
        return value;
    }

    static JsonElement message(Message message) {
        try {
            return JsonParser.parseString(PRINTER.print(message));
        } catch (InvalidProtocolBufferException unprintable) {
            throw new IllegalStateException(unprintable);
        }
    }

    static JsonObject content(byte[] bytes) {
        JsonObject value = new JsonObject();
        value.addProperty("sizeBytes", bytes.length);
        value.addProperty("sha256", HexFormat.of().formatHex(sha256().digest(bytes)));
        if (bytes.length <= TEXT_BYTES_MAX) addText(value, bytes);
        return value;
    }

    /** Told after each piece how many bytes there were; it ends when it says false. */
    interface Pace {
        boolean goOn(long readBytes);
    }

    /** Read to its end, without holding it. */
    static JsonObject content(InputStream in, Pace pace) throws IOException {
        MessageDigest digest = sha256();
        ByteArrayOutputStream first = new ByteArrayOutputStream();
        byte[] piece = new byte[PIECE_BYTES];
        long sizeBytes = 0;
        for (int count = in.read(piece); count >= 0; count = in.read(piece)) {
            digest.update(piece, 0, count);
            if (sizeBytes <= TEXT_BYTES_MAX) first.write(piece, 0, Math.min(count, TEXT_BYTES_MAX + 1));
            sizeBytes += count;
            if (!pace.goOn(sizeBytes)) return null;
        }
        JsonObject value = new JsonObject();
        value.addProperty("sizeBytes", sizeBytes);
        value.addProperty("sha256", HexFormat.of().formatHex(digest.digest()));
        if (sizeBytes <= TEXT_BYTES_MAX) addText(value, first.toByteArray());
        return value;
    }

    static JsonObject error(SafefileException failure) {
        JsonObject error = new JsonObject();
        error.addProperty("code", failure.code().name());
        error.addProperty("message", failure.getMessage());
        failure.reason().ifPresent(reason -> error.addProperty("reason", reason));
        failure.outcome().ifPresent(outcome -> error.addProperty("outcome", outcome.name()));
        failure.stage().ifPresent(stage -> error.addProperty("stage", stage));
        failure.requestId().ifPresent(id -> error.addProperty("requestId", id));
        failure.retryAfter().ifPresent(after -> error.addProperty("retryAfterMs", after.toMillis()));
        failure.resource().ifPresent(found -> {
            JsonObject resource = new JsonObject();
            resource.addProperty("type", found.type());
            resource.addProperty("name", found.name());
            error.add("resource", resource);
        });
        JsonObject metadata = new JsonObject();
        failure.metadata().forEach(metadata::addProperty);
        error.add("metadata", metadata);
        JsonArray fields = new JsonArray();
        failure.fieldViolations().forEach(found -> {
            JsonObject violation = new JsonObject();
            violation.addProperty("field", found.field());
            violation.addProperty("description", found.description());
            fields.add(violation);
        });
        error.add("fieldViolations", fields);
        JsonArray conditions = new JsonArray();
        failure.conditionViolations().forEach(found -> {
            JsonObject violation = new JsonObject();
            violation.addProperty("type", found.type());
            violation.addProperty("subject", found.subject());
            violation.addProperty("description", found.description());
            conditions.add(violation);
        });
        error.add("preconditionViolations", conditions);
        return error;
    }

    static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    private static void addText(JsonObject value, byte[] bytes) {
        try {
            // A decoder of its own refuses what is no UTF-8.
            value.addProperty(
                    "text",
                    StandardCharsets.UTF_8
                            .newDecoder()
                            .decode(ByteBuffer.wrap(bytes))
                            .toString());
        } catch (CharacterCodingException binary) {
            // Then there is no text.
        }
    }
}
