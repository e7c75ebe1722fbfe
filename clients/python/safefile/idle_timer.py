"""Ends streams that make no progress."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class IdleTimer:
    """Of one stream: only the time spent waiting for the other side counts."""

    def __init__(self, watchdog: Watchdog, seconds: float, expire: Callable[[], object]) -> None:
        self._watchdog = watchdog
        self._seconds = seconds
        self._expire = expire
        self.expired = False
        """Whether it was this timer that ended the stream."""

    @contextmanager
    def during(self) -> Iterator[None]:
        """Around a wait, which is ended by `expire` when it takes too long."""
        self._watchdog.watch(self, time.monotonic() + self._seconds)
        try:
            yield
        finally:
            self._watchdog.forget(self)

    def fire(self) -> None:
        self.expired = True
        self._expire()


class Watchdog:
    """One thread for all streams of a client, started when it is first needed. It wakes once a timeout or so."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._ends: dict[IdleTimer, float] = {}
        self._wakes = math.inf
        self._thread: threading.Thread | None = None
        self._closed = False

    def timer(self, seconds: float, expire: Callable[[], object]) -> IdleTimer:
        return IdleTimer(self, seconds, expire)

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify()

    def watch(self, timer: IdleTimer, end: float) -> None:
        with self._condition:
            self._ends[timer] = end
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="safefile-idle", daemon=True)
                self._thread.start()
            elif end < self._wakes:
                self._condition.notify()

    def forget(self, timer: IdleTimer) -> None:
        with self._condition:
            self._ends.pop(timer, None)

    def _run(self) -> None:
        while True:
            with self._condition:
                if self._closed:
                    return
                now = time.monotonic()
                late = [timer for timer, end in self._ends.items() if end <= now]
                for timer in late:
                    del self._ends[timer]
                if not late:
                    self._wakes = min(self._ends.values(), default=math.inf)
                    self._condition.wait(None if self._wakes == math.inf else self._wakes - now)
            # Not under the lock: ending a call may take a while.
            for timer in late:
                timer.fire()
