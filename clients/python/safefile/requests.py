"""What is asked for, as messages; the same for both clients."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable, Mapping

from google.protobuf.timestamp_pb2 import Timestamp

from safefile.content import Data
from safefile.errors import refused
from safefile.options import (
    ChangeOptions,
    LockOptions,
    RestoreOptions,
    TransactionOptions,
    condition_of,
    duration_of,
    mutation_options,
    new_id,
)
from safefile.transaction import Transaction, edits_bytes, timestamp_of
from safefile.v1.file_ops_service_pb2 import (
    AppendFileRequest,
    CopyFileRequest,
    DeleteFileRequest,
    ExecuteTransactionRequest,
    FileEdit,
    MakeDirectoryRequest,
    MoveFileRequest,
    PatchFileRequest,
    SetAttributesRequest,
    UploadHeader,
    WriteFileRequest,
)
from safefile.v1.lock_service_pb2 import (
    LOCK_MODE_EXCLUSIVE,
    LOCK_MODE_SHARED,
    LOCK_SCOPE_PATH,
    LOCK_SCOPE_SUBTREE,
    AcquireLockRequest,
    LockTarget,
    RenewLockRequest,
)
from safefile.v1.recovery_service_pb2 import (
    OVERWRITE_POLICY_ALWAYS,
    OVERWRITE_POLICY_NEVER,
    RollbackFileRequest,
    StartRestoreRequest,
)

# WriteFile, AppendFile, PatchFile and a whole transaction take this much content.
DATA_BYTES_MAX = 1024 * 1024


def write(volume: str, path: str, data: Data, mode: int | None, options: ChangeOptions) -> WriteFileRequest:
    content = bytes(data)
    return WriteFileRequest(
        volume=volume,
        path=path,
        options=mutation_options(options),
        data=content,
        mode=mode,
        sha256=hashlib.sha256(content).digest(),
    )


def upload_header(
    volume: str,
    path: str,
    mode: int | None,
    size_bytes: int | None,
    sha256: bytes | None,
    options: ChangeOptions,
) -> UploadHeader:
    return UploadHeader(
        volume=volume,
        path=path,
        options=mutation_options(options),
        mode=mode,
        size_bytes=size_bytes,
        sha256=sha256 or b"",
    )


def append(volume: str, path: str, data: Data, mode: int | None, options: ChangeOptions) -> AppendFileRequest:
    carried = mutation_options(options)
    check_size(len(data), "data", carried.request_id)
    content = bytes(data)
    return AppendFileRequest(
        volume=volume,
        path=path,
        options=carried,
        data=content,
        mode=mode,
        sha256=hashlib.sha256(content).digest(),
    )


def patch(volume: str, path: str, edits: Iterable[FileEdit], sha256: bytes, options: ChangeOptions) -> PatchFileRequest:
    carried = mutation_options(options)
    listed = list(edits)
    check_size(edits_bytes(listed), "edits", carried.request_id)
    return PatchFileRequest(volume=volume, path=path, options=carried, edits=listed, sha256=sha256)


def set_attributes(
    volume: str,
    path: str,
    mode: int | None,
    update_time: datetime.datetime | Timestamp | None,
    set_xattrs: Mapping[str, bytes] | None,
    remove_xattrs: Iterable[str],
    options: ChangeOptions,
) -> SetAttributesRequest:
    return SetAttributesRequest(
        volume=volume,
        path=path,
        options=mutation_options(options),
        mode=mode,
        update_time=None if update_time is None else timestamp_of(update_time),
        set_xattrs=set_xattrs or {},
        remove_xattrs=remove_xattrs,
    )


def move(
    volume: str,
    path: str,
    target: str,
    overwrite: bool,
    target_etag: str | None,
    target_if_revision: int | None,
    options: ChangeOptions,
) -> MoveFileRequest:
    return MoveFileRequest(
        volume=volume,
        path=path,
        options=mutation_options(options),
        target_path=target,
        overwrite=overwrite,
        target_precondition=condition_of(target_etag, target_if_revision),
    )


def copy(
    volume: str,
    path: str,
    target: str,
    revision: int,
    overwrite: bool,
    target_etag: str | None,
    target_if_revision: int | None,
    options: ChangeOptions,
) -> CopyFileRequest:
    return CopyFileRequest(
        volume=volume,
        path=path,
        options=mutation_options(options),
        target_path=target,
        overwrite=overwrite,
        target_precondition=condition_of(target_etag, target_if_revision),
        revision=revision,
    )


def make_directory(
    volume: str, path: str, mode: int | None, allow_existing: bool, options: ChangeOptions
) -> MakeDirectoryRequest:
    return MakeDirectoryRequest(
        volume=volume, path=path, options=mutation_options(options), mode=mode, allow_existing=allow_existing
    )


def remove(volume: str, path: str, recursive: bool, options: ChangeOptions) -> DeleteFileRequest:
    return DeleteFileRequest(volume=volume, path=path, options=mutation_options(options), recursive=recursive)


def rollback(volume: str, path: str, revision: int, options: ChangeOptions) -> RollbackFileRequest:
    return RollbackFileRequest(volume=volume, path=path, options=mutation_options(options), revision=revision)


def transaction(volume: str, steps: Transaction, options: TransactionOptions) -> ExecuteTransactionRequest:
    carried = mutation_options(options)
    check_size(steps.data_bytes, "operations", carried.request_id)
    return ExecuteTransactionRequest(volume=volume, options=carried, operations=steps.operations)


def start_restore(volume: str, path: str, options: RestoreOptions) -> StartRestoreRequest:
    as_of = options.get("as_of")
    keeps = options.get("overwrite") == "never"
    return StartRestoreRequest(
        volume=volume,
        path=path,
        tree=options.get("tree", False),
        as_of_time=None if as_of is None else timestamp_of(as_of),
        as_of_operation=options.get("as_of_operation"),
        overwrite_policy=OVERWRITE_POLICY_NEVER if keeps else OVERWRITE_POLICY_ALWAYS,
        include=options.get("include", ()),
        exclude=options.get("exclude", ()),
        delete_extra=options.get("delete_extra", False),
        target_path=options.get("target_path", ""),
        dry_run=options.get("dry_run", False),
        request_id=options.get("request_id") or new_id(),
        priority=options.get("priority", 0),
        labels=options.get("labels", {}),
    )


def acquire(
    volume: str, targets: str | LockTarget | Iterable[str | LockTarget], options: LockOptions
) -> AcquireLockRequest:
    wishes = [targets] if isinstance(targets, str | LockTarget) else list(targets)
    subtree, shared = options.get("subtree", False), options.get("shared", False)
    ttl, lock_wait = options.get("ttl"), options.get("lock_wait")
    return AcquireLockRequest(
        volume=volume,
        targets=[wish if isinstance(wish, LockTarget) else _target(wish, subtree, shared) for wish in wishes],
        ttl=None if ttl is None else duration_of(ttl),
        lock_wait=None if lock_wait is None else duration_of(lock_wait),
        priority=options.get("priority", 0),
        request_id=options.get("request_id") or new_id(),
        owner_name=options.get("owner", ""),
        session=options.get("session", ""),
        labels=options.get("labels", {}),
    )


def renew(lock_id: str, ttl: float | None) -> RenewLockRequest:
    return RenewLockRequest(lock_id=lock_id, ttl=None if ttl is None else duration_of(ttl))


def check_size(size_bytes: int, field: str, request_id: str) -> None:
    """More would not fit into a message, and the refusal of that would not say what became of the file."""
    if size_bytes > DATA_BYTES_MAX:
        raise refused(field, f"must be at most {DATA_BYTES_MAX} bytes", request_id)


def _target(path: str, subtree: bool, shared: bool) -> LockTarget:
    return LockTarget(
        path=path,
        scope=LOCK_SCOPE_SUBTREE if subtree else LOCK_SCOPE_PATH,
        mode=LOCK_MODE_SHARED if shared else LOCK_MODE_EXCLUSIVE,
    )
