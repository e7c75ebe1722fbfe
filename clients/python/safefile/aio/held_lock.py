"""A lock that is renewed by a task as long as somebody needs it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, Self

from safefile.cancellation import Cancellation
from safefile.errors import SafefileError
from safefile.renewal import Renewal
from safefile.v1.lock_service_pb2 import Lock


class HeldLock:
    """Renewed by a task of its own until it is released; the end of an `async with` block releases it.

    When it is lost meanwhile, `cancellation` is cancelled (give it to the calls made under the lock), and the block
    fails with the loss, also when what is in it did not: what it did last may not have been alone.
    """

    def __init__(
        self,
        lock: Lock,
        renewal: Renewal,
        renew: Callable[[float], Awaitable[object]],
        release: Callable[[], Awaitable[bool]],
    ) -> None:
        """`renew` takes how long it may take."""
        self.lock = lock
        self.cancellation = Cancellation()
        """Cancelled when the lock is lost, or may be."""
        self._renewal = renewal
        self._renew_once = renew
        self._release = release
        self._loss: SafefileError | None = None
        self._released = False
        self._ending: asyncio.Task[bool] | None = None
        self._task = asyncio.create_task(self._renew())

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

    async def release(self) -> bool:
        """Ends it. False when it had ended before."""
        if self._released:
            return False
        self._look()
        self._released = True
        # It goes on when whoever waits for it is cancelled.
        self._ending = asyncio.create_task(self._end())
        return await asyncio.shield(self._ending)

    async def _end(self) -> bool:
        self._task.cancel()
        await asyncio.wait([self._task])
        return await self._release()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        # It ends by itself anyway: a release that fails is no failure of what was done.
        with contextlib.suppress(Exception):
            await self.release()
        if error is None and self._loss is not None:
            raise self._loss

    async def _renew(self) -> None:
        while self._loss is None:
            await asyncio.sleep(self._renewal.pause)
            loss = self._renewal.begin()
            if loss is None:
                try:
                    await self._renew_once(max(0.001, self._renewal.left))
                    self._renewal.renewed()
                except Exception as failure:
                    # Whatever it was, it may be over by the next attempt.
                    loss = self._renewal.failed(failure)
            self._lose(loss)

    def _look(self) -> None:
        """Its time may have run out without the task that renews it getting to run."""
        if self._loss is None and not self._released:
            self._lose(self._renewal.ran_out())

    def _lose(self, loss: SafefileError | None) -> None:
        if loss is not None and self._loss is None:
            self._loss = loss
            self.cancellation.cancel()


class Holding:
    """A lock about to be held: `await` it, or use it in `async with`."""

    def __init__(self, hold: Callable[[], Awaitable[HeldLock]]) -> None:
        self._hold = hold
        self._held: HeldLock | None = None

    def __await__(self) -> Generator[Any, None, HeldLock]:
        return self._hold().__await__()

    async def __aenter__(self) -> HeldLock:
        self._held = await self._hold()
        return self._held

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        if self._held is not None:
            await self._held.__aexit__(kind, error, at)
