package dev.safefile.client;

import io.grpc.MethodDescriptor;
import java.time.Duration;
import java.util.function.Consumer;

/** How every call is made: with the volume and the deadline of its options, or those of the client. */
abstract class Calls {
    final ClientOptions options;
    final Connection connection;

    Calls(ClientOptions options) {
        this.options = options;
        this.connection = new Connection(options);
    }

    /** A change, under the request id that was settled when its message was made. */
    final <Q, A> A change(MethodDescriptor<Q, A> method, Q request, AbstractChangeOptions<?> given) {
        return connection.unary(method, request, deadline(given, given.lockWait), given.requestId);
    }

    final <Q, A> A ask(MethodDescriptor<Q, A> method, Q request, AbstractCallOptions<?> given) {
        return connection.unary(method, request, deadline(given, null), null);
    }

    final String volume(AbstractCallOptions<?> given) {
        return given.volume == null ? options.volume : given.volume;
    }

    /** Time given to wait for a lock comes on top. */
    final Duration deadline(AbstractCallOptions<?> given, Duration lockWait) {
        if (given.deadline != null) return given.deadline;
        return lockWait == null ? options.deadline : options.deadline.plus(lockWait);
    }

    static <O> O filled(O options, Consumer<? super O> fill) {
        fill.accept(options);
        return options;
    }
}
