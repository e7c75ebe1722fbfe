package dev.safefile.conformance;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import dev.safefile.client.SafefileException;
import io.opentelemetry.api.trace.Span;
import io.opentelemetry.api.trace.SpanContext;
import io.opentelemetry.api.trace.TraceFlags;
import io.opentelemetry.api.trace.TraceState;
import io.opentelemetry.context.Context;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledFuture;
import java.util.concurrent.TimeUnit;

/** The driver of the conformance suite: see test/conformance/PROTOCOL.md. */
public final class Driver {
    /** Commands under way when the input ends may take so long. */
    private static final long END_MS_MAX = 5_000;

    private final Map<String, Verb> verbs = Verbs.all();
    private final Set<Thread> running = ConcurrentHashMap.newKeySet();
    private final PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    private final ScheduledExecutorService cancelling = Executors.newSingleThreadScheduledExecutor(work -> {
        Thread thread = new Thread(work, "cancelling");
        thread.setDaemon(true);
        return thread;
    });

    public static void main(String[] given) throws IOException, InterruptedException {
        new Driver().run();
        System.exit(0);
    }

    private void run() throws IOException, InterruptedException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            if (line.isBlank()) continue;
            JsonObject command = JsonParser.parseString(line).getAsJsonObject();
            // A thread of its own: it may be interrupted.
            Thread thread = new Thread(() -> answer(command));
            running.add(thread);
            thread.start();
        }
        long endNanos = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(END_MS_MAX);
        for (Thread thread : List.copyOf(running)) {
            thread.join(Math.max(1, TimeUnit.NANOSECONDS.toMillis(endNanos - System.nanoTime())));
        }
    }

    private void answer(JsonObject command) {
        JsonObject answer = new JsonObject();
        answer.add("id", command.get("id"));
        try {
            answer.add("value", called(command));
        } catch (SafefileException failure) {
            answer.add("error", Values.error(failure));
        } catch (Exception | AssertionError other) {
            JsonObject error = new JsonObject();
            error.addProperty("other", other.toString());
            answer.add("error", error);
        }
        synchronized (out) {
            out.println(answer);
            out.flush();
        }
        running.remove(Thread.currentThread());
    }

    private JsonObject called(JsonObject command) throws Exception {
        String name = command.get("verb").getAsString();
        Verb verb = verbs.get(name);
        if (verb == null) throw new IllegalArgumentException("unknown verb " + name);
        JsonObject given = command.has("args") ? command.getAsJsonObject("args") : new JsonObject();
        Args args =
                new Args(given, command.has("client") ? command.get("client").getAsString() : null);
        args.allow(verb.arguments());
        Thread thread = Thread.currentThread();
        ScheduledFuture<?> cancel = args.has("cancelAfterMs")
                ? cancelling.schedule(thread::interrupt, args.number("cancelAfterMs"), TimeUnit.MILLISECONDS)
                : null;
        try {
            return traced(args).wrap(() -> verb.action().run(args)).call();
        } finally {
            if (cancel != null) cancel.cancel(false);
        }
    }

    private static Context traced(Args args) {
        if (!args.has("traceparent")) return Context.root();
        String[] parts = args.text("traceparent").split("-");
        TraceFlags flags = TraceFlags.fromHex(parts[3], 0);
        return Context.root()
                .with(Span.wrap(
                        SpanContext.createFromRemoteParent(parts[1], parts[2], flags, TraceState.getDefault())));
    }
}
