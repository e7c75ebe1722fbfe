package dev.safefile.conformance;

import com.google.gson.JsonObject;
import dev.safefile.client.RetryPolicy;
import dev.safefile.client.SafefileClient;
import java.time.Duration;
import java.util.HashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** All that the driver can be told. */
final class Verbs {
    private static final Set<String> CALL = Set.of("deadlineMs", "cancelAfterMs", "traceparent");

    private final Map<String, SafefileClient> clients = new ConcurrentHashMap<>();
    private final Map<String, Verb> verbs = new HashMap<>();

    private Verbs() {
        add("open", this::open, "addresses", "retry", "deadlineMs", "idleMs");
        add("close", this::close);
        add("golden", Golden::decode, "kind", "file");
        new ReadVerbs(this).add();
        new ChangeVerbs(this).add();
        new LockVerbs(this).add();
    }

    static Map<String, Verb> all() {
        return Map.copyOf(new Verbs().verbs);
    }

    void add(String name, Verb.Action action, String... arguments) {
        Set<String> names = Stream.concat(Stream.of(arguments), CALL.stream()).collect(Collectors.toUnmodifiableSet());
        verbs.put(name, new Verb(names, action));
    }

    SafefileClient client(Args args) {
        SafefileClient client = args.client() == null ? null : clients.get(args.client());
        if (client == null) throw new IllegalArgumentException("no client " + args.client() + " is open");
        return client;
    }

    private JsonObject open(Args args) {
        SafefileClient client = SafefileClient.of(options -> {
            options.addresses(args.texts("addresses"));
            args.ifNumber("deadlineMs", ms -> options.deadline(Duration.ofMillis(ms)));
            args.ifNumber("idleMs", ms -> options.idle(Duration.ofMillis(ms)));
            if (args.has("retry")) {
                options.retry(policy(new Args(args.get("retry").getAsJsonObject(), null)));
            }
        });
        SafefileClient before = clients.put(args.client(), client);
        if (before != null) before.close();
        return new JsonObject();
    }

    private static RetryPolicy policy(Args args) {
        args.allow(Set.of("attemptsMax", "timeMsMax", "backoffMsMin", "backoffMsMax"));
        RetryPolicy usual = RetryPolicy.DEFAULT;
        return new RetryPolicy(
                (int) args.numberOr("attemptsMax", usual.attemptsMax()),
                millis(args, "timeMsMax", usual.timeMax()),
                millis(args, "backoffMsMin", usual.backoffMin()),
                millis(args, "backoffMsMax", usual.backoffMax()));
    }

    private static Duration millis(Args args, String name, Duration otherwise) {
        return Duration.ofMillis(args.numberOr(name, otherwise.toMillis()));
    }

    private JsonObject close(Args args) {
        client(args).close();
        clients.remove(args.client());
        return new JsonObject();
    }
}
