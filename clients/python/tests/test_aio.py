"""The asynchronous client; what both share is tested with the synchronous one."""

import asyncio
import io
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import grpc
import pytest
from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from safefile import Cancellation, SafefileError
from safefile.aio import Client
from safefile.aio.source import AsyncSource, UploadSource
from tests.service import Service, serving
from tests.test_client import POLICY, TRACEPARENT, parts


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as found:
        yield found


def run(service: Service, work: Callable[[Client], Awaitable[object]], idle_timeout: float = 60.0) -> None:
    async def main() -> None:
        async with Client(service.address, retry=POLICY, idle_timeout=idle_timeout) as client:
            await work(client)

    asyncio.run(main())


async def failing(call: Awaitable[object]) -> SafefileError:
    with pytest.raises(SafefileError) as raised:
        await call
    return raised.value


def test_a_repeat_is_the_same_request(service: Service) -> None:
    service.failures = 2

    async def work(client: Client) -> None:
        context.attach(TraceContextTextMapPropagator().extract({"traceparent": TRACEPARENT}))
        result = await client.write("a", b"x")
        assert {request.options.request_id for request in service.requests} == {result.request_id}

    run(service, work)
    assert len(service.requests) == 3
    assert {metadata.get("traceparent") for metadata in service.metadata} == {TRACEPARENT}


def test_cancelling_ends_a_call(service: Service) -> None:
    service.silent = True

    async def work(client: Client) -> None:
        cancel = Cancellation()
        asyncio.get_running_loop().call_later(0.1, cancel.cancel)
        error = await failing(client.write("a", b"x", cancel=cancel))
        assert (error.code, error.outcome) == (grpc.StatusCode.CANCELLED, "UNKNOWN")

    run(service, work)


def test_cancelling_the_task_ends_the_call_and_is_passed_on(service: Service) -> None:
    service.silent = True

    async def work(client: Client) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await client.write("a", b"x", cancel=Cancellation())
        # The service noticed.
        assert await asyncio.to_thread(service.never.wait, 10)

    run(service, work)


def test_the_cancellation_of_the_task_is_passed_on_whatever_else_was_cancelled(service: Service) -> None:
    service.silent = True

    async def work(client: Client) -> None:
        cancel = Cancellation()
        task = asyncio.ensure_future(client.write("a", b"x", cancel=cancel))
        await asyncio.sleep(0.1)
        cancel.cancel()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(service, work)


def test_a_cancelled_pause_ends_the_call(service: Service) -> None:
    service.failures = 10

    async def work(client: Client) -> None:
        cancel = Cancellation()
        service.on_failure = cancel.cancel
        error = await failing(client.write("a", b"x", cancel=cancel))
        assert (error.code, error.outcome) == (grpc.StatusCode.CANCELLED, "UNKNOWN")

    run(service, work)
    assert len(service.requests) == 1


def test_a_download(service: Service) -> None:
    service.parts = parts(b"0123456789")

    async def work(client: Client) -> None:
        assert (await client.read("a"))[0] == b"0123456789"
        async with await client.download("a") as download:
            assert (await download.read(3), await download.read(3)) == (b"012", b"345")
            file = io.BytesIO()
            assert await download.write_to(file) == 4
            assert file.getvalue() == b"6789"
        service.parts = service.parts[:-1]
        assert (await failing(client.read("a"))).code is grpc.StatusCode.DATA_LOSS

    run(service, work)


def test_a_download_that_failed_or_was_closed_has_no_end(service: Service) -> None:
    service.parts = parts(b"0123456789", whole=False)

    async def work(client: Client) -> None:
        async with await client.download("a") as download:
            assert await download.read(4) == b"0123"
            for _ in range(2):
                assert (await failing(download.read())).code is grpc.StatusCode.DATA_LOSS
        async with await client.download("a") as download:
            assert await download.read(4) == b"0123"
        assert (await failing(download.read(4))).code is grpc.StatusCode.CANCELLED

    run(service, work)


def test_closing_the_client_ends_its_calls(service: Service) -> None:
    service.silent = True

    async def work(client: Client) -> None:
        writing = asyncio.create_task(client.write("a", b"x"))
        uploading = asyncio.create_task(client.upload("a", b"x"))
        watching = asyncio.create_task(next_but_one(client))
        await asyncio.sleep(0.3)
        await client.close()
        outcomes = [(await failing(task)).outcome for task in (writing, uploading, watching)]
        assert outcomes == ["UNKNOWN", "UNKNOWN", None]

    run(service, work)


async def next_but_one(client: Client) -> None:
    events = client.watch("a")
    await anext(events)
    await anext(events)


def test_a_download_that_comes_to_a_halt_ends(service: Service) -> None:
    service.parts = parts(b"0123456789", whole=False)
    service.silent = True

    async def work(client: Client) -> None:
        error = await failing(client.read("a"))
        assert error.code is grpc.StatusCode.DEADLINE_EXCEEDED

    run(service, work, idle_timeout=0.2)


def test_an_upload_is_repeated_from_where_it_was(service: Service) -> None:
    service.failures = 1
    data = bytes(600_000)

    async def work(client: Client) -> None:
        progress: list[int] = []
        await client.upload("a", io.BytesIO(data), on_progress=progress.append)
        assert progress[-1] == len(data)

    run(service, work)
    first, second = service.uploads
    assert first[0].header == second[0].header
    last = second[-1].chunk
    assert last.offset + len(last.data) == len(data)


def test_the_answer_of_an_upload_may_take_as_long_as_the_deadline(service: Service) -> None:
    service.silent = True

    async def work(client: Client) -> None:
        error = await failing(client.upload("a", b"x", timeout=0.2))
        assert (error.code, error.outcome) == (grpc.StatusCode.DEADLINE_EXCEEDED, "UNKNOWN")

    run(service, work)


def test_a_watch_goes_on_behind_the_last_message_until_it_is_closed(service: Service) -> None:
    service.failures = 7

    async def work(client: Client) -> None:
        events = client.watch("a", resume_token="0")
        tokens = [(await anext(events)).resume_token for _ in range(8)]
        assert tokens == ["1", "2", "3", "4", "5", "6", "7", "8"]
        assert [request.resume_token for request in service.requests] == ["0", *tokens[:-1]]
        asyncio.get_running_loop().call_later(0.1, lambda: asyncio.ensure_future(events.aclose()))
        assert [event async for event in events] == []

    run(service, work)


def test_cancelling_a_watch_is_an_error(service: Service) -> None:
    async def work(client: Client) -> None:
        cancel = Cancellation()
        events = client.watch("a", cancel=cancel)
        await anext(events)
        asyncio.get_running_loop().call_later(0.1, cancel.cancel)
        error = await failing(anext(events))
        assert error.code is grpc.StatusCode.CANCELLED

    run(service, work)


async def generator() -> AsyncIterator[bytes]:
    yield b"01234"
    yield b"56789"


class File:
    """A file whose methods are coroutines."""

    def __init__(self) -> None:
        self._file = io.BytesIO(b"0123456789")

    async def read(self, size: int, /) -> bytes:
        return self._file.read(size)


class Blocking:
    """A file that has nothing yet."""

    def __init__(self) -> None:
        self.reading = threading.Event()
        self.going = threading.Event()
        self.closed = threading.Event()

    def read(self, size: int, /) -> bytes:
        self.reading.set()
        self.going.wait(10)
        return b""

    def close(self) -> None:
        self.closed.set()


class Empty:
    """A file that does not block, and has nothing yet."""

    async def read(self, size: int, /) -> bytes:
        return None  # type: ignore[return-value]


def test_cancelling_waits_for_no_source_that_blocks() -> None:
    file = Blocking()

    def pieces() -> Iterator[bytes]:
        yield file.read(1)

    async def first(given: UploadSource) -> None:
        await anext(AsyncSource(given).pieces(0))

    async def main(given: UploadSource) -> None:
        reading = asyncio.create_task(first(given))
        assert await asyncio.to_thread(file.reading.wait, 10)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(reading, 5)
        # It is closed by the thread that reads it, once that comes back.
        assert not file.closed.is_set()
        file.going.set()

    asyncio.run(main(lambda: file))
    assert file.closed.is_set()
    file = Blocking()
    asyncio.run(main(pieces))


def test_a_file_that_does_not_block_is_refused() -> None:
    async def read() -> None:
        await anext(AsyncSource(Empty()).pieces(0))

    with pytest.raises(BlockingIOError):
        asyncio.run(read())


async def opened() -> File:
    return File()


def not_async() -> Iterator[bytes]:
    yield b"0123456789"


@pytest.mark.parametrize(
    ("given", "can_seek", "can_repeat"),
    [
        (b"0123456789", True, True),
        (io.BytesIO(b"0123456789"), True, True),
        (generator(), False, False),
        (generator, False, True),
        (File(), False, False),
        (opened, False, True),
        (not_async, False, True),
        (not_async(), False, False),
    ],
)
def test_sources(given: UploadSource, can_seek: bool, can_repeat: bool) -> None:
    source = AsyncSource(given)
    assert (source.can_seek, source.can_repeat) == (can_seek, can_repeat)

    async def read() -> bytes:
        return b"".join([bytes(piece) async for piece in source.pieces(0)])

    for _ in range(2 if can_repeat else 1):
        assert asyncio.run(read()) == b"0123456789"
