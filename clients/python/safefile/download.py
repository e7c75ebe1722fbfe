"""Content as it arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Protocol, Self

import grpc

from safefile.cancellation import Cancellation
from safefile.connection import Connection, Incoming
from safefile.content import Part, ReceivedContent
from safefile.errors import Details, SafefileError, cancelled
from safefile.v1.common_pb2 import FileInfo, Revision


class SupportsWrite(Protocol):
    """A binary file, for example."""

    def write(self, data: bytes, /) -> object: ...


class Download(Iterator[bytes]):
    """Content as it arrives, all of one revision: iterate over it, `read` from it like a file, or write it to one.

    It is whole only when it has ended without an error: then every byte came, in order, with the server's digests.
    What is read slowly is sent slowly. Leave it early by `close`, or by the end of a `with` block.
    """

    def __init__(
        self,
        connection: Connection,
        start: Callable[[], Incoming[Part]],
        path: str,
        cancel: Cancellation | None,
    ) -> None:
        """Waits for the header, so that what cannot be read fails here."""
        self._path = path
        self._cancel = cancel
        self._idle_timeout = connection.settings.idle_timeout
        self._call = start()
        self._idle = connection.watchdog.timer(self._idle_timeout, self._call.cancel)
        self._forget = cancel.add(self._call.cancel) if cancel is not None else lambda: None
        self._ended = False
        self._complete = False
        self._failure: SafefileError | None = None
        self._left = b""
        self._content = ReceivedContent(path)
        try:
            self._content.begin(self._next_part())
        except BaseException:
            self.close()
            raise

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

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        if self._left:
            data, self._left = self._left, b""
            return data
        if self._complete:
            raise StopIteration
        if self._ended:
            raise self._failure or was_closed(self._path)
        try:
            while not self._complete:
                part = self._next_part()
                data = self._content.take(part)
                if data:
                    return data
                self._complete = part is None
        except BaseException as failure:
            if isinstance(failure, SafefileError):
                self._failure = failure
            self.close()
            raise
        self.close()
        raise StopIteration

    def read(self, size: int = -1, /) -> bytes:
        """At most so many bytes, at least one unless it has ended; all that is left when negative."""
        if size < 0:
            return b"".join(self)
        if size == 0:
            return b""
        data = next(self, b"")
        data, self._left = data[:size], data[size:]
        return data

    def write_to(self, target: SupportsWrite) -> int:
        """All of it into a file. Returns how many bytes that were."""
        written = 0
        for data in self:
            target.write(data)
            written += len(data)
        return written

    def whole(self, bytes_max: int) -> bytes:
        """All of it in memory. More than `bytes_max` is a ValueError, before any content is taken."""
        if self.size_bytes > bytes_max:
            self.close()
            raise too_large(self._path, self.size_bytes, bytes_max)
        return self.read()

    def close(self) -> None:
        """Ends it early: what is read from it then is an error. After its end nothing."""
        self._forget()
        self._left = b""
        if not self._ended:
            self._ended = True
            self._call.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _next_part(self) -> Part | None:
        """None at the end of the stream, with its status: it is read to there and not cancelled after the last byte.

        HTTP/2 servers end connections with more than some thousand cancelled streams (CVE-2023-44487).
        """
        try:
            with self._idle.during():
                return next(self._call)
        except StopIteration:
            self._ended = True
            return None
        except grpc.RpcError as error:
            self._ended = True
            if self._cancel is not None and self._cancel.cancelled:
                raise cancelled(None, None) from error
            if self._idle.expired:
                raise came_to_a_halt(self._path, self._idle_timeout) from error
            raise SafefileError.from_call(error) from error


def too_large(path: str, size_bytes: int, bytes_max: int) -> ValueError:
    return ValueError(f"{path} has {size_bytes} bytes, more than {bytes_max}: use download")


def was_closed(path: str) -> SafefileError:
    message = f"The download of {path} was closed before its end."
    return SafefileError(grpc.StatusCode.CANCELLED, message, Details(metadata={"path": path}))


def came_to_a_halt(path: str, seconds: float) -> SafefileError:
    message = f"Nothing of {path} came for {seconds:g} s."
    return SafefileError(grpc.StatusCode.DEADLINE_EXCEEDED, message, Details(metadata={"path": path}))
