"""Uploads that break: the requests must not be ended, which would ask for the commit of a part."""

import asyncio
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any

import grpc
import grpc.aio
import pytest

from safefile.aio.source import AsyncSource
from safefile.aio.upload import upload as upload_in_loop
from safefile.errors import SafefileError
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


def state(can_repeat: bool = False) -> UploadState:
    header = UploadHeader(path="a", options=MutationOptions(request_id="r"))
    retry = Retry(RetryPolicy(backoff_min=0.001))
    return UploadState(header, can_repeat=can_repeat, upload_id=None, retry=retry, on_progress=None, on_resumed=None)


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
        self.ended = self.is_cancelled = False
        return self

    def done(self) -> bool:
        return self.is_cancelled

    async def write(self, request: Any) -> None:
        self.sent_bytes += len(request.chunk.data)

    async def done_writing(self) -> None:
        self.ended = not self.is_cancelled


class BrokenCall(CallInLoop):
    """Its status is replaced by the library's own, after the server's was there, or without that."""

    def __init__(self, status: grpc.aio.AioRpcError | None) -> None:
        super().__init__()
        self._statuses = [*([status] if status else []), failed(grpc.StatusCode.INTERNAL, "Internal error from Core")]

    def add_done_callback(self, callback: Callable[[Any], None]) -> None:
        self._callback = callback

    async def code(self) -> grpc.StatusCode:
        return self._status.code()

    async def details(self) -> str | None:
        return self._status.details()

    async def trailing_metadata(self) -> grpc.aio.Metadata:
        return self._status.trailing_metadata()

    async def write(self, request: Any) -> None:
        for status in self._statuses:
            self._status = status
            self._callback(self)
        raise self._status

    def __await__(self) -> Generator[Any, None, None]:
        yield from asyncio.sleep(0).__await__()
        raise self._status


class LostCall(CallInLoop):
    """Takes all; then the connection breaks."""

    def result(self, timeout: float) -> None:
        raise failed(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    def __await__(self) -> Generator[Any, None, None]:
        yield from asyncio.sleep(0).__await__()
        raise failed(grpc.StatusCode.UNAVAILABLE, "Socket closed")


class HangingCall(LostCall):
    """Does not take the end of the requests."""

    async def done_writing(self) -> None:
        await asyncio.sleep(10)


class RefusingCall(LostCall):
    """Breaks as the requests end."""

    async def done_writing(self) -> None:
        raise grpc.aio.InternalError("Failed grpc_call_start_batch")


def once() -> Callable[[], Iterator[bytes]]:
    opened: list[bool] = []

    def source() -> Iterator[bytes]:
        opened.append(True)
        if len(opened) > 1:
            raise OSError("gone")
        yield b"x"

    return source


def failed(code: grpc.StatusCode, details: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), details)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (failed(grpc.StatusCode.ABORTED, "fenced"), grpc.StatusCode.ABORTED),
        (None, grpc.StatusCode.UNAVAILABLE),
    ],
)
def test_the_servers_status_counts(status: grpc.aio.AioRpcError | None, code: grpc.StatusCode) -> None:
    call: Any = BrokenCall(status)
    with pytest.raises(SafefileError) as raised:
        asyncio.run(upload_in_loop(call, AsyncSource(iter([b"x"])), state(), **TIMES))  # type: ignore[arg-type]
    assert (raised.value.code, raised.value.outcome) == (code, "NOT_COMMITTED")


def left_open(error: SafefileError) -> None:
    assert (error.outcome, error.request_id) == ("UNKNOWN", "r")
    assert isinstance(error.__cause__, OSError)


def test_a_source_that_fails_when_read_again_leaves_open_what_was_open() -> None:
    call: Any = LostCall()
    with pytest.raises(SafefileError) as raised:
        upload(call, Source(once()), state(can_repeat=True), **TIMES)  # type: ignore[arg-type]
    left_open(raised.value)


def test_a_source_that_fails_when_read_again_leaves_open_what_was_open_asynchronously() -> None:
    call: Any = LostCall()
    with pytest.raises(SafefileError) as raised:
        asyncio.run(upload_in_loop(call, AsyncSource(once()), state(can_repeat=True), **TIMES))  # type: ignore[arg-type]
    left_open(raised.value)


@pytest.mark.parametrize(
    ("call", "code"),
    [(HangingCall(), grpc.StatusCode.DEADLINE_EXCEEDED), (RefusingCall(), grpc.StatusCode.UNAVAILABLE)],
)
def test_the_end_of_the_requests_may_hang_or_fail(call: Any, code: grpc.StatusCode) -> None:
    times = {**TIMES, "idle_timeout": 0.1}
    with pytest.raises(SafefileError) as raised:
        asyncio.run(upload_in_loop(call, AsyncSource(iter([b"x"])), state(), **times))  # type: ignore[arg-type]
    assert (raised.value.code, raised.value.outcome) == (code, "UNKNOWN")


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
