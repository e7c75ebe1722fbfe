"""The keyword options of calls."""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Iterable, Mapping
from typing import Literal, Protocol, TypedDict

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from safefile.cancellation import Cancellation
from safefile.settings import Settings
from safefile.v1.common_pb2 import MutationOptions, Precondition


class CallOptions(TypedDict, total=False):
    """What every call takes."""

    volume: str
    """The client's own unless given."""
    timeout: float | None
    """How many seconds the call may take, repeats included. For an upload, from its last byte on."""
    cancel: Cancellation | None
    """Ends the call from elsewhere."""


class TransactionOptions(CallOptions, total=False):
    """What a transaction takes; the conditions belong to its steps."""

    request_id: str | None
    """Makes a repeat of the whole call safe. A random UUID unless given."""
    validate_only: bool
    """Check only, change nothing."""
    lock_wait: float | None
    """How many seconds to wait for the path to be free. 0 does not wait; the server's default unless given."""
    priority: int
    """Who goes first among those waiting: -100 to 100, higher first."""
    lock_id: str
    """The lock under which the change is made; LOCK_LOST when it has ended."""
    labels: Mapping[str, str]
    """Kept with the revision. No secrets."""


class ChangeOptions(TransactionOptions, total=False):
    """What every other change takes."""

    etag: str | None
    """Only if the file has exactly this etag."""
    if_revision: int | None
    """Only if the file is exactly this revision; 0 means that nothing may be there (else ALREADY_EXISTS)."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """How one call is made."""

    timeout: float
    cancel: Cancellation | None
    request_id: str | None
    """The request's id when the call is a change: its errors then say an outcome."""


class RestoreOptions(CallOptions, total=False):
    """What a restore takes; `as_of` or `as_of_operation` is needed."""

    as_of: datetime.datetime | Timestamp | None
    """The time to go back to."""
    as_of_operation: str | None
    """The id of the operation after which it was."""
    tree: bool
    """Everything at and below the path."""
    overwrite: Literal["always", "never"]
    """What to do with files that are there: they are replaced unless this is "never"."""
    include: Iterable[str]
    exclude: Iterable[str]
    delete_extra: bool
    """Delete what did not exist then."""
    target_path: str
    """Restore to here and leave the path alone."""
    dry_run: bool
    request_id: str | None
    priority: int
    labels: Mapping[str, str]


class LockOptions(CallOptions, total=False):
    """What a lock takes."""

    subtree: bool
    """Also everything below the paths that are given as text."""
    shared: bool
    """Together with others who share them. Nobody changes them meanwhile."""
    ttl: float | None
    """How many seconds it lasts unless renewed; the server's default unless given."""
    lock_wait: float | None
    """How many seconds to wait for it. 0 does not wait; the server's default unless given."""
    priority: int
    """Who goes first among those waiting: -100 to 100, higher first."""
    request_id: str | None
    """Makes a repeat of the whole call safe. A random UUID unless given."""
    owner: str
    """What the caller calls itself, for people."""
    session: str
    """The same for all locks that are held together, so that circles of waits are found."""
    labels: Mapping[str, str]
    """Kept with the lock, for people. No secrets."""


class Change(Protocol):
    """The request of a change."""

    @property
    def options(self) -> MutationOptions: ...


class PageRequest(Protocol):
    """The request of a listing."""

    page_token: str


class Page(Protocol):
    """One page of a listing."""

    next_page_token: str


def plan_of(
    settings: Settings, options: CallOptions, request_id: str | None = None, lock_wait: float | None = None
) -> Plan:
    timeout = options.get("timeout")
    if timeout is None:
        timeout = settings.timeout + max(0.0, lock_wait or 0.0)
    return Plan(timeout, options.get("cancel"), request_id)


def new_id() -> str:
    """Settled once, for all attempts of a call."""
    return str(uuid.uuid4())


def mutation_options(options: ChangeOptions | TransactionOptions) -> MutationOptions:
    condition = condition_of(options.get("etag"), options.get("if_revision"))  # type: ignore[arg-type]
    lock_wait = options.get("lock_wait")
    return MutationOptions(
        request_id=options.get("request_id") or new_id(),
        validate_only=options.get("validate_only", False),
        precondition=condition,
        lock_wait=None if lock_wait is None else duration_of(lock_wait),
        priority=options.get("priority", 0),
        labels=options.get("labels", {}),
        lock_id=options.get("lock_id", ""),
    )


def condition_of(etag: str | None, if_revision: int | None) -> Precondition | None:
    """None when there is no condition."""
    if etag is None and if_revision is None:
        return None
    return Precondition(etag=etag or "", if_revision=if_revision)


def duration_of(seconds: float) -> Duration:
    found = Duration()
    found.FromNanoseconds(round(seconds * 1e9))
    return found
