"""Statuses as the service sends them."""

from __future__ import annotations

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status


def status_of(code: int, message: str, *details: Message) -> Status:
    packed = []
    for detail in details:
        found = AnyMessage()
        found.Pack(detail)
        packed.append(found)
    return Status(code=code, message=message, details=packed)


def info(reason: str, domain: str = "safefile", **metadata: str) -> ErrorInfo:
    return ErrorInfo(reason=reason, domain=domain, metadata=metadata)
