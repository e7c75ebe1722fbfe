package dev.safefile.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.PreconditionFailure;
import com.google.rpc.ResourceInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import io.grpc.Metadata;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Reads the google.rpc.Status that comes with an error. */
final class ErrorDetails {
    private static final Metadata.Key<byte[]> DETAILS =
            Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);
    private static final String DOMAIN = "safefile";

    private ErrorDetails() {}

    /** The error that a call ended with. */
    static SafefileException of(io.grpc.Status status, Metadata trailers) {
        byte[] bytes = trailers == null ? null : trailers.get(DETAILS);
        Optional<Status> found = Optional.ofNullable(bytes).flatMap(ErrorDetails::decode);
        String message =
                found.map(Status::getMessage).filter(text -> !text.isEmpty()).orElse(described(status));
        SafefileException.Facts facts = found.map(ErrorDetails::of).orElse(SafefileException.Facts.NONE);
        return new SafefileException(status.getCode(), message, facts, status.getCause());
    }

    /** "io exception" alone would not say that nobody listens. */
    private static String described(io.grpc.Status status) {
        String said = status.getDescription() == null ? status.getCode().name() : status.getDescription();
        Throwable cause = status.getCause();
        return cause == null || cause.getMessage() == null ? said : said + ": " + cause.getMessage();
    }

    static SafefileException.Facts of(Status status) {
        // Another service's reasons are not ours to read.
        Optional<ErrorInfo> info =
                find(status, ErrorInfo.class).filter(found -> found.getDomain().equals(DOMAIN));
        Map<String, String> metadata = info.map(ErrorInfo::getMetadataMap).orElse(Map.of());
        return new SafefileException.Facts(
                info.map(ErrorInfo::getReason).orElse(null),
                outcomeOf(metadata.get("outcome")),
                Map.copyOf(metadata),
                find(status, BadRequest.class).map(ErrorDetails::fields).orElse(List.of()),
                find(status, PreconditionFailure.class)
                        .map(ErrorDetails::conditions)
                        .orElse(List.of()),
                find(status, ResourceInfo.class).map(ErrorDetails::resource).orElse(null),
                find(status, RetryInfo.class).flatMap(ErrorDetails::delay).orElse(null));
    }

    /** Empty when a proxy, or another service at this address, sent something else. */
    private static Optional<Status> decode(byte[] bytes) {
        try {
            return Optional.of(Status.parseFrom(bytes));
        } catch (InvalidProtocolBufferException unreadable) {
            return Optional.empty();
        }
    }

    /** The first detail of this type. Empty also when it cannot be read: the status itself still can. */
    private static <M extends Message> Optional<M> find(Status status, Class<M> type) {
        try {
            for (Any detail : status.getDetailsList()) {
                if (detail.is(type)) return Optional.of(detail.unpack(type));
            }
        } catch (InvalidProtocolBufferException unreadable) {
            return Optional.empty();
        }
        return Optional.empty();
    }

    private static List<SafefileException.FieldViolation> fields(BadRequest found) {
        return found.getFieldViolationsList().stream()
                .map(one -> new SafefileException.FieldViolation(one.getField(), one.getDescription()))
                .toList();
    }

    private static List<SafefileException.ConditionViolation> conditions(PreconditionFailure found) {
        return found.getViolationsList().stream()
                .map(one ->
                        new SafefileException.ConditionViolation(one.getType(), one.getSubject(), one.getDescription()))
                .toList();
    }

    private static SafefileException.Resource resource(ResourceInfo found) {
        return new SafefileException.Resource(found.getResourceType(), found.getResourceName());
    }

    private static Optional<Duration> delay(RetryInfo found) {
        return found.hasRetryDelay() ? Optional.of(Protos.duration(found.getRetryDelay())) : Optional.empty();
    }

    private static Outcome outcomeOf(String name) {
        return Arrays.stream(Outcome.values())
                .filter(outcome -> outcome.name().equals(name))
                .findFirst()
                .orElse(null);
    }
}
