"""Streams that are listened to asynchronously, and go on after a break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Generic, Self, TypeVar

import grpc
import grpc.aio

from safefile.aio.connection import Connection, Incoming, ending_in_loop, is_own, wait
from safefile.cancellation import Cancellation
from safefile.errors import SafefileError, cancelled

A = TypeVar("A")


class Watch(AsyncIterator[A], Generic[A]):
    """The messages of a stream, until it ends or is closed.

    When the service is UNAVAILABLE, because its replica drains for example, it goes on behind the last message seen, on
    another replica where the client has several addresses; attempts are counted from the last message. `aclose`, or the
    end of an `async with` block, ends it; from another task too, and then the iteration just ends.
    """

    def __init__(
        self,
        connection: Connection,
        start: Callable[[str], Incoming[A]],
        position_of: Callable[[A], str],
        position: str,
        cancel: Cancellation | None,
    ) -> None:
        """`start` opens the stream behind a position, `position_of` says where a message stands."""
        self._start = start
        self._position_of = position_of
        self._position = position
        self._cancel = cancel
        self._retry = connection.retry()
        self._call: Incoming[A] | None = None
        self._ended = False
        # Ends a wait for messages, and a pause.
        self._stop = Cancellation()
        self._forget = cancel.add(self._stop.cancel) if cancel is not None else lambda: None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> A:
        while not self._ended:
            try:
                return await self._receive()
            except StopAsyncIteration:
                await self.aclose()
                raise
            except asyncio.CancelledError as error:
                was_stopped, is_ours = self._stop.cancelled, is_own(self._call, self._stop)
                await self.aclose()
                if not is_ours:
                    raise
                # The client was closed meanwhile.
                if not was_stopped:
                    raise cancelled(None, None) from error
            except SafefileError as failure:
                await self._pause_after(failure)
        if self._cancel is not None and self._cancel.cancelled:
            raise cancelled(None, None)
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self._forget()
        self._stop.cancel()
        self._end()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    def _end(self) -> None:
        self._ended = True
        if self._call is not None:
            self._call.cancel()

    async def _receive(self) -> A:
        try:
            if self._call is None:
                self._call = self._start(self._position)
            with ending_in_loop(self._stop, self._call.cancel):
                message: A = await self._call.read()
        except grpc.RpcError as error:
            raise SafefileError.from_call(error) from error
        if message is grpc.aio.EOF:
            raise StopAsyncIteration
        self._position = self._position_of(message)
        self._retry.reset()
        return message

    async def _pause_after(self, failure: SafefileError) -> None:
        self._call = None
        if not self._stop.cancelled:
            try:
                pause = self._retry.pause_after(failure)
            except SafefileError:
                await self.aclose()
                raise
            await wait(pause, self._stop)
        if self._stop.cancelled:
            self._ended = True
