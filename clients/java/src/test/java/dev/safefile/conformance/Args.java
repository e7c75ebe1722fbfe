package dev.safefile.conformance;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import java.util.stream.StreamSupport;

/** The arguments of a command, and which client it is for. */
record Args(JsonObject given, String client) {
    void allow(Set<String> names) {
        for (String name : given.keySet()) {
            if (!names.contains(name)) throw new IllegalArgumentException("unknown argument " + name);
        }
    }

    boolean has(String name) {
        return given.has(name) && !given.get(name).isJsonNull();
    }

    String text(String name) {
        if (!has(name)) throw new IllegalArgumentException("argument " + name + " is missing");
        return given.get(name).getAsString();
    }

    String textOr(String name, String otherwise) {
        return has(name) ? text(name) : otherwise;
    }

    long number(String name) {
        if (!has(name)) throw new IllegalArgumentException("argument " + name + " is missing");
        return given.get(name).getAsLong();
    }

    long numberOr(String name, long otherwise) {
        return has(name) ? number(name) : otherwise;
    }

    boolean flag(String name) {
        return has(name) && given.get(name).getAsBoolean();
    }

    JsonElement get(String name) {
        if (!has(name)) throw new IllegalArgumentException("argument " + name + " is missing");
        return given.get(name);
    }

    /** What is not given is not set. */
    void ifNumber(String name, LongConsumer set) {
        if (has(name)) set.accept(number(name));
    }

    void ifText(String name, Consumer<String> set) {
        if (has(name)) set.accept(text(name));
    }

    List<String> texts(String name) {
        if (!has(name)) return List.of();
        JsonArray all = given.getAsJsonArray(name);
        return StreamSupport.stream(all.spliterator(), false)
                .map(JsonElement::getAsString)
                .toList();
    }

    Map<String, String> map(String name) {
        Map<String, String> all = new LinkedHashMap<>();
        if (has(name)) {
            given.getAsJsonObject(name)
                    .entrySet()
                    .forEach(entry -> all.put(entry.getKey(), entry.getValue().getAsString()));
        }
        return all;
    }

    /** Objects of an array, as arguments. */
    List<Args> each(String name) {
        return StreamSupport.stream(get(name).getAsJsonArray().spliterator(), false)
                .map(element -> new Args(element.getAsJsonObject(), client))
                .toList();
    }
}
