import hashlib
from typing import Any

import grpc
import pytest

from safefile.content import crc32c
from safefile.errors import Details, SafefileError
from safefile.retry import Retry, RetryPolicy
from safefile.upload_state import UploadAttempt, UploadState
from safefile.v1.common_pb2 import MutationOptions, MutationResult, Revision
from safefile.v1.file_ops_service_pb2 import UploadFileRequest, UploadFileResponse, UploadHeader

DATA = bytes(range(100))


def state(
    size_bytes: int | None = len(DATA), sha256: bytes = b"", can_repeat: bool = True, **given: Any
) -> UploadState:
    header = UploadHeader(options=MutationOptions(request_id="r"), path="a", size_bytes=size_bytes, sha256=sha256)
    keywords = {"upload_id": None, "on_progress": None, "on_resumed": None, **given}
    retry = Retry(RetryPolicy(attempts_max=3), chance=lambda: 0.0)
    return UploadState(header, can_repeat=can_repeat, retry=retry, **keywords)


def send(attempt: UploadAttempt, chunk_bytes: int = 40, stop_at: int = len(DATA)) -> list[UploadFileRequest]:
    """All messages of an attempt, from a source that cannot seek."""
    sent = [attempt.header()]
    if attempt.reads:
        assert attempt.read_from(can_seek=False) == 0
        for at in range(0, stop_at, chunk_bytes):
            message = attempt.chunk(DATA[at : at + chunk_bytes])
            if message is not None:
                sent.append(message)
                attempt.sent()
    last = attempt.last()
    return sent if last is None else [*sent, last]


def offsets(messages: list[UploadFileRequest]) -> list[tuple[int, int]]:
    return [(message.chunk.offset, len(message.chunk.data)) for message in messages[1:]]


def broken() -> SafefileError:
    return SafefileError(grpc.StatusCode.UNAVAILABLE, "Socket closed", Details(outcome="NOT_COMMITTED"))


def holds(offset: int) -> SafefileError:
    return SafefileError(grpc.StatusCode.INVALID_ARGUMENT, "m", Details(metadata={"upload_offset": str(offset)}))


def answer(sha256: bytes) -> UploadFileResponse:
    return UploadFileResponse(result=MutationResult(revision=Revision(sha256=sha256)))


def test_chunks_carry_their_checksums() -> None:
    messages = send(state().attempt())
    assert messages[0].header.upload_id != ""
    assert offsets(messages) == [(0, 40), (40, 40), (80, 20)]
    assert messages[2].chunk.crc32c == crc32c(DATA[40:80])


def test_it_goes_on_from_what_the_service_holds() -> None:
    resumed: list[int] = []
    upload = state(on_resumed=resumed.append)
    first = upload.attempt()
    send(first, stop_at=80)
    assert upload.pause_after(broken(), first) > 0
    second = upload.attempt()
    # A guess: all that was handed to the connection.
    assert offsets(send(second)) == [(80, 20)]
    assert upload.pause_after(holds(50), second) == 0
    third = upload.attempt()
    assert offsets(send(third)) == [(50, 30), (80, 20)]
    assert resumed == [50]
    third.ended = True
    third.result_of(answer(hashlib.sha256(DATA).digest()))
    with pytest.raises(SafefileError) as raised:
        third.result_of(answer(bytes(32)))
    assert (raised.value.code, raised.value.outcome) == (grpc.StatusCode.DATA_LOSS, "COMMITTED")


def test_a_source_that_can_seek_is_read_from_there() -> None:
    upload = state()
    first = upload.attempt()
    send(first, stop_at=80)
    upload.pause_after(broken(), first)
    assert upload.attempt().read_from(can_seek=True) == 80


def test_offsets_without_progress_end() -> None:
    upload = state(upload_id="u")
    for _ in range(3):
        assert upload.pause_after(holds(0), upload.attempt()) == 0
    with pytest.raises(SafefileError):
        upload.pause_after(holds(0), upload.attempt())


def test_attempts_are_counted_anew_after_progress() -> None:
    upload = state()
    for held in range(10, 90, 10):
        upload.pause_after(broken(), upload.attempt())
        upload.pause_after(broken(), upload.attempt())
        assert upload.pause_after(holds(held), upload.attempt()) == 0


@pytest.mark.parametrize(("size_bytes", "offset"), [(100, 100), (None, 2**53 - 1)])
def test_with_a_given_id_the_service_is_asked_first(size_bytes: int | None, offset: int) -> None:
    attempt = state(size_bytes, upload_id="u").attempt()
    assert offsets(send(attempt)) == [(offset, 0)]
    assert not attempt.began
    # All of it was there, and was not read: so there is nothing to compare.
    attempt.ended = True
    attempt.result_of(answer(bytes(range(32))))


def test_a_source_that_cannot_be_read_again_is_sent_once_and_without_an_id() -> None:
    upload = state(can_repeat=False)
    attempt = upload.attempt()
    assert send(attempt)[0].header.upload_id == ""
    with pytest.raises(SafefileError):
        upload.pause_after(broken(), attempt)


def test_an_answer_before_the_end_is_that_of_an_earlier_attempt() -> None:
    attempt = state().attempt()
    send(attempt, stop_at=40)
    attempt.result_of(answer(hashlib.sha256(DATA).digest()))


def test_an_attempt_refused_before_any_chunk_does_not_begin_anew() -> None:
    upload = state()
    first = upload.attempt()
    send(first, stop_at=80)
    upload.pause_after(broken(), first)
    upload.pause_after(broken(), upload.attempt())
    assert offsets(send(upload.attempt())) == [(80, 20)]


def test_a_source_that_is_empty_now_is_compared_with_what_is_there() -> None:
    upload = state(size_bytes=None, upload_id="u")
    first = upload.attempt()
    send(first)
    upload.pause_after(holds(5), first)
    second = upload.attempt()
    assert offsets(send(second, stop_at=0)) == [(5, 0)]
    second.ended = True
    with pytest.raises(SafefileError) as raised:
        second.result_of(answer(hashlib.sha256(DATA[:5]).digest()))
    assert (raised.value.code, raised.value.outcome) == (grpc.StatusCode.DATA_LOSS, "COMMITTED")


def test_until_the_requests_are_ended_nothing_is_committed() -> None:
    attempt = state().attempt()
    failure = SafefileError(grpc.StatusCode.UNAVAILABLE, "Socket closed")
    assert attempt.failed(failure).outcome == "NOT_COMMITTED"
    attempt.ended = True
    assert attempt.failed(failure).outcome == "UNKNOWN"
    assert attempt.expired().code is grpc.StatusCode.DEADLINE_EXCEEDED
