"""When a held lock is renewed, and when it is lost. Waits for nothing itself."""

from __future__ import annotations

import time
from collections.abc import Callable

import grpc

from safefile.errors import Details, SafefileError

# Tried again after this, as long as the lock may last.
_RETRY = 0.2


class Renewal:
    """The time of a lock, by a monotonic clock. In seconds."""

    def __init__(self, ttl: float, asked: float, now: Callable[[], float] = time.monotonic) -> None:
        """`asked` is when it was last renewed: it lasts for `ttl` at least from then on."""
        self.ttl = ttl
        self._now = now
        self._end = asked + ttl
        self._next = asked + ttl / 3
        self._asked = asked
        self._failure: Exception | None = None

    @property
    def pause(self) -> float:
        """How long until something is to be done."""
        return max(0.0, min(self._next, self._end) - self._now())

    @property
    def left(self) -> float:
        """How long it lasts at least, unless it is renewed."""
        return self._end - self._now()

    def begin(self) -> SafefileError | None:
        """It is to be renewed now. Returns why it is lost instead."""
        self._asked = self._now()
        return self.ran_out()

    def ran_out(self) -> SafefileError | None:
        """Returns why it is lost, if its time is over."""
        if self.left > 0:
            return None
        lost = SafefileError(
            grpc.StatusCode.ABORTED,
            "The lock ran out before it could be renewed. What was done under it last may not have been alone.",
            Details(reason="LOCK_LOST"),
        )
        lost.__cause__ = self._failure
        return lost

    def renewed(self) -> None:
        self._end = self._asked + self.ttl
        self._next = self._asked + self.ttl / 3

    def failed(self, failure: Exception) -> SafefileError | None:
        """Returns why it is lost, if it is."""
        if isinstance(failure, SafefileError) and failure.reason == "LOCK_LOST":
            return failure
        self._failure = failure
        self._next = self._now() + _RETRY
        return None
