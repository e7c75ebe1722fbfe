package dev.safefile.conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.Objects;

/** A content that a command gives: text, base64, or so many bytes made up from a seed. */
record Bytes(byte[] held, long sizeBytes, long seed) {
    static Bytes of(JsonElement given) {
        JsonObject content = given.getAsJsonObject();
        if (content.has("text")) return of(content.get("text").getAsString().getBytes(StandardCharsets.UTF_8));
        if (content.has("base64"))
            return of(Base64.getDecoder().decode(content.get("base64").getAsString()));
        JsonObject fill = content.getAsJsonObject("fill");
        long seed = fill.has("seed") ? fill.get("seed").getAsLong() : 0;
        return new Bytes(null, fill.get("size").getAsLong(), seed);
    }

    private static Bytes of(byte[] held) {
        return new Bytes(held, held.length, 0);
    }

    InputStream open() {
        return held == null ? new Fill() : new ByteArrayInputStream(held);
    }

    byte[] all() throws IOException {
        return held == null ? open().readAllBytes() : held;
    }

    /** The same, but it fails after so many bytes. */
    InputStream failing(long afterBytes) {
        InputStream in = open();
        return new InputStream() {
            private long left = afterBytes;

            @Override
            public int read() throws IOException {
                byte[] one = new byte[1];
                return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
            }

            @Override
            public int read(byte[] target, int offset, int length) throws IOException {
                if (left == 0) throw new IOException("the source fails here");
                int count = in.read(target, offset, (int) Math.min(length, left));
                left -= Math.max(0, count);
                return count;
            }
        };
    }

    private final class Fill extends InputStream {
        private long at;

        @Override
        public int read() {
            return at == sizeBytes ? -1 : byteAt(at++) & 0xff;
        }

        @Override
        public int read(byte[] target, int offset, int length) {
            Objects.checkFromIndexSize(offset, length, target.length);
            if (length == 0) return 0;
            if (at == sizeBytes) return -1;
            int count = (int) Math.min(length, sizeBytes - at);
            for (int i = 0; i < count; i++) target[offset + i] = byteAt(at + i);
            at += count;
            return count;
        }

        @Override
        public long skip(long bytes) {
            long count = Math.max(0, Math.min(bytes, sizeBytes - at));
            at += count;
            return count;
        }
    }

    private byte byteAt(long i) {
        return (byte) ((i >> 8) ^ (i * 31) ^ seed);
    }
}
