"""Content as it arrives, asynchronously."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Any, Protocol, Self

import grpc
import grpc.aio

from safefile.aio.connection import Connection, Incoming, ending_in_loop, is_own
from safefile.cancellation import Cancellation
from safefile.content import Part, ReceivedContent
from safefile.download import came_to_a_halt, too_large, was_closed
from safefile.errors import SafefileError, cancelled
from safefile.v1.common_pb2 import FileInfo, Revision


class SupportsWrite(Protocol):
    """A binary file, for example, or one whose methods are coroutines."""

    def write(self, data: bytes, /) -> object: ...


class Download(AsyncIterator[bytes]):
    """Content as it arrives, all of one revision: iterate over it, `read` from it, or write it to a file.

    It is whole only when it has ended without an error: then every byte came, in order, with the server's digests.
    What is read slowly is sent slowly. Leave it early by `close`, or by the end of an `async with` block.
    """

    def __init__(
        self,
        connection: Connection,
        start: Callable[[], Incoming[Part]],
        path: str,
        cancel: Cancellation | None,
    ) -> None:
        """Use `open`, which waits for the header."""
        self._path = path
        self._cancel = cancel
        self._idle_timeout = connection.settings.idle_timeout
        self._call = start()
        self._ended = False
        self._complete = False
        self._failure: SafefileError | None = None
        self._left = b""
        self._content = ReceivedContent(path)

    async def open(self) -> Self:
        """Waits for the header, so that what cannot be read fails here."""
        try:
            self._content.begin(await self._next_part())
        except BaseException:
            await self.close()
            raise
        return self

    @property
    def file(self) -> FileInfo:
        """The live file as it was when opened. Empty when a stored revision is read."""
        return self._content.header.file

    @property
    def revision(self) -> Revision:
        """The stored revision. Empty when the live file is read."""
        return self._content.header.revision

    @property
    def offset(self) -> int:
        """Where in the content the first byte lies."""
        return self._content.header.offset

    @property
    def size_bytes(self) -> int:
        """How many bytes will come."""
        return self._content.header.size_bytes

    @property
    def sha256(self) -> bytes | None:
        """Of the whole content, computed here and equal to the server's. None before the end, or of a part."""
        return self._content.sha256

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._left:
            data, self._left = self._left, b""
            return data
        if self._complete:
            raise StopAsyncIteration
        if self._ended:
            raise self._failure or was_closed(self._path)
        try:
            while not self._complete:
                part = await self._next_part()
                data = self._content.take(part)
                if data:
                    return data
                self._complete = part is None
        except BaseException as failure:
            if isinstance(failure, SafefileError):
                self._failure = failure
            await self.close()
            raise
        raise StopAsyncIteration

    async def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes, at least one unless it has ended; all that is left when negative."""
        if size < 0:
            return b"".join([data async for data in self])
        if size == 0:
            return b""
        data = await anext(self, b"")
        data, self._left = data[:size], data[size:]
        return data

    async def write_to(self, target: SupportsWrite) -> int:
        """All of it into a file, in a thread unless its `write` is a coroutine. Returns how many bytes that were."""
        written = 0
        async for data in self:
            if inspect.iscoroutinefunction(target.write):
                await target.write(data)
            else:
                await asyncio.to_thread(target.write, data)
            written += len(data)
        return written

    async def whole(self, bytes_max: int) -> bytes:
        """All of it in memory. More than `bytes_max` is a ValueError, before any content is taken."""
        if self.size_bytes > bytes_max:
            await self.close()
            raise too_large(self._path, self.size_bytes, bytes_max)
        return await self.read()

    async def close(self) -> None:
        """Ends it early: what is read from it then is an error. After its end nothing."""
        self._left = b""
        if not self._ended:
            self._ended = True
            self._call.cancel()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def _next_part(self) -> Part | None:
        """None at the end of the stream, with its status: it is read to there and not cancelled after the last byte."""
        try:
            with ending_in_loop(self._cancel, self._call.cancel):
                async with asyncio.timeout(self._idle_timeout):
                    part: Any = await self._call.read()
        except TimeoutError as error:
            raise came_to_a_halt(self._path, self._idle_timeout) from error
        except asyncio.CancelledError as error:
            if is_own(self._call, self._cancel):
                raise cancelled(None, None) from error
            raise
        except grpc.RpcError as error:
            self._ended = True
            raise SafefileError.from_call(error) from error
        if part is grpc.aio.EOF:
            self._ended = True
            return None
        found: Part = part
        return found
