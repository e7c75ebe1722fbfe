import io
from collections.abc import Iterator
from pathlib import Path

import pytest

from safefile.settings import target_of
from safefile.source import Source, UploadSource


def generator() -> Iterator[bytes]:
    yield b"01234"
    yield b"56789"


class Pipe(io.RawIOBase):
    """A file that cannot seek."""

    def __init__(self) -> None:
        self._pieces = generator()

    def read(self, size: int = -1, /) -> bytes:
        return next(self._pieces, b"")


def file_in_the_middle() -> io.BytesIO:
    file = io.BytesIO(b"before0123456789")
    file.seek(6)
    return file


@pytest.mark.parametrize(
    ("given", "can_seek", "can_repeat"),
    [
        (b"0123456789", True, True),
        (memoryview(b"0123456789"), True, True),
        (file_in_the_middle(), True, True),
        (generator, False, True),
        (lambda: io.BytesIO(b"0123456789"), False, True),
        (generator(), False, False),
        (Pipe(), False, False),
    ],
)
def test_sources(given: UploadSource, can_seek: bool, can_repeat: bool) -> None:
    source = Source(given)
    assert (source.can_seek, source.can_repeat) == (can_seek, can_repeat)
    assert b"".join(source.pieces(0)) == b"0123456789"
    if can_repeat:
        assert b"".join(source.pieces(0)) == b"0123456789"
    if can_seek:
        assert b"".join(source.pieces(7)) == b"789"


def test_a_path_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    assert b"".join(Source(path).pieces(4)) == b"456789"


@pytest.mark.parametrize(
    ("address", "target"),
    [
        ("localhost:7420", "localhost:7420"),
        (["10.0.0.1:1", "10.0.0.2:2"], "ipv4:10.0.0.1:1,10.0.0.2:2"),
        (["10.0.0.1:1", "[::1]:2"], "ipv6:[::ffff:10.0.0.1]:1,[::1]:2"),
    ],
)
def test_addresses(address: str | list[str], target: str) -> None:
    assert target_of(address) == target


def test_an_address_needs_a_port() -> None:
    with pytest.raises(ValueError, match="host:port"):
        target_of(["10.0.0.1", "10.0.0.2:1"])
