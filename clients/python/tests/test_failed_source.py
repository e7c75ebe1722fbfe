"""A source that fails: the requests must not be ended, which would ask for the commit of a part."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from safefile.aio.source import AsyncSource
from safefile.aio.upload import upload as upload_in_loop
from safefile.retry import Retry, RetryPolicy
from safefile.source import Source
from safefile.upload import upload
from safefile.upload_state import UploadState
from safefile.v1.common_pb2 import MutationOptions
from safefile.v1.file_ops_service_pb2 import UploadHeader

TIMES = {"cancel": None, "idle_timeout": 10.0, "answer_timeout": 10.0}


def failing() -> Iterator[bytes]:
    yield bytes(600_000)
    raise OSError("gone")


def state() -> UploadState:
    header = UploadHeader(path="a", options=MutationOptions(request_id="r"))
    retry = Retry(RetryPolicy())
    return UploadState(header, can_repeat=False, upload_id=None, retry=retry, on_progress=None, on_resumed=None)


class Call:
    """Notes what is done with it, as a stream of the gRPC library would send it."""

    def __init__(self) -> None:
        self.sent_bytes = 0
        self.is_cancelled = False
        self.ended: bool | None = None
        self._thread: threading.Thread | None = None

    def future(self, requests: Iterator[Any], metadata: Any) -> "Call":
        def consume() -> None:
            for request in requests:
                self.sent_bytes += len(request.chunk.data)
            self.ended = not self.is_cancelled

        self._thread = threading.Thread(target=consume)
        self._thread.start()
        return self

    def join(self) -> None:
        assert self._thread is not None
        self._thread.join(10)

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        pass

    def cancel(self) -> None:
        self.is_cancelled = True


class CallInLoop(Call):
    def __call__(self, metadata: Any) -> "CallInLoop":
        self.ended = False
        return self

    def done(self) -> bool:
        return self.is_cancelled

    async def write(self, request: Any) -> None:
        self.sent_bytes += len(request.chunk.data)

    async def done_writing(self) -> None:
        self.ended = not self.is_cancelled


def test_synchronously() -> None:
    call: Any = Call()
    with pytest.raises(OSError, match="gone"):
        upload(call, Source(failing()), state(), **TIMES)  # type: ignore[arg-type]
    call.join()
    assert (call.is_cancelled, call.ended) == (True, False)
    # What was read before is handed over all the same, to be gone on from.
    assert call.sent_bytes == 512 * 1024


def test_asynchronously() -> None:
    call: Any = CallInLoop()
    with pytest.raises(OSError, match="gone"):
        asyncio.run(upload_in_loop(call, AsyncSource(failing()), state(), **TIMES))  # type: ignore[arg-type]
    assert (call.is_cancelled, call.ended) == (True, False)
    assert call.sent_bytes == 512 * 1024
