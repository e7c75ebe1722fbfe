"""Streams that are listened to, and go on after a break."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

import grpc

from safefile.cancellation import Cancellation
from safefile.connection import Connection, Incoming
from safefile.errors import SafefileError, cancelled

A = TypeVar("A")


class Watch(Iterator[A], Generic[A]):
    """The messages of a stream, until it ends or is closed.

    When the service is UNAVAILABLE, because its replica drains for example, it goes on behind the last message seen, on
    another replica where the client has several addresses; attempts are counted from the last message. `close`, or the
    end of a `with` block, ends it; from another thread too, and then the iteration just ends.
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

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> A:
        while not self._ended:
            try:
                return self._receive()
            except StopIteration:
                self.close()
                raise
            except SafefileError as failure:
                self._pause_after(failure)
        if self._cancel is not None and self._cancel.cancelled:
            raise cancelled(None, None)
        raise StopIteration

    def close(self) -> None:
        self._ended = True
        self._forget()
        self._stop.cancel()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _receive(self) -> A:
        try:
            if self._call is None:
                self._call = self._start(self._position)
                self._stop.add(self._call.cancel)
            message = next(self._call)
        except grpc.RpcError as error:
            raise SafefileError.from_call(error) from error
        self._position = self._position_of(message)
        self._retry.reset()
        return message

    def _pause_after(self, failure: SafefileError) -> None:
        self._call = None
        if not self._stop.cancelled:
            try:
                pause = self._retry.pause_after(failure)
            except SafefileError:
                self.close()
                raise
            self._stop.wait(pause)
        if self._stop.cancelled:
            self._ended = True
