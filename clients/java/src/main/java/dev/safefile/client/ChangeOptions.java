package dev.safefile.client;

/** What a change takes that has no options of its own. */
public final class ChangeOptions extends AbstractChangeOptions<ChangeOptions> {
    ChangeOptions() {}
}
