import hashlib

import grpc
import pytest

from safefile.content import Chunker, Part, ReceivedContent, SentContent, crc32c
from safefile.errors import SafefileError
from safefile.v1.common_pb2 import ContentChunk, ContentHeader, ContentTrailer, FileInfo
from safefile.v1.file_ops_service_pb2 import ReadFileResponse

DATA = b"0123456789"


def header(size_bytes: int = len(DATA), offset: int = 0, file_bytes: int = len(DATA)) -> Part:
    content = ContentHeader(file=FileInfo(size_bytes=file_bytes), offset=offset, size_bytes=size_bytes)
    return ReadFileResponse(header=content)


def chunk(data: bytes, offset: int, crc: int | None = None) -> Part:
    return ReadFileResponse(chunk=ContentChunk(data=data, offset=offset, crc32c=crc32c(data) if crc is None else crc))


def trailer(size_bytes: int = len(DATA), sha256: bytes | None = None) -> Part:
    return ReadFileResponse(
        trailer=ContentTrailer(
            size_bytes=size_bytes, sha256=hashlib.sha256(DATA).digest() if sha256 is None else sha256
        )
    )


def received(*parts: Part | None) -> tuple[bytes, ReceivedContent]:
    content = ReceivedContent("a")
    content.begin(parts[0])
    return b"".join(content.take(part) for part in parts[1:]), content


def test_crc32c_is_castagnoli() -> None:
    assert crc32c(b"123456789") == 0xE3069283


def test_a_whole_content_arrives_with_its_digest() -> None:
    data, content = received(header(), chunk(DATA[:4], 0), chunk(DATA[4:], 4), trailer(), None)
    assert data == DATA
    assert content.sha256 == hashlib.sha256(DATA).digest()


def test_a_part_has_no_digest() -> None:
    data, content = received(header(3, 2), chunk(DATA[2:5], 2), trailer(3, b""), None)
    assert (data, content.sha256) == (DATA[2:5], None)


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([None], "did not begin"),
        ([chunk(DATA, 0)], "did not begin"),
        ([header(), None], "cut short"),
        ([header(), chunk(DATA, 0), None], "cut short"),
        ([header(), chunk(DATA[1:], 1)], "jumped"),
        ([header(), chunk(DATA[:4], 0), chunk(DATA[5:], 5)], "jumped"),
        ([header(), chunk(DATA, 0, crc=1)], "damaged"),
        ([header(3, 2), chunk(DATA[2:5], 2, crc=1)], "damaged"),
        ([header(), chunk(DATA + b"x", 0)], "more bytes"),
        ([header(), chunk(DATA[:4], 0), trailer()], "4 bytes of 10"),
        ([header(), chunk(DATA, 0), trailer(9)], "10 bytes of 10"),
        ([header(), chunk(DATA, 0), trailer(sha256=bytes(32))], "SHA-256"),
        ([header(), chunk(DATA, 0), trailer(), chunk(b"x", 10)], "went on"),
        ([header(), header()], "unknown"),
    ],
)
def test_anything_else_is_data_loss(parts: list[Part | None], words: str) -> None:
    with pytest.raises(SafefileError, match=words) as raised:
        received(*parts)
    assert raised.value.code is grpc.StatusCode.DATA_LOSS


@pytest.mark.parametrize("pieces", [[DATA], [DATA[:1], DATA[1:7], DATA[7:]], [b"", DATA, b""], [bytearray(DATA)]])
def test_pieces_of_any_size_become_chunks_of_one(pieces: list[bytes]) -> None:
    chunker = Chunker(4)
    chunks = [chunk for piece in pieces for chunk in chunker.feed(piece)] + list(chunker.rest())
    assert chunks == [b"0123", b"4567", b"89"]


def test_text_is_no_content() -> None:
    with pytest.raises(TypeError, match="str"):
        list(Chunker(4).feed("text"))  # type: ignore[arg-type]


def test_bytes_that_are_sent_again_are_digested_once() -> None:
    content = SentContent(is_declared=False)
    content.add(DATA[:6], 0)
    content.add(DATA[:4], 0)
    content.add(DATA[4:], 4)
    assert content.equals(hashlib.sha256(DATA).digest())
    assert not content.equals(bytes(32))
