"""What is reported, as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message

from safefile.errors import SafefileError


def message(found: Message) -> dict[str, Any]:
    """Canonical JSON: 64-bit numbers are texts."""
    return MessageToDict(found)


def messages(found: Iterable[Message]) -> list[dict[str, Any]]:
    return [message(each) for each in found]


def answer(number: object, value: dict[str, Any] | None = None, error: BaseException | None = None) -> str:
    """One line."""
    if error is None:
        return json.dumps({"id": number, "value": value})
    if isinstance(error, SafefileError):
        return json.dumps({"id": number, "error": error_value(error)})
    return json.dumps({"id": number, "error": {"other": f"{type(error).__name__}: {error}"}})


def error_value(error: SafefileError) -> dict[str, Any]:
    value = {
        "code": error.code.name,
        "message": error.message,
        "reason": error.reason,
        "outcome": error.outcome,
        "stage": error.stage,
        "requestId": error.request_id,
        "retryAfterMs": None if error.retry_after is None else round(error.retry_after * 1000),
        "resource": None if error.resource is None else error.resource._asdict(),
        "metadata": dict(error.metadata),
        "fieldViolations": [violation._asdict() for violation in error.field_violations],
        "preconditionViolations": [violation._asdict() for violation in error.precondition_violations],
    }
    return {key: each for key, each in value.items() if each is not None}
