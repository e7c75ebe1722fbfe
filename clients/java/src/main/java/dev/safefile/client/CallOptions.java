package dev.safefile.client;

/** What a call takes that changes nothing. */
public final class CallOptions extends AbstractCallOptions<CallOptions> {
    CallOptions() {}
}
