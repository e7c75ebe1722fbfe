package dev.safefile.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import dev.safefile.v1.ErrorReason;
import io.grpc.Metadata;
import io.grpc.Status;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;

class ErrorDetailsTest {
    private static final Metadata.Key<byte[]> DETAILS =
            Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

    private static SafefileException read(com.google.rpc.Status.Builder status) {
        Metadata trailers = new Metadata();
        trailers.put(DETAILS, status.build().toByteArray());
        return ErrorDetails.of(Status.ABORTED.withDescription("of gRPC"), trailers);
    }

    private static ErrorInfo info(String domain) {
        return ErrorInfo.newBuilder()
                .setDomain(domain)
                .setReason("PRECONDITION_FAILED")
                .putMetadata("outcome", "NOT_COMMITTED")
                .putMetadata("stage", "lock")
                .putMetadata("request_id", "r")
                .build();
    }

    @Test
    void allDetailsAreRead() {
        var error = read(com.google.rpc.Status.newBuilder()
                .setMessage("of the details")
                .addDetails(Any.pack(info("safefile")))
                .addDetails(Any.pack(BadRequest.newBuilder()
                        .addFieldViolations(
                                BadRequest.FieldViolation.newBuilder().setField("f"))
                        .build()))
                .addDetails(Any.pack(PreconditionFailure.newBuilder()
                        .addViolations(
                                PreconditionFailure.Violation.newBuilder().setSubject("s"))
                        .build()))
                .addDetails(
                        Any.pack(ResourceInfo.newBuilder().setResourceName("n").build()))
                .addDetails(Any.pack(RetryInfo.newBuilder()
                        .setRetryDelay(Protos.duration(Duration.ofMillis(1500)))
                        .build())));
        assertEquals("of the details", error.getMessage());
        assertTrue(error.is(ErrorReason.ERROR_REASON_PRECONDITION_FAILED));
        assertEquals(Outcome.NOT_COMMITTED, error.outcome().orElseThrow());
        assertEquals("lock", error.stage().orElseThrow());
        assertEquals("r", error.requestId().orElseThrow());
        assertEquals("f", error.fieldViolations().get(0).field());
        assertEquals("s", error.conditionViolations().get(0).subject());
        assertEquals("n", error.resource().orElseThrow().name());
        assertEquals(Duration.ofMillis(1500), error.retryAfter().orElseThrow());
    }

    @Test
    void anotherDomainIsNotOurs() {
        var error = read(com.google.rpc.Status.newBuilder().addDetails(Any.pack(info("elsewhere"))));
        assertTrue(error.reason().isEmpty());
        assertTrue(error.outcome().isEmpty());
        assertEquals("of gRPC", error.getMessage());
    }

    @Test
    void aDetailThatCannotBeReadLeavesTheOthers() {
        Any broken = Any.newBuilder()
                .setTypeUrl("type.googleapis.com/google.rpc.RetryInfo")
                .setValue(ByteString.copyFrom(new byte[] {-1}))
                .build();
        var error = read(com.google.rpc.Status.newBuilder().addDetails(broken).addDetails(Any.pack(info("safefile"))));
        assertTrue(error.retryAfter().isEmpty());
        assertEquals("PRECONDITION_FAILED", error.reason().orElseThrow());
    }

    @Test
    void whatIsNoStatusLeavesCodeAndMessage() {
        Metadata trailers = new Metadata();
        trailers.put(DETAILS, "no status".getBytes(StandardCharsets.UTF_8));
        var error = ErrorDetails.of(Status.ABORTED.withDescription("of gRPC"), trailers);
        assertEquals(Status.Code.ABORTED, error.code());
        assertEquals("of gRPC", error.getMessage());
        assertEquals(List.of(), error.fieldViolations());
        assertFalse(error.is(ErrorReason.ERROR_REASON_INTERNAL));
    }
}
