package dev.safefile.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.safefile.v1.AcquireLockRequest;
import dev.safefile.v1.AcquireLockResponse;
import dev.safefile.v1.HeldTarget;
import dev.safefile.v1.Lock;
import dev.safefile.v1.LockServiceGrpc;
import dev.safefile.v1.ReleaseLockRequest;
import dev.safefile.v1.ReleaseLockResponse;
import dev.safefile.v1.RenewLockRequest;
import dev.safefile.v1.RenewLockResponse;
import io.grpc.Context;
import io.grpc.Status;
import io.grpc.stub.StreamObserver;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class HeldLockTest {
    private final AtomicInteger releases = new AtomicInteger();
    private final AtomicInteger losses = new AtomicInteger();
    private final CountDownLatch renewals = new CountDownLatch(4);
    private volatile StatusOfRenewals state = StatusOfRenewals.FINE;
    private Duration ttl = Duration.ofMillis(600);
    private FakeServer fake;

    private enum StatusOfRenewals {
        FINE,
        LOST,
        UNANSWERED
    }

    private final class Service extends LockServiceGrpc.LockServiceImplBase {
        private Lock lock() {
            return Lock.newBuilder()
                    .setLockId("l")
                    .setRemaining(Protos.duration(ttl))
                    .addTargets(HeldTarget.newBuilder().setFencingToken(5))
                    .build();
        }

        @Override
        public void acquireLock(AcquireLockRequest request, StreamObserver<AcquireLockResponse> answer) {
            answer.onNext(AcquireLockResponse.newBuilder().setLock(lock()).build());
            answer.onCompleted();
        }

        @Override
        public void renewLock(RenewLockRequest request, StreamObserver<RenewLockResponse> answer) {
            renewals.countDown();
            switch (state) {
                case FINE -> {
                    answer.onNext(RenewLockResponse.newBuilder().setLock(lock()).build());
                    answer.onCompleted();
                }
                case LOST -> {
                    losses.incrementAndGet();
                    answer.onError(FakeServer.error(Status.Code.ABORTED, "LOCK_LOST", Map.of()));
                }
                case UNANSWERED -> {}
            }
        }

        @Override
        public void releaseLock(ReleaseLockRequest request, StreamObserver<ReleaseLockResponse> answer) {
            releases.incrementAndGet();
            answer.onNext(ReleaseLockResponse.newBuilder().setReleased(true).build());
            answer.onCompleted();
        }
    }

    @BeforeEach
    void start() throws Exception {
        fake = new FakeServer(new Service());
    }

    @AfterEach
    void stop() {
        fake.close();
    }

    private static void awaitCancelled(HeldLock held) throws InterruptedException {
        CountDownLatch told = new CountDownLatch(1);
        held.context().addListener((Context context) -> told.countDown(), Runnable::run);
        told.await();
    }

    @Test
    void itIsRenewedAndThenReleased() throws Exception {
        try (HeldLock held = fake.client.locks().hold("a")) {
            assertEquals(5, held.fencingToken());
            renewals.await();
        }
        assertEquals(1, releases.get());
    }

    @Test
    void whoeverHoldsItIsToldThatItIsLost() throws Exception {
        ttl = Duration.ofSeconds(6);
        try (HeldLock held = fake.client.locks().hold("a")) {
            state = StatusOfRenewals.LOST;
            awaitCancelled(held);
            // At once, and not when its time ran out.
            assertEquals(1, losses.get());
            assertEquals(
                    "LOCK_LOST",
                    assertThrows(SafefileException.class, held::check).reason().orElseThrow());
        }
    }

    @Test
    void itIsLostWhenItsTimeRanOutUnrenewed() throws Exception {
        try (HeldLock held = fake.client.locks().hold("a")) {
            state = StatusOfRenewals.UNANSWERED;
            awaitCancelled(held);
            assertTrue(held.loss().isPresent());
        }
    }

    @Test
    void aLockWhoseFirstRenewalFailsIsReleased() {
        state = StatusOfRenewals.LOST;
        var error =
                assertThrows(SafefileException.class, () -> fake.client.locks().hold("a"));
        assertEquals("LOCK_LOST", error.reason().orElseThrow());
        assertEquals(1, releases.get());
    }

    @Test
    void anInterruptedThreadStillReleases() {
        try (HeldLock held = fake.client.locks().hold("a")) {
            assertTrue(held.loss().isEmpty());
            Thread.currentThread().interrupt();
        }
        assertTrue(Thread.interrupted());
        assertEquals(1, releases.get());
    }
}
