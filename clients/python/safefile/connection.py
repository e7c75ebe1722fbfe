"""The connection of a synchronous client: calls with repeats and typed errors."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import grpc

from safefile.cancellation import Cancellation, ending
from safefile.errors import SafefileError, cancelled, failed_change
from safefile.idle_timer import Watchdog
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


class Incoming(Protocol[A_co]):
    """The messages of a call. A failure is a grpc.RpcError."""

    def __next__(self) -> A_co: ...

    def cancel(self) -> object: ...


class Connection:
    """One channel, over which all calls of a client go."""

    def __init__(
        self, address: str | Sequence[str], credentials: grpc.ChannelCredentials | None, settings: Settings
    ) -> None:
        self.settings = settings
        self.watchdog = Watchdog()
        target, options = target_of(address), channel_options(settings.retry)
        self.channel = (
            grpc.insecure_channel(target, options)
            if credentials is None
            else grpc.secure_channel(target, credentials, options)
        )

    def close(self) -> None:
        self.channel.close()
        self.watchdog.close()

    def retry(self) -> Retry:
        return Retry(self.settings.retry)

    def unary(self, method: grpc.UnaryUnaryMultiCallable[Q, A], request: Q, plan: Plan) -> A:
        """A call with one answer, repeated while the service is UNAVAILABLE."""
        end = time.monotonic() + plan.timeout
        retry = self.retry()
        while True:
            try:
                return self._once(method, request, plan, end)
            except SafefileError as failure:
                pause = retry.pause_after(failure, end)
                if not wait(pause, plan.cancel):
                    raise retry.settle(cancelled(plan.request_id, failure.outcome)) from failure

    def change(
        self, method: grpc.UnaryUnaryMultiCallable[C, A], request: C, options: ChangeOptions | TransactionOptions
    ) -> A:
        """A unary call that changes something: its errors say an outcome."""
        plan = plan_of(self.settings, options, request.options.request_id, options.get("lock_wait"))
        return self.unary(method, request, plan)

    def pages(self, method: grpc.UnaryUnaryMultiCallable[G, P], request: G, options: CallOptions) -> Iterator[P]:
        """All pages of a listing, one after the other."""
        while True:
            page = self.unary(method, request, plan_of(self.settings, options))
            yield page
            if not page.next_page_token:
                return
            request.page_token = page.next_page_token

    def repeated(self, attempt: Callable[[], A], cancel: Cancellation | None) -> A:
        """What goes through no `unary`, and gave the caller nothing yet, repeated while the service is UNAVAILABLE."""
        retry = self.retry()
        while True:
            try:
                return attempt()
            except SafefileError as failure:
                if not wait(retry.pause_after(failure), cancel):
                    raise cancelled(None, None) from failure

    def _once(self, method: grpc.UnaryUnaryMultiCallable[Q, A], request: Q, plan: Plan, end: float) -> A:
        cancel, request_id = plan.cancel, plan.request_id
        if cancel is not None and cancel.cancelled:
            raise cancelled(request_id, "NOT_COMMITTED")
        left = max(0.0, end - time.monotonic())
        try:
            if cancel is None:
                return method(request, timeout=left, metadata=trace_metadata())
            call = method.future(request, timeout=left, metadata=trace_metadata())
            with ending(cancel, call.cancel):
                return call.result()
        except grpc.FutureCancelledError as error:
            raise cancelled(request_id, "UNKNOWN") from error
        except grpc.RpcError as error:
            raise failed_change(SafefileError.from_call(error), request_id) from error


def wait(seconds: float, cancel: Cancellation | None) -> bool:
    """Waits before a call is repeated. False when it was cancelled meanwhile."""
    if cancel is None:
        time.sleep(seconds)
        return True
    return not cancel.wait(seconds)
