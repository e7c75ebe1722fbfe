import threading
from collections.abc import Iterator

import grpc
import pytest
from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from safefile import Cancellation, Client, RetryPolicy, SafefileError, Transaction
from safefile.v1.common_pb2 import ContentChunk, ContentHeader, ContentTrailer, FileInfo
from safefile.v1.file_ops_service_pb2 import ReadFileResponse
from tests.service import Service, serving

POLICY = RetryPolicy(backoff_min=0.001, backoff_max=0.002)
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as found:
        yield found


@pytest.fixture
def client(service: Service) -> Iterator[Client]:
    with Client(service.address, retry=POLICY) as found:
        yield found


def test_a_repeat_is_the_same_request(service: Service, client: Client) -> None:
    service.failures = 2
    result = client.write("a", b"x")
    assert len(service.requests) == 3
    assert {request.options.request_id for request in service.requests} == {result.request_id}
    assert result.request_id != ""


def test_repeats_end(service: Service, client: Client) -> None:
    service.failures = 10
    with pytest.raises(SafefileError) as raised:
        client.write("a", b"x", request_id="r")
    assert len(service.requests) == 5
    assert (raised.value.outcome, raised.value.request_id) == ("UNKNOWN", "r")


def test_nobody_there_is_not_committed() -> None:
    with Client("127.0.0.1:9", retry=POLICY) as client, pytest.raises(SafefileError) as raised:
        client.write("a", b"x")
    assert (raised.value.code, raised.value.outcome) == (grpc.StatusCode.UNAVAILABLE, "NOT_COMMITTED")


def test_the_trace_goes_along(service: Service, client: Client) -> None:
    client.write("a", b"x")
    token = context.attach(TraceContextTextMapPropagator().extract({"traceparent": TRACEPARENT}))
    try:
        client.write("a", b"x")
    finally:
        context.detach(token)
    assert [metadata.get("traceparent") for metadata in service.metadata] == [None, TRACEPARENT]


def test_cancelling_ends_a_call(service: Service, client: Client) -> None:
    service.silent = True
    cancel = Cancellation()
    threading.Timer(0.1, cancel.cancel).start()
    with pytest.raises(SafefileError) as raised:
        client.write("a", b"x", cancel=cancel)
    assert (raised.value.code, raised.value.outcome) == (grpc.StatusCode.CANCELLED, "UNKNOWN")
    with pytest.raises(SafefileError) as raised:
        client.write("a", b"x", cancel=cancel)
    assert raised.value.outcome == "NOT_COMMITTED"
    assert len(service.requests) == 1


def test_a_deadline_ends_a_call(service: Service, client: Client) -> None:
    service.silent = True
    with pytest.raises(SafefileError) as raised:
        client.write("a", b"x", timeout=0.1)
    assert (raised.value.code, raised.value.outcome) == (grpc.StatusCode.DEADLINE_EXCEEDED, "UNKNOWN")


def test_too_much_is_refused_here(service: Service, client: Client) -> None:
    data = bytes(1024 * 1024 + 1)
    for refused in (
        lambda: client.append("a", data),
        lambda: client.transaction(Transaction().write("a", data[1:]).append("b", b"x")),
    ):
        with pytest.raises(SafefileError) as raised:
            refused()
        assert (raised.value.code, raised.value.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "ARGUMENT_INVALID")
        assert raised.value.outcome == "NOT_COMMITTED"
    assert service.requests == []


def parts(data: bytes, *, whole: bool = True) -> list[ReadFileResponse]:
    header = ContentHeader(file=FileInfo(size_bytes=len(data)), size_bytes=len(data))
    found = [
        ReadFileResponse(header=header),
        ReadFileResponse(chunk=ContentChunk(data=data)),
        ReadFileResponse(trailer=ContentTrailer(size_bytes=len(data))),
    ]
    return found if whole else found[:-1]


def test_a_download_is_read_like_a_file(service: Service, client: Client) -> None:
    service.parts = parts(b"0123456789")
    service.failures = 1
    with client.download("a") as download:
        assert (download.read(3), download.read(3), download.read(), download.read()) == (b"012", b"345", b"6789", b"")


def test_a_download_that_is_cut_short_is_an_error(service: Service, client: Client) -> None:
    service.parts = parts(b"0123456789", whole=False)
    with pytest.raises(SafefileError, match="cut short") as raised:
        client.read("a")
    assert raised.value.code is grpc.StatusCode.DATA_LOSS


def test_a_download_that_comes_to_a_halt_ends(service: Service) -> None:
    service.parts = parts(b"0123456789", whole=False)
    service.silent = True
    with Client(service.address, idle_timeout=0.2) as client, pytest.raises(SafefileError, match="came for") as raised:
        client.read("a")
    assert raised.value.code is grpc.StatusCode.DEADLINE_EXCEEDED


def test_a_download_that_failed_has_no_end(service: Service, client: Client) -> None:
    service.parts = parts(b"0123456789", whole=False)
    with client.download("a") as download:
        assert download.read(4) == b"0123"
        for _ in range(2):
            with pytest.raises(SafefileError, match="cut short"):
                download.read()


def test_a_download_that_was_closed_has_no_end(service: Service, client: Client) -> None:
    service.parts = parts(b"0123456789")
    with client.download("a") as download:
        assert download.read(4) == b"0123"
    with pytest.raises(SafefileError, match="was closed") as raised:
        download.read(4)
    assert raised.value.code is grpc.StatusCode.CANCELLED
    with client.download("a") as download:
        download.read()
    assert download.read(4) == b""


def test_more_than_is_wanted_is_no_content(service: Service, client: Client) -> None:
    service.parts = parts(b"0123456789")
    with pytest.raises(ValueError, match="10 bytes"):
        client.read("a", bytes_max=9)


def test_an_upload_is_repeated_from_where_it_was(service: Service, client: Client) -> None:
    service.failures = 1
    progress: list[int] = []
    data = bytes(600_000)
    result = client.upload("a", data, on_progress=progress.append)
    first, second = service.uploads
    assert first[0].header == second[0].header
    assert second[0].header.options.request_id == result.request_id
    assert (second[0].header.size_bytes, len(second[0].header.sha256)) == (len(data), 32)
    last = second[-1].chunk
    assert last.offset + len(last.data) == progress[-1] == len(data)


def test_the_answer_of_an_upload_may_take_as_long_as_the_deadline(service: Service, client: Client) -> None:
    service.silent = True
    with pytest.raises(SafefileError) as raised:
        client.upload("a", b"x", timeout=0.2)
    assert (raised.value.code, raised.value.outcome) == (grpc.StatusCode.DEADLINE_EXCEEDED, "UNKNOWN")


def test_a_watch_goes_on_behind_the_last_message(service: Service, client: Client) -> None:
    service.failures = 7
    with client.watch("a", resume_token="0") as events:
        tokens = [next(events).resume_token for _ in range(8)]
    assert tokens == ["1", "2", "3", "4", "5", "6", "7", "8"]
    assert [request.resume_token for request in service.requests] == ["0", *tokens[:-1]]


def test_closing_a_watch_ends_its_iteration(service: Service, client: Client) -> None:
    events = client.watch("a")
    next(events)
    threading.Timer(0.1, events.close).start()
    assert list(events) == []


def test_cancelling_a_watch_is_an_error(service: Service, client: Client) -> None:
    cancel = Cancellation()
    events = client.watch("a", cancel=cancel)
    next(events)
    threading.Timer(0.1, cancel.cancel).start()
    with pytest.raises(SafefileError) as raised:
        next(events)
    assert raised.value.code is grpc.StatusCode.CANCELLED
