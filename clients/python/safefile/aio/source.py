"""Where the bytes of an asynchronous upload come from."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any, Protocol, TypeAlias, cast, runtime_checkable

from safefile.content import CHUNK_BYTES, Data
from safefile.source import Opened, Readable, Source
from safefile.source import UploadSource as BlockingSource


@runtime_checkable
class AsyncReadable(Protocol):
    """A file whose `read` is a coroutine."""

    async def read(self, size: int, /) -> bytes: ...


AnyOpened: TypeAlias = Opened | AsyncIterable[Data] | AsyncReadable
UploadSource: TypeAlias = (
    "BlockingSource | AsyncIterable[Data] | AsyncReadable | Callable[[], AnyOpened | Awaitable[AnyOpened]]"
)
"""As that of the synchronous client, and besides what is asynchronous: iterables, files, functions that open one."""


class AsyncSource:
    """A source that knows whether it can be read again. What blocks is read in a thread."""

    def __init__(self, given: UploadSource) -> None:
        self._given: Any = given
        self._opens = callable(given) and not isinstance(given, Readable)
        self._blocking = None if self._opens or _is_async(given) else Source(cast(BlockingSource, given))
        self.can_seek = self._blocking is not None and self._blocking.can_seek
        self.can_repeat = self._opens or (self._blocking is not None and self._blocking.can_repeat)

    async def pieces(self, start: int) -> AsyncIterator[Data]:
        """The bytes from `start` on, which is 0 unless it can seek."""
        if self._blocking is not None:
            async for piece in _in_thread(self._blocking, start):
                yield piece
            return
        opened = self._given() if self._opens else self._given
        if inspect.isawaitable(opened):
            opened = await opened
        try:
            async for piece in _read(opened):
                yield piece
        finally:
            if self._opens:
                await _close(opened)


def _is_async(given: Any) -> bool:
    return isinstance(given, AsyncIterable) or inspect.iscoroutinefunction(getattr(given, "read", None))


async def _read(opened: Any) -> AsyncIterator[Data]:
    if inspect.iscoroutinefunction(getattr(opened, "read", None)):
        while data := await opened.read(CHUNK_BYTES):
            yield data
    elif isinstance(opened, AsyncIterable):
        async for piece in opened:
            yield piece
    else:
        async for piece in _in_thread(Source(opened), 0):
            yield piece


async def _in_thread(source: Source, start: int) -> AsyncIterator[Data]:
    pieces = source.pieces(start)
    if source.is_memory:
        for piece in pieces:
            yield piece
        return
    while (read := await asyncio.to_thread(next, pieces, None)) is not None:
        yield read


async def _close(opened: Any) -> None:
    close = getattr(opened, "aclose", None) or getattr(opened, "close", None)
    if close is not None:
        closed = close()
        if inspect.isawaitable(closed):
            await closed
