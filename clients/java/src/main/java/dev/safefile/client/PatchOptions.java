package dev.safefile.client;

/** How to patch. */
public final class PatchOptions extends AbstractChangeOptions<PatchOptions> {
    byte[] sha256 = {};

    PatchOptions() {}

    /** SHA-256 of the whole file after the edits, when known: anything else is CHECKSUM_MISMATCH. */
    public PatchOptions sha256(byte[] digest) {
        sha256 = digest;
        return this;
    }
}
