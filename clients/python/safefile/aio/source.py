"""Where the bytes of an asynchronous upload come from."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Generator
from typing import Any, Protocol, TypeAlias, cast, runtime_checkable

from safefile.content import CHUNK_BYTES, Data
from safefile.source import Opened, Readable, Source, read_bytes
from safefile.source import UploadSource as BlockingSource

# Comes after the last piece. Anything that a source gives by mistake is refused as a piece.
_END = object()


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
            async for piece in _in_threads(self._blocking, start):
                yield piece
            return
        opened = self._given() if self._opens else self._given
        if inspect.isawaitable(opened):
            opened = await opened
        if not _is_async(opened):
            async for piece in _in_threads(Source(opened), 0, getattr(opened, "close", None)):
                yield piece
            return
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
        while data := read_bytes(await opened.read(CHUNK_BYTES)):
            yield data
    else:
        async for piece in opened:
            yield piece


async def _in_threads(source: Source, start: int, close: Callable[[], object] | None = None) -> AsyncIterator[Data]:
    pieces = source.pieces(start)
    if source.is_memory:
        for piece in pieces:
            yield piece
        return
    reader = _Reader(pieces, close)
    try:
        while (piece := await asyncio.to_thread(reader.next)) is not _END:
            yield piece
    finally:
        await reader.close()


class _Reader:
    """Reads what blocks, and closes it in the end; both in threads.

    A thread that reads cannot be ended. When nobody waits for it any more it is the one that closes, whenever it comes
    back: any other would have to wait for it.
    """

    def __init__(self, pieces: Generator[Data, None, None], close: Callable[[], object] | None) -> None:
        self._pieces = pieces
        self._close_opened = close
        self._lock = threading.Lock()
        self._is_reading = False
        self._is_closed = False

    def next(self) -> Any:
        with self._lock:
            if self._is_closed:
                return _END
            self._is_reading = True
        try:
            return next(self._pieces, _END)
        finally:
            with self._lock:
                self._is_reading = False
                was_left = self._is_closed
            if was_left:
                self._close()

    async def close(self) -> None:
        with self._lock:
            self._is_closed = True
            if self._is_reading:
                return
        await asyncio.to_thread(self._close)

    def _close(self) -> None:
        try:
            self._pieces.close()
        finally:
            if self._close_opened is not None:
                self._close_opened()


async def _close(opened: Any) -> None:
    close = getattr(opened, "aclose", None) or getattr(opened, "close", None)
    if close is not None:
        closed = close()
        if inspect.isawaitable(closed):
            await closed
