package dev.safefile.client;

import com.google.protobuf.ByteString;
import dev.safefile.v1.TransactionAttributes;
import java.time.Instant;

/** Which attributes to change; at least one must be given. */
public final class Attributes {
    private final TransactionAttributes.Builder message = TransactionAttributes.newBuilder();

    Attributes() {}

    /** The permission bits, 0 to 0777. */
    public Attributes mode(int bits) {
        message.setMode(bits);
        return this;
    }

    /** The time of last change, from 1970 to 9999. */
    public Attributes updateTime(Instant time) {
        message.setUpdateTime(Protos.timestamp(time));
        return this;
    }

    /** Sets an extended attribute, by its name without the "user." in front; at most 64 KiB together. */
    public Attributes setXattr(String name, byte[] value) {
        message.putSetXattrs(name, ByteString.copyFrom(value));
        return this;
    }

    /** Removes an extended attribute, by its name without the "user." in front. A missing one is no error. */
    public Attributes removeXattr(String name) {
        message.addRemoveXattrs(name);
        return this;
    }

    TransactionAttributes message() {
        return message.build();
    }
}
