"""A lock that is renewed as long as somebody needs it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from safefile.cancellation import Cancellation
from safefile.errors import SafefileError
from safefile.renewal import Renewal
from safefile.v1.lock_service_pb2 import Lock


class HeldLock:
    """Renewed by a thread of its own until it is released; the end of a `with` block releases it.

    When it is lost meanwhile, `cancellation` is cancelled (give it to the calls made under the lock), and the `with`
    block fails with the loss, also when what is in it did not: what it did last may not have been alone.
    """

    def __init__(
        self,
        lock: Lock,
        renewal: Renewal,
        renew: Callable[[float, Cancellation], object],
        release: Callable[[], bool],
    ) -> None:
        """`renew` takes how long it may take, and what ends it."""
        self.lock = lock
        self.cancellation = Cancellation()
        """Cancelled when the lock is lost, or may be."""
        self._renewal = renewal
        self._renew_once = renew
        self._release = release
        self._loss: SafefileError | None = None
        self._losing = threading.Lock()
        self._ending = Cancellation()
        self._thread = threading.Thread(target=self._renew, name="safefile-lock", daemon=True)
        self._thread.start()

    @property
    def lock_id(self) -> str:
        """For the `lock_id` of changes."""
        return self.lock.lock_id

    @property
    def fencing_token(self) -> int:
        """Of the first path: strictly rising with every exclusive holder."""
        return self.lock.targets[0].fencing_token if self.lock.targets else 0

    @property
    def lost(self) -> SafefileError | None:
        """Why it is lost. None while it is not."""
        self._look()
        return self._loss

    def release(self) -> bool:
        """Ends it. False when it had ended before."""
        if self._ending.cancelled:
            return False
        self._look()
        self._ending.cancel()
        self._thread.join()
        return self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # It ends by itself anyway: a release that fails is no failure of what was done.
        with contextlib.suppress(Exception):
            self.release()
        if error is None and self._loss is not None:
            raise self._loss

    def _renew(self) -> None:
        while self._loss is None and not self._ending.wait(self._renewal.pause):
            loss = self._renewal.begin()
            if loss is None:
                try:
                    self._renew_once(max(0.001, self._renewal.left), self._ending)
                    self._renewal.renewed()
                except Exception as failure:
                    # Whatever it was, it may be over by the next attempt.
                    if self._ending.cancelled:
                        return
                    loss = self._renewal.failed(failure)
            self._lose(loss)

    def _look(self) -> None:
        """Its time may have run out without the thread that renews it getting to run."""
        if self._loss is None and not self._ending.cancelled:
            self._lose(self._renewal.ran_out())

    def _lose(self, loss: SafefileError | None) -> None:
        if loss is None:
            return
        with self._losing:
            self._loss = self._loss or loss
        self.cancellation.cancel()
