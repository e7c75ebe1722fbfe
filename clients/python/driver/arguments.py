"""The arguments of one command."""

from __future__ import annotations

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from driver.contents import Content
from safefile import CallOptions, Cancellation, ChangeOptions, TransactionOptions


class Arguments:
    """Taken one by one, so that what nobody took is noticed."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._given = dict(given)
        self.traceparent: str | None = self.take("traceparent")
        self.cancel_after = self.seconds("cancelAfterMs")
        self.cancel = Cancellation() if self.cancel_after is not None else None

    def take(self, name: str, default: Any = None) -> Any:
        return self._given.pop(name, default)

    def needed(self, name: str) -> Any:
        if name not in self._given:
            raise ValueError(f"the argument {name} is missing")
        return self._given.pop(name)

    def seconds(self, name: str) -> float | None:
        milliseconds = self.take(name)
        return None if milliseconds is None else milliseconds / 1000

    def content(self, name: str = "content") -> Content:
        return Content(self.needed(name))

    def timestamp(self, name: str) -> Timestamp | None:
        text = self.take(name)
        if text is None:
            return None
        found = Timestamp()
        found.FromJsonString(text)
        return found

    def given(self, **names: str) -> dict[str, Any]:
        """Keywords with their arguments, those that were given."""
        return {keyword: self._given.pop(name) for keyword, name in names.items() if name in self._given}

    def call(self) -> CallOptions:
        options: CallOptions = {"cancel": self.cancel}
        timeout = self.seconds("deadlineMs")
        if timeout is not None:
            options["timeout"] = timeout
        return options

    def many(self) -> TransactionOptions:
        """Of a transaction."""
        lock_wait = self.seconds("lockWaitMs")
        return {
            **self.call(),
            **({} if lock_wait is None else {"lock_wait": lock_wait}),
            **self.given(  # type: ignore[typeddict-item]
                request_id="requestId",
                validate_only="validateOnly",
                priority="priority",
                labels="labels",
                lock_id="lockId",
            ),
        }

    def change(self) -> ChangeOptions:
        return {**self.many(), **self.given(etag="etag", if_revision="ifRevision")}  # type: ignore[typeddict-item]

    def finish(self) -> None:
        if self._given:
            raise ValueError(f"unknown arguments: {', '.join(sorted(self._given))}")
