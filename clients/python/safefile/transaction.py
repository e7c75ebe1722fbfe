"""Several changes that are committed together."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Iterable, Mapping
from typing import Self

from google.protobuf.timestamp_pb2 import Timestamp

from safefile.content import Data
from safefile.options import condition_of
from safefile.v1.common_pb2 import Precondition
from safefile.v1.file_ops_service_pb2 import (
    FileEdit,
    TransactionAppend,
    TransactionAttributes,
    TransactionCopy,
    TransactionDelete,
    TransactionMove,
    TransactionOperation,
    TransactionPatch,
    TransactionRollback,
    TransactionWrite,
)


class Transaction:
    """Collects the steps of a transaction; nothing is sent before `client.transaction`.

    1 to 1,000 steps, each path changed by one of them only, at most 1 MiB of data together. The conditions `etag` and
    `if_revision` of a step are about its path as it was before the transaction.
    """

    def __init__(self) -> None:
        self._operations: list[TransactionOperation] = []

    @property
    def operations(self) -> tuple[TransactionOperation, ...]:
        """What was collected, in order."""
        return tuple(self._operations)

    @property
    def data_bytes(self) -> int:
        """All data of the steps together."""
        return sum(
            len(step.write.data) + len(step.append.data) + edits_bytes(step.patch.edits) for step in self._operations
        )

    def write(
        self,
        path: str,
        data: Data,
        *,
        mode: int | None = None,
        etag: str | None = None,
        if_revision: int | None = None,
    ) -> Self:
        """Creates or replaces a file."""
        content = bytes(data)
        write = TransactionWrite(data=content, mode=mode, sha256=hashlib.sha256(content).digest())
        return self._add(TransactionOperation(path=path, write=write), etag, if_revision)

    def append(self, path: str, data: Data, *, etag: str | None = None, if_revision: int | None = None) -> Self:
        """Adds bytes at the end of a file, creating it when it is missing."""
        return self._add(TransactionOperation(path=path, append=TransactionAppend(data=bytes(data))), etag, if_revision)

    def patch(
        self,
        path: str,
        edits: Iterable[FileEdit],
        *,
        sha256: bytes = b"",
        etag: str | None = None,
        if_revision: int | None = None,
    ) -> Self:
        """Replaces parts of a file, as `client.patch` does."""
        patch = TransactionPatch(edits=edits, sha256=sha256)
        return self._add(TransactionOperation(path=path, patch=patch), etag, if_revision)

    def remove(self, path: str, *, etag: str | None = None, if_revision: int | None = None) -> Self:
        """Deletes a file."""
        return self._add(TransactionOperation(path=path, delete=TransactionDelete()), etag, if_revision)

    def move(
        self,
        path: str,
        target: str,
        *,
        overwrite: bool = False,
        target_etag: str | None = None,
        target_if_revision: int | None = None,
        etag: str | None = None,
        if_revision: int | None = None,
    ) -> Self:
        """Moves a file. The target counts as a path of the transaction."""
        precondition = condition_of(target_etag, target_if_revision)
        move = TransactionMove(target_path=target, overwrite=overwrite, target_precondition=precondition)
        return self._add(TransactionOperation(path=path, move=move), etag, if_revision)

    def copy(
        self,
        path: str,
        target: str,
        *,
        revision: int = 0,
        overwrite: bool = False,
        target_etag: str | None = None,
        target_if_revision: int | None = None,
        etag: str | None = None,
        if_revision: int | None = None,
    ) -> Self:
        """Copies a file, or one of its revisions. The target counts as a path of the transaction."""
        precondition = condition_of(target_etag, target_if_revision)
        copy = TransactionCopy(
            target_path=target, overwrite=overwrite, target_precondition=precondition, revision=revision
        )
        return self._add(TransactionOperation(path=path, copy=copy), etag, if_revision)

    def rollback(self, path: str, revision: int, *, etag: str | None = None, if_revision: int | None = None) -> Self:
        """Sets a file back to an earlier revision."""
        rollback = TransactionRollback(revision=revision)
        return self._add(TransactionOperation(path=path, rollback=rollback), etag, if_revision)

    def attributes(
        self,
        path: str,
        *,
        mode: int | None = None,
        update_time: datetime.datetime | Timestamp | None = None,
        set_xattrs: Mapping[str, bytes] | None = None,
        remove_xattrs: Iterable[str] = (),
        etag: str | None = None,
        if_revision: int | None = None,
    ) -> Self:
        """Changes attributes of a file."""
        attributes = TransactionAttributes(
            mode=mode,
            update_time=None if update_time is None else timestamp_of(update_time),
            set_xattrs=set_xattrs or {},
            remove_xattrs=remove_xattrs,
        )
        return self._add(TransactionOperation(path=path, attributes=attributes), etag, if_revision)

    def check(self, path: str, *, etag: str | None = None, if_revision: int | None = None) -> Self:
        """Changes nothing, but the transaction is only committed if this holds."""
        return self._add(TransactionOperation(path=path), etag, if_revision)

    def _add(self, step: TransactionOperation, etag: str | None, if_revision: int | None) -> Self:
        condition: Precondition | None = condition_of(etag, if_revision)
        if condition is not None:
            step.precondition.CopyFrom(condition)
        self._operations.append(step)
        return self


def edits_bytes(edits: Iterable[FileEdit]) -> int:
    return sum(len(edit.data) for edit in edits)


def timestamp_of(time: datetime.datetime | Timestamp) -> Timestamp:
    """A Timestamp where microseconds are too coarse."""
    if isinstance(time, Timestamp):
        return time
    if time.tzinfo is None:
        raise ValueError("a time needs its time zone")
    found = Timestamp()
    found.FromDatetime(time)
    return found
