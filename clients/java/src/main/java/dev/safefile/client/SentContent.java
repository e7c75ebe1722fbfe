package dev.safefile.client;

import java.security.MessageDigest;
import java.util.Arrays;

/** The digest of what is sent, over all attempts: bytes that are read again are not counted again. */
final class SentContent {
    private final MessageDigest digest = Protos.sha256();
    /** The server compares the digest itself. */
    private final boolean declared;

    private long hashedBytes;
    /** Whether it may be there without having been read. */
    private boolean unread;

    SentContent(boolean declared) {
        this.declared = declared;
    }

    /** The source is opened, to be sent from `start` on. Returns from where on it has to be read. */
    long opened(long start) {
        // Also when it turns out to be empty.
        unread = false;
        return declared ? start : Math.min(start, hashedBytes);
    }

    void add(byte[] data, int length, long offset) {
        if (declared) return;
        int known = (int) Math.min(length, Math.max(0, hashedBytes - offset));
        digest.update(data, known, length - known);
        hashedBytes += length - known;
    }

    /** The service is asked whether it holds all `sizeBytes` without the source being read. */
    void ask(long sizeBytes) {
        if (hashedBytes < sizeBytes) unread = true;
    }

    /** Checked after the fact, for a source whose digest was not known before. */
    boolean is(byte[] sha256) {
        if (declared || unread) return true;
        try {
            return Arrays.equals(((MessageDigest) digest.clone()).digest(), sha256);
        } catch (CloneNotSupportedException impossible) {
            throw new AssertionError("SHA-256 of the JDK can be copied", impossible);
        }
    }
}
