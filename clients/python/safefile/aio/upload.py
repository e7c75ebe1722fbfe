"""Sends content asynchronously, and goes on where a broken stream ended."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine
from typing import Any

import grpc
import grpc.aio

from safefile.aio.connection import ending_in_loop, is_own, metadata, wait
from safefile.aio.source import AsyncSource
from safefile.cancellation import Cancellation
from safefile.content import Chunker, Data
from safefile.errors import SafefileError
from safefile.upload_state import UploadAttempt, UploadState
from safefile.v1.common_pb2 import MutationResult
from safefile.v1.file_ops_service_pb2 import UploadFileRequest, UploadFileResponse

# The library's own words for a message that was not sent.
_SEND_FAILED = "Internal error from Core"


async def upload(
    method: grpc.aio.StreamUnaryMultiCallable[UploadFileRequest, UploadFileResponse],
    source: AsyncSource,
    state: UploadState,
    *,
    cancel: Cancellation | None,
    idle_timeout: float,
    answer_timeout: float,
) -> MutationResult:
    """Sends the source; while the service is UNAVAILABLE it goes on from what the service holds."""
    while True:
        attempt = state.attempt()
        try:
            return await _send(method, source, attempt, cancel, idle_timeout, answer_timeout)
        except SafefileError as failure:
            pause = state.pause_after(failure, attempt)
            if pause > 0 and not await wait(pause, cancel):
                raise state.cancelled_after(failure) from failure
        except Exception as error:
            # The source failed when it was read again: that says nothing of the attempt before.
            if state.unsettled is None:
                raise
            raise state.unsettled from error


async def _send(
    method: grpc.aio.StreamUnaryMultiCallable[UploadFileRequest, UploadFileResponse],
    source: AsyncSource,
    attempt: UploadAttempt,
    cancel: Cancellation | None,
    idle_timeout: float,
    answer_timeout: float,
) -> MutationResult:
    if cancel is not None and cancel.cancelled:
        raise attempt.cancelled()
    call = method(metadata=metadata())
    stream = _Stream(call, idle_timeout)
    try:
        with ending_in_loop(cancel, call.cancel):
            if await _write_all(stream, source, attempt):
                attempt.ended = True
                await stream.end()
            # An early answer is the answer; nothing asked for a commit.
            return attempt.result_of(await stream.answer(answer_timeout))
    except _Expired as error:
        raise attempt.expired() from error
    except asyncio.CancelledError as error:
        if is_own(call, cancel):
            raise attempt.cancelled() from error
        raise
    except grpc.RpcError as error:
        raise attempt.failed(SafefileError.from_call(error)) from error
    finally:
        call.cancel()


async def _write_all(stream: _Stream, source: AsyncSource, attempt: UploadAttempt) -> bool:
    """False when the call has ended meanwhile."""
    if not await stream.write(attempt.header()):
        return False
    if attempt.reads:
        pieces = source.pieces(attempt.read_from(source.can_seek))
        async with contextlib.aclosing(_chunks(pieces)) as chunks:
            async for chunk in chunks:
                message = attempt.chunk(chunk)
                if message is None:
                    continue
                if not await stream.write(message):
                    return False
                attempt.sent()
    last = attempt.last()
    return last is None or await stream.write(last)


async def _chunks(pieces: AsyncIterator[Data]) -> AsyncGenerator[bytes, None]:
    chunker = Chunker()
    async for piece in pieces:
        for chunk in chunker.feed(piece):
            yield chunk
    for chunk in chunker.rest():
        yield chunk


class _Expired(Exception):  # noqa: N818 - it never leaves this module
    """The service took or said nothing for too long."""


class _Stream:
    """A call that takes messages.

    A message that fails to be sent makes the library replace the status of the call by an INTERNAL of its own, before
    or after the server's has come. So each status is noted, and the server's own one counts.
    """

    def __init__(
        self, call: grpc.aio.StreamUnaryCall[UploadFileRequest, UploadFileResponse], idle_timeout: float
    ) -> None:
        self._call = call
        self._idle_timeout = idle_timeout
        self._status: grpc.aio.AioRpcError | None = None
        call.add_done_callback(self._note)

    async def write(self, message: UploadFileRequest) -> bool:
        """Returns when the connection has taken it. False when the call has ended: `answer` says how."""
        if self._call.done():
            return False
        try:
            async with asyncio.timeout(self._idle_timeout):
                await self._call.write(message)
        except TimeoutError as error:
            raise _Expired from error
        except (asyncio.InvalidStateError, grpc.RpcError):
            return False
        return True

    async def end(self) -> None:
        """Ends the requests. When that fails the call has ended: `answer` says how."""
        try:
            with contextlib.suppress(asyncio.InvalidStateError, grpc.RpcError, grpc.aio.InternalError):
                async with asyncio.timeout(self._idle_timeout):
                    await self._call.done_writing()
        except TimeoutError as error:
            raise _Expired from error

    async def answer(self, seconds: float) -> UploadFileResponse:
        try:
            async with asyncio.timeout(seconds):
                return await self._call
        except TimeoutError as error:
            raise _Expired from error
        except grpc.aio.AioRpcError as error:
            raise (self._status or _unavailable()) from error

    def _note(self, call: Any) -> None:
        code = _at_once(call.code())
        details = _at_once(call.details())
        if code is grpc.StatusCode.OK or (code is grpc.StatusCode.INTERNAL and details == _SEND_FAILED):
            return
        trailers = _at_once(call.trailing_metadata())
        self._status = grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailers or grpc.aio.Metadata(), details)


def _at_once(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine gives that has nothing to wait for: the call has ended."""
    try:
        coroutine.send(None)
    except StopIteration as result:
        return result.value
    raise AssertionError("a call that has ended has a status")


def _unavailable() -> grpc.aio.AioRpcError:
    """Nothing but the library's own status: the connection broke."""
    nothing = grpc.aio.Metadata()
    return grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, nothing, nothing, "the stream broke")
