package dev.safefile.conformance;

import com.google.gson.JsonObject;
import java.util.Set;

/**
 * What the driver can be told to call.
 *
 * @param arguments the names of all arguments that it knows
 */
record Verb(Set<String> arguments, Action action) {
    @FunctionalInterface
    interface Action {
        JsonObject run(Args args) throws Exception;
    }
}
