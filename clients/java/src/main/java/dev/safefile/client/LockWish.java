package dev.safefile.client;

import dev.safefile.v1.LockMode;
import dev.safefile.v1.LockScope;
import dev.safefile.v1.LockTarget;

/**
 * What to lock.
 *
 * @param path "" is the root; it can be locked with all below it only
 * @param subtree also everything below it
 * @param shared together with others who share it; nobody changes it meanwhile
 */
public record LockWish(String path, boolean subtree, boolean shared) {
    public static LockWish of(String path) {
        return new LockWish(path, false, false);
    }

    public static LockWish tree(String path) {
        return new LockWish(path, true, false);
    }

    /** The same together with others who share it. */
    public LockWish asShared() {
        return new LockWish(path, subtree, true);
    }

    LockTarget message() {
        return LockTarget.newBuilder()
                .setPath(path)
                .setScope(subtree ? LockScope.LOCK_SCOPE_SUBTREE : LockScope.LOCK_SCOPE_PATH)
                .setMode(shared ? LockMode.LOCK_MODE_SHARED : LockMode.LOCK_MODE_EXCLUSIVE)
                .build();
    }
}
