"""The Safefile service from Python: safe file changes over gRPC.

`Client` is synchronous, `safefile.aio.Client` asynchronous. Generated messages and stubs are in `safefile.v1`.
"""

from safefile.cancellation import Cancellation
from safefile.client import Client
from safefile.download import Download
from safefile.errors import (
    ConditionViolation,
    FieldViolation,
    Outcome,
    QuotaViolation,
    Resource,
    SafefileError,
)
from safefile.follow import Watch
from safefile.held_lock import HeldLock
from safefile.locks import Locks
from safefile.options import CallOptions, ChangeOptions, LockOptions, RestoreOptions, TransactionOptions
from safefile.retry import RetryPolicy
from safefile.source import UploadSource
from safefile.transaction import Transaction
from safefile.v1.common_pb2 import FileInfo, MutationResult, Revision
from safefile.v1.file_ops_service_pb2 import FileEdit
from safefile.v1.lock_service_pb2 import LockTarget

__all__ = [
    "CallOptions",
    "Cancellation",
    "ChangeOptions",
    "Client",
    "ConditionViolation",
    "Download",
    "FieldViolation",
    "FileEdit",
    "FileInfo",
    "HeldLock",
    "LockOptions",
    "LockTarget",
    "Locks",
    "MutationResult",
    "Outcome",
    "QuotaViolation",
    "Resource",
    "RestoreOptions",
    "RetryPolicy",
    "Revision",
    "SafefileError",
    "Transaction",
    "TransactionOptions",
    "UploadSource",
    "Watch",
]
