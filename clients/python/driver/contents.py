"""Contents as the suite names them."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import tempfile
from collections.abc import Iterator
from typing import IO, Any

_BLOCK_BYTES = 65_536
_TEXT_BYTES_MAX = 1_024


class SourceError(Exception):
    """The source of an upload failed, as the suite asked for."""


class Content:
    """What `{"text"}`, `{"base64"}` or `{"fill"}` stands for. A fill is made piece by piece."""

    def __init__(self, given: dict[str, Any]) -> None:
        match given:
            case {"text": text, **rest} if not rest:
                self._block = str(text).encode()
                self.size_bytes = len(self._block)
            case {"base64": text, **rest} if not rest:
                self._block = base64.b64decode(text, validate=True)
                self.size_bytes = len(self._block)
            case {"fill": {"size": size, "seed": seed}, **rest} if not rest:
                # Byte i depends on the lower 16 bits of i only.
                self._block = bytes(((i >> 8) ^ (i * 31) ^ seed) & 255 for i in range(_BLOCK_BYTES))
                self.size_bytes = int(size)
            case _:
                raise ValueError(f"unknown content: {sorted(given)}")

    def pieces(self, fail_after_bytes: int | None = None) -> Iterator[bytes]:
        """Fails after so many bytes."""
        end = self.size_bytes if fail_after_bytes is None else min(self.size_bytes, fail_after_bytes)
        for at in range(0, end, _BLOCK_BYTES):
            yield self._block[: end - at]
        if fail_after_bytes is not None:
            raise SourceError(f"the source failed after {fail_after_bytes} bytes")

    def data(self) -> bytes:
        return b"".join(self.pieces())

    def sha256(self) -> bytes:
        found = hashlib.sha256()
        for piece in self.pieces():
            found.update(piece)
        return found.digest()

    def file(self) -> IO[bytes]:
        """A temporary file that holds it."""
        file = tempfile.TemporaryFile()  # noqa: SIM115 - the source of an upload, which ends with the process
        for piece in self.pieces():
            file.write(piece)
        file.seek(0)
        return file


class FailingFile:
    """A file that cannot be read to its end."""

    def __init__(self, file: IO[bytes], fail_after_bytes: int) -> None:
        self._file = file
        self._fail_after_bytes = fail_after_bytes

    def read(self, size: int, /) -> bytes:
        left = self._fail_after_bytes - self._file.tell()
        if left <= 0:
            raise SourceError(f"the source failed after {self._fail_after_bytes} bytes")
        return self._file.read(min(size, left))

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int) -> int:
        return self._file.seek(offset)

    def tell(self) -> int:
        return self._file.tell()


class Received:
    """What arrived, as it is reported."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self._start = b""
        self.size_bytes = 0

    def add(self, data: bytes) -> None:
        self._hash.update(data)
        self.size_bytes += len(data)
        if len(self._start) <= _TEXT_BYTES_MAX:
            self._start += data[: _TEXT_BYTES_MAX + 1]

    def value(self) -> dict[str, Any]:
        value: dict[str, Any] = {"sizeBytes": self.size_bytes, "sha256": self._hash.hexdigest()}
        if self.size_bytes <= _TEXT_BYTES_MAX:
            with contextlib.suppress(UnicodeDecodeError):
                value["text"] = self._start.decode()
        return value


def received(data: bytes) -> dict[str, Any]:
    found = Received()
    found.add(data)
    return found.value()
