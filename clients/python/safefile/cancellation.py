"""Ending calls from elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Cancellation:
    """Ends the calls that were given it, from any thread or task: they fail with the code CANCELLED.

    A change that was cancelled may have the outcome UNKNOWN. It stays cancelled: each intention takes a new one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._callbacks: dict[object, Callable[[], object]] = {}

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def cancel(self) -> None:
        with self._lock:
            self._event.set()
            callbacks, self._callbacks = self._callbacks, {}
        for callback in callbacks.values():
            callback()

    def wait(self, seconds: float) -> bool:
        """Waits so long, or less when it is cancelled; says whether it is."""
        return self._event.wait(seconds)

    def add(self, callback: Callable[[], object]) -> Callable[[], None]:
        """Calls `callback` once it is cancelled, at once when it is. Returns what makes it forget the callback."""
        key = object()
        with self._lock:
            was_cancelled = self._event.is_set()
            if not was_cancelled:
                self._callbacks[key] = callback
        if was_cancelled:
            callback()

        def remove() -> None:
            with self._lock:
                self._callbacks.pop(key, None)

        return remove


@contextmanager
def ending(cancel: Cancellation | None, callback: Callable[[], object]) -> Iterator[None]:
    """Calls `callback` when `cancel` is cancelled in the meantime, or was before."""
    remove = cancel.add(callback) if cancel is not None else None
    try:
        yield
    finally:
        if remove is not None:
            remove()
