package dev.safefile.client;

/** What became of the file. */
public enum Outcome {
    /** Nothing changed. */
    NOT_COMMITTED,
    /** The change is durable and visible. */
    COMMITTED,
    /** Nobody knows yet: repeat the call with the same request id to learn it. */
    UNKNOWN
}
