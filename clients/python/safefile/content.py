"""Content on its way: cut into chunks, digested and compared. Reads and sends nothing itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import google_crc32c
import grpc

from safefile.errors import Details, SafefileError
from safefile.v1.common_pb2 import ContentHeader
from safefile.v1.file_ops_service_pb2 import ReadFileResponse
from safefile.v1.recovery_service_pb2 import ReadRevisionResponse

Data = bytes | bytearray | memoryview
Part = ReadFileResponse | ReadRevisionResponse

CHUNK_BYTES = 256 * 1024


def crc32c(data: bytes) -> int:
    """CRC-32C (Castagnoli)."""
    return int(google_crc32c.value(data))


class Chunker:
    """Cuts pieces of any size into chunks of one size, but for the last. Many small pieces become one chunk."""

    def __init__(self, chunk_bytes: int = CHUNK_BYTES) -> None:
        self._chunk_bytes = chunk_bytes
        self._held = bytearray()

    def feed(self, piece: Data) -> Iterator[bytes]:
        if not isinstance(piece, bytes | bytearray | memoryview):
            raise TypeError(f"an upload is made of bytes, not of {type(piece).__name__}")
        rest = memoryview(piece).cast("B")
        while len(self._held) + len(rest) >= self._chunk_bytes:
            part = rest[: self._chunk_bytes - len(self._held)]
            rest = rest[len(part) :]
            chunk = bytes(self._held) + bytes(part) if self._held else bytes(part)
            self._held.clear()
            yield chunk
        self._held += rest

    def rest(self) -> Iterator[bytes]:
        if self._held:
            yield bytes(self._held)
            self._held.clear()


class SentContent:
    """The digest of what is sent, over all attempts: bytes that are read again are not counted again."""

    def __init__(self, is_declared: bool) -> None:
        """`is_declared`: the server compares the digest itself."""
        self._is_declared = is_declared
        self._hash = hashlib.sha256()
        self.hashed_bytes = 0
        self.unread = False
        """Whether it may be there without having been read."""

    def may_skip(self, offset: int) -> bool:
        """Whether what comes before `offset` need not be read again."""
        return self._is_declared or self.hashed_bytes >= offset

    def add(self, data: bytes, offset: int) -> None:
        if self._is_declared:
            return
        fresh = memoryview(data)[max(0, min(len(data), self.hashed_bytes - offset)) :]
        self._hash.update(fresh)
        self.hashed_bytes += len(fresh)

    def equals(self, sha256: bytes) -> bool:
        """Checked after the fact, for a source whose digest was not known before."""
        return self._is_declared or self.unread or self._hash.digest() == sha256


class ReceivedContent:
    """Compares a download, message by message, with what it says of itself. Anything else is DATA_LOSS."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._header: ContentHeader | None = None
        self._hash = hashlib.sha256()
        self._at = 0
        self._complete = False
        self.sha256: bytes | None = None
        """Of the whole content, computed here and equal to the server's. None before the end, or of a part."""

    @property
    def header(self) -> ContentHeader:
        assert self._header is not None, "the header comes first"
        return self._header

    def begin(self, part: Part | None) -> None:
        """The first message."""
        if part is None or part.WhichOneof("part") != "header":
            raise self._broken("did not begin with a header")
        self._header = part.header
        self._at = part.header.offset

    def take(self, part: Part | None) -> bytes:
        """The next message, None at the end of the stream. Returns its bytes, none for the trailer."""
        if part is None:
            if not self._complete:
                raise self._broken("was cut short")
            return b""
        if self._complete:
            raise self._broken("went on after its end")
        match part.WhichOneof("part"):
            case "chunk":
                return self._chunk(part.chunk.data, part.chunk.offset, part.chunk.crc32c, part.chunk.HasField("crc32c"))
            case "trailer":
                self._trailer(part.trailer.size_bytes, part.trailer.sha256)
                return b""
            case _:
                raise self._broken("held something unknown")

    @property
    def _is_whole(self) -> bool:
        header = self.header
        if header.HasField("file"):
            size_bytes = header.file.size_bytes
        elif header.HasField("revision"):
            size_bytes = header.revision.size_bytes
        else:
            size_bytes = -1
        return header.offset == 0 and header.size_bytes == size_bytes

    def _chunk(self, data: bytes, offset: int, crc: int, has_crc: bool) -> bytes:
        if offset != self._at:
            raise self._broken(f"jumped from byte {self._at} to {offset}")
        self._at += len(data)
        if self._at - self.header.offset > self.header.size_bytes:
            raise self._broken("held more bytes than it said")
        if has_crc and crc32c(data) != crc:
            raise self._broken("was damaged on the way")
        if self._is_whole:
            self._hash.update(data)
        return data

    def _trailer(self, size_bytes: int, sha256: bytes) -> None:
        sent_bytes = self._at - self.header.offset
        if size_bytes != sent_bytes or sent_bytes != self.header.size_bytes:
            raise self._broken(f"came with {sent_bytes} bytes of {self.header.size_bytes}")
        self._complete = True
        if not self._is_whole or not sha256:
            return
        if self._hash.digest() != sha256:
            raise self._broken("does not have the SHA-256 it came with")
        self.sha256 = sha256

    def _broken(self, what: str) -> SafefileError:
        message = f"The content of {self._path} {what}. Read it again."
        return SafefileError(grpc.StatusCode.DATA_LOSS, message, Details(metadata={"path": self._path}))
