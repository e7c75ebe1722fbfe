package dev.safefile.client;

import java.time.Duration;

/**
 * How often and how long a call that is UNAVAILABLE is repeated, with the same request id.
 *
 * @param attemptsMax the first attempt included: 1 never repeats
 * @param timeMax no attempt starts later than this after the first failure
 * @param backoffMin the first pause; each next one is twice as long, less a random part of up to a half
 * @param backoffMax the longest pause
 */
public record RetryPolicy(int attemptsMax, Duration timeMax, Duration backoffMin, Duration backoffMax) {
    public static final RetryPolicy DEFAULT =
            new RetryPolicy(5, Duration.ofSeconds(30), Duration.ofMillis(100), Duration.ofSeconds(5));

    /** The same with another number of attempts. */
    public RetryPolicy withAttemptsMax(int value) {
        return new RetryPolicy(value, timeMax, backoffMin, backoffMax);
    }
}
