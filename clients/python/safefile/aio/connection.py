"""The connection of an asynchronous client: calls with repeats and typed errors."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import grpc
import grpc.aio

from safefile.cancellation import Cancellation, ending
from safefile.errors import SafefileError, cancelled, failed_change
from safefile.options import CallOptions, Change, ChangeOptions, Page, PageRequest, Plan, TransactionOptions, plan_of
from safefile.retry import Retry
from safefile.settings import Settings, channel_options, target_of
from safefile.trace_context import trace_metadata

Q = TypeVar("Q")
A = TypeVar("A")
C = TypeVar("C", bound=Change)
G = TypeVar("G", bound=PageRequest)
P = TypeVar("P", bound=Page)
A_co = TypeVar("A_co", covariant=True)


class Cancellable(Protocol):
    """Any call."""

    def cancelled(self) -> bool: ...


class Incoming(Protocol[A_co]):
    """The messages of a call, grpc.aio.EOF after the last. A failure is a grpc.aio.AioRpcError."""

    async def read(self) -> A_co | Any: ...

    def cancel(self) -> bool: ...

    def cancelled(self) -> bool: ...


class Connection:
    """One channel, over which all calls of a client go."""

    def __init__(
        self, address: str | Sequence[str], credentials: grpc.ChannelCredentials | None, settings: Settings
    ) -> None:
        self.settings = settings
        target, options = target_of(address), channel_options(settings.retry)
        self.channel = (
            grpc.aio.insecure_channel(target, options)
            if credentials is None
            else grpc.aio.secure_channel(target, credentials, options)
        )

    async def close(self) -> None:
        await self.channel.close()

    def retry(self) -> Retry:
        return Retry(self.settings.retry)

    async def unary(self, method: grpc.aio.UnaryUnaryMultiCallable[Q, A], request: Q, plan: Plan) -> A:
        """A call with one answer, repeated while the service is UNAVAILABLE."""
        end = time.monotonic() + plan.timeout
        retry = self.retry()
        while True:
            try:
                return await self._once(method, request, plan, end)
            except SafefileError as failure:
                pause = retry.pause_after(failure, end)
                if not await wait(pause, plan.cancel):
                    raise retry.settle(cancelled(plan.request_id, failure.outcome)) from failure

    async def change(
        self, method: grpc.aio.UnaryUnaryMultiCallable[C, A], request: C, options: ChangeOptions | TransactionOptions
    ) -> A:
        """A unary call that changes something: its errors say an outcome."""
        plan = plan_of(self.settings, options, request.options.request_id, options.get("lock_wait"))
        return await self.unary(method, request, plan)

    async def pages(
        self, method: grpc.aio.UnaryUnaryMultiCallable[G, P], request: G, options: CallOptions
    ) -> AsyncIterator[P]:
        """All pages of a listing, one after the other."""
        while True:
            page = await self.unary(method, request, plan_of(self.settings, options))
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    async def repeated(self, attempt: Callable[[], Awaitable[A]], cancel: Cancellation | None) -> A:
        """What goes through no `unary`, and gave the caller nothing yet, repeated while the service is UNAVAILABLE."""
        retry = self.retry()
        while True:
            try:
                return await attempt()
            except SafefileError as failure:
                if not await wait(retry.pause_after(failure), cancel):
                    raise cancelled(None, None) from failure

    async def _once(self, method: grpc.aio.UnaryUnaryMultiCallable[Q, A], request: Q, plan: Plan, end: float) -> A:
        cancel, request_id = plan.cancel, plan.request_id
        if cancel is not None and cancel.cancelled:
            raise cancelled(request_id, "NOT_COMMITTED")
        left = max(0.0, end - time.monotonic())
        call = method(request, timeout=left, metadata=metadata())
        try:
            with ending_in_loop(cancel, call.cancel):
                return await call
        except asyncio.CancelledError as error:
            if is_own(call, cancel):
                raise cancelled(request_id, "UNKNOWN") from error
            raise
        except grpc.RpcError as error:
            raise failed_change(SafefileError.from_call(error), request_id) from error


def metadata() -> grpc.aio.Metadata:
    """The active trace."""
    return grpc.aio.Metadata(*trace_metadata())


async def wait(seconds: float, cancel: Cancellation | None) -> bool:
    """Waits before a call is repeated. False when it was cancelled meanwhile."""
    if cancel is None:
        await asyncio.sleep(seconds)
        return True
    event = asyncio.Event()
    with ending_in_loop(cancel, event.set), contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return not cancel.cancelled


@contextmanager
def ending_in_loop(cancel: Cancellation | None, callback: Callable[[], object]) -> Iterator[None]:
    """As `ending`; the callback is called in this loop, whichever thread cancels."""
    loop = asyncio.get_running_loop()
    with ending(cancel, lambda: _soon(loop, callback)):
        yield


def is_own(call: Cancellable | None, cancel: Cancellation | None) -> bool:
    """Whether a CancelledError is ours, or that of a closed client, and not that of the task, which is passed on.

    To be asked before the call is cancelled because of it.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling() > 0:
        return False
    return (cancel is not None and cancel.cancelled) or (call is not None and call.cancelled())


def _soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], object]) -> None:
    # A loop that has ended has no calls to end.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(callback)
