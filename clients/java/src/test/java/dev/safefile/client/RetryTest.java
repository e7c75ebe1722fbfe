package dev.safefile.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.grpc.Status;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class RetryTest {
    private final Retry retry = new Retry(FakeServer.QUICK, () -> {}, () -> 0);

    private static SafefileException failure(Status.Code code, String reason, Outcome outcome, Duration retryAfter) {
        var facts = new SafefileException.Facts(reason, outcome, Map.of(), List.of(), List.of(), null, retryAfter);
        return new SafefileException(code, "failed", facts, null);
    }

    private static SafefileException unavailable(Outcome outcome) {
        return failure(Status.Code.UNAVAILABLE, null, outcome, null);
    }

    @Test
    void theFifthAttemptIsTheLast() {
        for (int attempt = 1; attempt < 5; attempt++) retry.after(unavailable(null));
        assertThrows(SafefileException.class, () -> retry.after(unavailable(null)));
    }

    @Test
    void progressCountsAnew() {
        for (int attempt = 1; attempt < 5; attempt++) retry.after(unavailable(null));
        retry.reset();
        retry.after(unavailable(null));
    }

    @Test
    void onlyUnavailableIsRepeated() {
        var aborted = failure(Status.Code.ABORTED, "LOCK_FENCED", Outcome.NOT_COMMITTED, null);
        assertEquals(aborted, assertThrows(SafefileException.class, () -> retry.after(aborted)));
    }

    @Test
    void noAttemptComesBeforeTheServersRetryInfo() {
        var later = failure(Status.Code.UNAVAILABLE, "REPLICA_DRAINING", null, Duration.ofHours(1));
        // An hour is longer than the policy has time.
        assertThrows(SafefileException.class, () -> retry.after(later));
    }

    @Test
    void noPauseIsLongerThanTheDeadline() {
        var later = failure(Status.Code.UNAVAILABLE, null, null, Duration.ofSeconds(10));
        assertThrows(SafefileException.class, () -> retry.after(later, Deadline.in(Duration.ofSeconds(5))));
    }

    @Test
    void whatMayHaveCommittedStaysOpenUntilTheServiceAnswers() {
        assertEquals(
                Outcome.UNKNOWN,
                retry.settle(unavailable(Outcome.UNKNOWN)).outcome().orElseThrow());
        assertEquals(
                Outcome.UNKNOWN,
                retry.settle(unavailable(Outcome.NOT_COMMITTED)).outcome().orElseThrow());
        var answered = failure(Status.Code.ABORTED, "LOCK_FENCED", Outcome.NOT_COMMITTED, null);
        assertEquals(Outcome.NOT_COMMITTED, retry.settle(answered).outcome().orElseThrow());
    }

    @Test
    void anInterruptEndsThePause() {
        Thread.currentThread().interrupt();
        var waited = new Retry(RetryPolicy.DEFAULT, () -> {});
        var cancelled = assertThrows(SafefileException.class, () -> waited.after(unavailable(Outcome.UNKNOWN)));
        assertTrue(Thread.interrupted());
        assertEquals(Status.Code.CANCELLED, cancelled.code());
        assertEquals(Outcome.UNKNOWN, cancelled.outcome().orElseThrow());
    }
}
