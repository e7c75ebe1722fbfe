"""Where the bytes of an upload come from."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol, TypeAlias, runtime_checkable

from safefile.content import CHUNK_BYTES, Data


@runtime_checkable
class Readable(Protocol):
    """A binary file, for example."""

    def read(self, size: int, /) -> bytes: ...


Opened: TypeAlias = Readable | Iterable[Data]
UploadSource: TypeAlias = "Data | os.PathLike[str] | Opened | Callable[[], Opened]"
"""Bytes, a path, a binary file, an iterable of bytes, or a function that opens one of the last two."""


class Source:
    """A source that knows whether it can be read again, and whether it can be read from the middle."""

    def __init__(self, given: UploadSource) -> None:
        self._given = given
        self._base = 0
        self.can_seek = False
        self.is_memory = isinstance(given, bytes | bytearray | memoryview)
        if self.is_memory or isinstance(given, os.PathLike):
            self.can_seek = True
        elif isinstance(given, Readable) and _can_seek(given):
            self.can_seek = True
            self._base = given.tell()  # type: ignore[attr-defined]
        self.can_repeat = self.can_seek or (callable(given) and not isinstance(given, Readable))

    def pieces(self, start: int) -> Generator[Data, None, None]:
        """The bytes from `start` on, which is 0 unless it can seek."""
        given: Any = self._given
        if isinstance(given, bytes | bytearray | memoryview):
            yield memoryview(given).cast("B")[start:]
        elif isinstance(given, os.PathLike):
            with Path(given).open("rb") as file:
                file.seek(start)
                yield from _read(file)
        elif isinstance(given, Readable):
            if self.can_seek:
                given.seek(self._base + start)  # type: ignore[attr-defined]
            yield from _read(given)
        elif callable(given):
            yield from _opened(given())
        else:
            yield from given


def _opened(opened: Any) -> Iterator[Data]:
    try:
        yield from _read(opened) if isinstance(opened, Readable) else opened
    finally:
        close = getattr(opened, "close", None)
        if close is not None:
            close()


def _read(file: Readable) -> Iterator[Data]:
    while True:
        data = read_bytes(file.read(CHUNK_BYTES))
        if len(data) == 0:
            return
        yield data


def read_bytes(data: bytes | None) -> bytes:
    """What a file gave. None is that of a non-blocking file, which cannot be waited for here."""
    if data is None:
        raise BlockingIOError("a source of an upload must block until it has bytes")
    return data


def _can_seek(file: Any) -> bool:
    seekable = getattr(file, "seekable", None)
    return seekable is not None and bool(seekable())
