package dev.safefile.conformance;

import com.google.gson.JsonObject;
import com.google.rpc.Status;
import dev.safefile.client.SafefileException;
import dev.safefile.storage.v1.OperationRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.zip.CRC32C;

/** Decodes golden files, without a server. */
final class Golden {
    private static final int FRAME_HEADER_BYTES = 41;
    private static final int OPERATION = 1;

    private Golden() {}

    static JsonObject decode(Args args) throws IOException {
        byte[] bytes = Files.readAllBytes(Path.of(args.text("file")));
        return switch (args.text("kind")) {
            case "status" -> status(bytes);
            case "content" -> content(bytes);
            case "frame" -> frame(bytes);
            default -> throw new IllegalArgumentException("unknown kind " + args.text("kind"));
        };
    }

    private static JsonObject status(byte[] bytes) throws IOException {
        JsonObject value = new JsonObject();
        value.add("error", Values.error(SafefileException.of(Status.parseFrom(bytes))));
        return value;
    }

    private static JsonObject content(byte[] bytes) {
        JsonObject value = new JsonObject();
        value.addProperty("sha256", HexFormat.of().formatHex(Values.sha256().digest(bytes)));
        value.addProperty("crc32c", crc32c(bytes, 0, bytes.length));
        return value;
    }

    /** The form of a frame is described in services/journal/frame.ts. */
    private static JsonObject frame(byte[] bytes) throws IOException {
        ByteBuffer header = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        long payloadBytes = bytes.length < FRAME_HEADER_BYTES ? -1 : Integer.toUnsignedLong(header.getInt(4));
        boolean complete = payloadBytes >= 0 && FRAME_HEADER_BYTES + payloadBytes <= bytes.length;
        int end = complete ? (int) (FRAME_HEADER_BYTES + payloadBytes) : 0;
        boolean valid = complete && crc32c(bytes, 4, end - 4) == Integer.toUnsignedLong(header.getInt(0));
        JsonObject value = new JsonObject();
        value.addProperty("valid", valid);
        if (!valid) return value;
        value.addProperty("sequence", header.getLong(8));
        value.addProperty("durableSequence", header.getLong(16));
        value.addProperty("incarnation", HexFormat.of().formatHex(bytes, 24, 40));
        value.addProperty("type", bytes[40] & 0xff);
        if (bytes[40] == OPERATION) {
            byte[] payload = Arrays.copyOfRange(bytes, FRAME_HEADER_BYTES, end);
            value.add("record", Values.message(OperationRecord.parseFrom(payload)));
        }
        return value;
    }

    private static long crc32c(byte[] bytes, int offset, int length) {
        CRC32C sum = new CRC32C();
        sum.update(bytes, offset, length);
        return sum.getValue();
    }
}
