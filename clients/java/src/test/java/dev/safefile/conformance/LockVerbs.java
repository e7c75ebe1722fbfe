package dev.safefile.conformance;

import com.google.gson.JsonObject;
import dev.safefile.client.HeldLock;
import dev.safefile.client.LockOptions;
import dev.safefile.client.LockWish;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** Locks. */
final class LockVerbs {
    private final Verbs verbs;
    private final Map<String, HeldLock> held = new ConcurrentHashMap<>();

    LockVerbs(Verbs verbs) {
        this.verbs = verbs;
    }

    void add() {
        verbs.add(
                "acquire",
                this::acquire,
                "targets",
                "ttlMs",
                "lockWaitMs",
                "priority",
                "requestId",
                "owner",
                "session",
                "labels");
        verbs.add("renew", this::renew, "lockId", "ttlMs");
        verbs.add("release", this::release, "lockId");
        verbs.add("listLocks", this::list, "path", "clientLocksOnly");
        verbs.add("breakLock", this::breakLock, "lockId", "reason");
        verbs.add(
                "hold",
                this::hold,
                "targets",
                "ttlMs",
                "lockWaitMs",
                "priority",
                "requestId",
                "owner",
                "session",
                "labels",
                "handle");
        verbs.add("held", this::held, "handle");
        verbs.add("unhold", this::unhold, "handle");
    }

    private static List<LockWish> wishes(Args args) {
        return args.each("targets").stream()
                .map(target -> new LockWish(target.textOr("path", ""), target.flag("subtree"), target.flag("shared")))
                .toList();
    }

    private static void fill(Args args, LockOptions options) {
        ReadVerbs.fill(args, options);
        args.ifNumber("ttlMs", ms -> options.ttl(Duration.ofMillis(ms)));
        args.ifNumber("lockWaitMs", ms -> options.lockWait(Duration.ofMillis(ms)));
        args.ifNumber("priority", priority -> options.priority((int) priority));
        args.ifText("requestId", options::requestId);
        args.ifText("owner", options::owner);
        args.ifText("session", options::session);
        options.labels(args.map("labels"));
    }

    private JsonObject acquire(Args args) {
        return Values.with("lock", verbs.client(args).locks().acquire(wishes(args), options -> fill(args, options)));
    }

    private JsonObject renew(Args args) {
        Duration ttl = args.has("ttlMs") ? Duration.ofMillis(args.number("ttlMs")) : null;
        return Values.with(
                "lock",
                verbs.client(args).locks().renew(args.text("lockId"), ttl, options -> ReadVerbs.fill(args, options)));
    }

    private JsonObject release(Args args) {
        JsonObject value = new JsonObject();
        value.addProperty(
                "released",
                verbs.client(args).locks().release(args.text("lockId"), options -> ReadVerbs.fill(args, options)));
        return value;
    }

    private JsonObject list(Args args) {
        return Values.with("locks", verbs.client(args).locks().list(options -> {
            ReadVerbs.fill(args, options);
            args.ifText("path", options::path);
            options.clientLocksOnly(args.flag("clientLocksOnly"));
        }));
    }

    private JsonObject breakLock(Args args) {
        verbs.client(args)
                .locks()
                .breakLock(args.text("lockId"), args.textOr("reason", ""), options -> ReadVerbs.fill(args, options));
        return new JsonObject();
    }

    private JsonObject hold(Args args) {
        HeldLock lock = verbs.client(args).locks().hold(wishes(args), options -> fill(args, options));
        held.put(args.text("handle"), lock);
        JsonObject value = new JsonObject();
        value.addProperty("lockId", lock.lockId());
        value.addProperty("fencingToken", lock.fencingToken());
        return value;
    }

    private HeldLock lock(Args args) {
        HeldLock found = held.get(args.text("handle"));
        if (found == null) throw new IllegalArgumentException("no lock " + args.text("handle"));
        return found;
    }

    private JsonObject held(Args args) {
        JsonObject value = new JsonObject();
        value.addProperty("lost", lock(args).loss().isPresent());
        return value;
    }

    private JsonObject unhold(Args args) {
        JsonObject value = new JsonObject();
        value.addProperty("released", lock(args).release());
        return value;
    }
}
