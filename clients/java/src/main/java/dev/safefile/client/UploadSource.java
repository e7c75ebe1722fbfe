package dev.safefile.client;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where the bytes of an upload come from. */
public abstract sealed class UploadSource {
    /** Begins to read it; closed by whoever asked. */
    @FunctionalInterface
    public interface Opener {
        InputStream open() throws IOException;
    }

    private UploadSource() {}

    /** Bytes in memory. They may not change before the upload is over. */
    public static UploadSource of(byte[] bytes) {
        return new Bytes(bytes);
    }

    /** A file of this machine. */
    public static UploadSource of(Path file) {
        return new Opened(() -> Files.newInputStream(file));
    }

    /** Opened once for each attempt; the bytes have to be the same each time. */
    public static UploadSource of(Opener opener) {
        return new Opened(opener);
    }

    /** A stream that cannot be read again: such an upload is sent once. The stream is not closed. */
    public static UploadSource once(InputStream stream) {
        return new Once(stream);
    }

    abstract InputStream open() throws IOException;

    /** Whether the same bytes can be had once more. */
    boolean isReplayable() {
        return true;
    }

    static final class Bytes extends UploadSource {
        final byte[] bytes;

        Bytes(byte[] bytes) {
            this.bytes = bytes;
        }

        @Override
        InputStream open() {
            return new ByteArrayInputStream(bytes);
        }
    }

    private static final class Opened extends UploadSource {
        private final Opener opener;

        Opened(Opener opener) {
            this.opener = opener;
        }

        @Override
        InputStream open() throws IOException {
            return opener.open();
        }
    }

    private static final class Once extends UploadSource {
        private final InputStream stream;

        Once(InputStream stream) {
            this.stream = stream;
        }

        @Override
        InputStream open() {
            return new KeptOpen(stream);
        }

        @Override
        boolean isReplayable() {
            return false;
        }
    }

    /** Its closing is left to its owner. */
    private static final class KeptOpen extends java.io.FilterInputStream {
        KeptOpen(InputStream stream) {
            super(stream);
        }

        @Override
        public int read(byte[] target, int offset, int length) throws IOException {
            return in.read(target, offset, length);
        }

        @Override
        public void close() {}
    }
}
