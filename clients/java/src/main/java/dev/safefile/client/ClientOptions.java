package dev.safefile.client;

import io.grpc.ChannelCredentials;
import java.time.Duration;
import java.util.List;

/** How to reach the service, and what calls do unless they say otherwise. */
public final class ClientOptions {
    private static final int CHUNK_BYTES_MAX = 1024 * 1024;

    List<String> addresses = List.of();
    ChannelCredentials credentials;
    Duration deadline = Duration.ofSeconds(30);
    Duration idle = Duration.ofSeconds(60);
    String volume = "";
    RetryPolicy retry = RetryPolicy.DEFAULT;
    int receiveBytes = 4 * 1024 * 1024;
    int chunkBytes = 256 * 1024;

    ClientOptions() {}

    /** host:port, one or several: the first that answers is used, and the next when it is gone. */
    public ClientOptions addresses(List<String> hostsAndPorts) {
        addresses = List.copyOf(hostsAndPorts);
        return this;
    }

    /** Plain text unless given: the service listens on loopback only until it can authenticate callers. */
    public ClientOptions credentials(ChannelCredentials value) {
        credentials = value;
        return this;
    }

    /** How long a call may take, repeats included. Time given to wait for a lock is added. 30 s unless given. */
    public ClientOptions deadline(Duration length) {
        deadline = length;
        return this;
    }

    /** How long a stream of content may stand still. 60 s unless given. */
    public ClientOptions idle(Duration length) {
        idle = length;
        return this;
    }

    /** The volume of all calls. The replica's only volume unless given. */
    public ClientOptions volume(String name) {
        volume = name;
        return this;
    }

    /** How often a call is repeated. */
    public ClientOptions retry(RetryPolicy policy) {
        retry = policy;
        return this;
    }

    /** What the server may send of one stream before it is read. 4 MiB unless given; HTTP/2's own 64 KiB is slower. */
    public ClientOptions receiveBytes(int bytes) {
        receiveBytes = bytes;
        return this;
    }

    /** One chunk of an upload, at most 1 MiB. 256 KiB unless given. */
    public ClientOptions chunkBytes(int bytes) {
        if (bytes < 1 || bytes > CHUNK_BYTES_MAX) {
            throw new IllegalArgumentException("chunkBytes must be from 1 to " + CHUNK_BYTES_MAX);
        }
        chunkBytes = bytes;
        return this;
    }
}
