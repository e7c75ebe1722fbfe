"""What went wrong, and what that means for the file."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple, TypeVar, cast

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError, Message
from google.rpc.error_details_pb2 import (
    BadRequest,
    ErrorInfo,
    PreconditionFailure,
    QuotaFailure,
    ResourceInfo,
    RetryInfo,
)
from google.rpc.status_pb2 import Status

Outcome = Literal["NOT_COMMITTED", "COMMITTED", "UNKNOWN"]
"""What became of the file."""

_DETAILS_KEY = "grpc-status-details-bin"
_DOMAIN = "safefile"
_OUTCOMES = ("NOT_COMMITTED", "COMMITTED", "UNKNOWN")
# Every other reason means that the file is unchanged, unless the error's own outcome says more.
_OUTCOME_OPEN = ("OUTCOME_UNKNOWN", "INTERNAL")
# The gRPC library says so when no address could be reached, and so nothing was ever sent.
_NEVER_SENT = (
    "failed to connect to all addresses",
    "DNS resolution failed",
    "Name resolution failure",
    "empty address list",
)
_CODES = {code.value[0]: code for code in grpc.StatusCode}

M = TypeVar("M", bound=Message)


class FieldViolation(NamedTuple):
    """A field of the request that is wrong."""

    field: str
    description: str


class ConditionViolation(NamedTuple):
    """A condition that does not hold."""

    type: str
    subject: str
    description: str


class QuotaViolation(NamedTuple):
    """A quota that is used up."""

    subject: str
    description: str


class Resource(NamedTuple):
    """What was not found, or was in the way."""

    type: str
    name: str


@dataclasses.dataclass(frozen=True)
class Details:
    """What an error holds besides its code and message."""

    reason: str | None = None
    outcome: Outcome | None = None
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)
    field_violations: tuple[FieldViolation, ...] = ()
    precondition_violations: tuple[ConditionViolation, ...] = ()
    quota_violations: tuple[QuotaViolation, ...] = ()
    resource: Resource | None = None
    retry_after: float | None = None


class SafefileError(Exception):
    """A call that failed: why, and what that means for the file."""

    def __init__(self, code: grpc.StatusCode, message: str, details: Details | None = None) -> None:
        super().__init__(message)
        details = details or Details()
        self.code = code
        """The gRPC status code."""
        self.message = message
        self.details = details
        self.reason = details.reason
        """The name of an ErrorReason without its prefix; None when the error is not of the service itself."""
        self.outcome = details.outcome
        """What happened to the file: set for every failed change. When it is UNKNOWN, call again with `request_id`."""
        self.metadata: Mapping[str, str] = dict(details.metadata)
        """Every dynamic value of the message, as text. The keys are in errors.proto."""
        self.stage = self.metadata.get("stage")
        """The stage that failed, for example "lock"; None when none ran."""
        self.request_id = self.metadata.get("request_id")
        """Of a change: the id with which it can be repeated."""
        self.field_violations = details.field_violations
        self.precondition_violations = details.precondition_violations
        self.quota_violations = details.quota_violations
        self.resource = details.resource
        self.retry_after = details.retry_after
        """When the server says that the call may be repeated, in seconds."""

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.code, self.message, self.details)

    def having(self, outcome: Outcome | None, metadata: Mapping[str, str] | None = None) -> SafefileError:
        """The same error with another outcome, and with metadata where it has none."""
        details = dataclasses.replace(
            self.details,
            outcome=outcome or self.outcome,
            metadata={**(metadata or {}), **self.metadata},
        )
        same = SafefileError(self.code, self.message, details)
        same.__cause__ = self.__cause__
        return same

    @classmethod
    def from_status(cls, status: Status) -> SafefileError:
        """An error that came inside a message, as in RestoreItem."""
        return cls(_CODES.get(status.code, grpc.StatusCode.UNKNOWN), status.message, _details_of(status))

    @classmethod
    def from_call(cls, call: grpc.RpcError) -> SafefileError:
        """The error that a call of grpc, or of grpc.aio, ended with."""
        # Both kinds have these methods, but no type says so.
        failed: Any = call
        code: grpc.StatusCode = failed.code() or grpc.StatusCode.UNKNOWN
        status = _decode(failed.trailing_metadata())
        message = (status.message if status else "") or failed.details() or code.name
        found = cls(code, message, _details_of(status) if status else None)
        found.__cause__ = call
        return found


def failed_change(error: SafefileError, request_id: str | None, unanswered: Outcome = "UNKNOWN") -> SafefileError:
    """The error of a change, with the outcome that follows when the service itself said none.

    A change that was never sent, or that the server does not know, is NOT_COMMITTED; of any other nobody knows.
    """
    if request_id is None:
        return error
    refused = error.reason is not None and error.reason not in _OUTCOME_OPEN
    began = not (was_never_sent(error) or error.code is grpc.StatusCode.UNIMPLEMENTED)
    outcome = error.outcome or ("NOT_COMMITTED" if refused or not began else unanswered)
    return error.having(outcome, {"request_id": request_id})


def was_never_sent(error: SafefileError) -> bool:
    """Whether there was no connection."""
    return (
        error.code is grpc.StatusCode.UNAVAILABLE
        and error.reason is None
        and any(words in error.message for words in _NEVER_SENT)
    )


def cancelled(request_id: str | None, outcome: Outcome | None) -> SafefileError:
    """The caller ended the call."""
    details = Details() if request_id is None else Details(outcome=outcome, metadata={"request_id": request_id})
    return SafefileError(grpc.StatusCode.CANCELLED, "The call was cancelled.", details)


def refused(field: str, problem: str, request_id: str) -> SafefileError:
    """What was asked is refused here as the service would; nothing was sent."""
    return SafefileError(
        grpc.StatusCode.INVALID_ARGUMENT,
        f"{field} {problem}. Nothing was changed.",
        Details(
            reason="ARGUMENT_INVALID",
            outcome="NOT_COMMITTED",
            metadata={"field": field, "problem": problem, "request_id": request_id},
            field_violations=(FieldViolation(field, problem),),
        ),
    )


def _decode(trailers: Iterable[tuple[str, str | bytes]] | None) -> Status | None:
    """None when a proxy, or another service at this address, sent something else."""
    for key, value in trailers or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return Status.FromString(value)
            except DecodeError:
                return None
    return None


def _details_of(status: Status) -> Details:
    info = _find(status.details, ErrorInfo)
    own = info if info is not None and info.domain == _DOMAIN else None
    outcome = own.metadata.get("outcome") if own else None
    fields = _find(status.details, BadRequest)
    conditions = _find(status.details, PreconditionFailure)
    quotas = _find(status.details, QuotaFailure)
    retry = _find(status.details, RetryInfo)
    resource = _find(status.details, ResourceInfo)
    has_delay = retry is not None and retry.HasField("retry_delay")
    return Details(
        reason=(own.reason or None) if own else None,
        outcome=cast(Outcome, outcome) if outcome in _OUTCOMES else None,
        metadata=dict(own.metadata) if own else {},
        field_violations=tuple(FieldViolation(v.field, v.description) for v in fields.field_violations)
        if fields
        else (),
        precondition_violations=tuple(
            ConditionViolation(v.type, v.subject, v.description) for v in conditions.violations
        )
        if conditions
        else (),
        quota_violations=tuple(QuotaViolation(v.subject, v.description) for v in quotas.violations) if quotas else (),
        resource=Resource(resource.resource_type, resource.resource_name) if resource else None,
        retry_after=retry.retry_delay.ToNanoseconds() / 1e9 if retry is not None and has_delay else None,
    )


def _find(details: Iterable[AnyMessage], kind: type[M]) -> M | None:
    """The first detail of this type. None also when it cannot be read: the status itself still can."""
    try:
        for detail in details:
            message = kind()
            if detail.Unpack(message):
                return message
    except DecodeError:
        return None
    return None
