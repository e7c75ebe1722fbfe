"""Golden files: decoded by the code and libraries of the client, without a server."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

from google.rpc.status_pb2 import Status

from driver.stored.storage_pb2 import OperationRecord
from driver.values import error_value, message
from safefile.content import crc32c
from safefile.errors import SafefileError

# CRC, payload length, sequence, durable sequence, incarnation, type: services/journal/frame.ts.
_FRAME = struct.Struct("<IIQQ16sB")
_OPERATION = 1


def golden(kind: str, file: str) -> dict[str, Any]:
    data = Path(file).read_bytes()
    match kind:
        case "status":
            return {"error": error_value(SafefileError.from_status(Status.FromString(data)))}
        case "content":
            return {"sha256": hashlib.sha256(data).hexdigest(), "crc32c": crc32c(data)}
        case "frame":
            return _frame(data)
        case _:
            raise ValueError(f"unknown kind of golden file: {kind}")


def _frame(data: bytes) -> dict[str, Any]:
    if len(data) < _FRAME.size:
        return {"valid": False}
    crc, payload_bytes, sequence, durable, incarnation, kind = _FRAME.unpack_from(data)
    end = _FRAME.size + payload_bytes
    if end > len(data) or crc32c(data[4:end]) != crc:
        return {"valid": False}
    value = {
        "valid": True,
        "sequence": sequence,
        "durableSequence": durable,
        "incarnation": incarnation.hex(),
        "type": kind,
    }
    if kind == _OPERATION:
        value["record"] = message(OperationRecord.FromString(data[_FRAME.size : end]))
    return value
