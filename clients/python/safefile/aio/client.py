"""The asynchronous client."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeVar, Unpack

import grpc
import grpc.aio
from google.protobuf.timestamp_pb2 import Timestamp

from safefile import requests
from safefile.aio.connection import Connection, Incoming, metadata
from safefile.aio.download import Download
from safefile.aio.follow import Watch
from safefile.aio.locks import Locks
from safefile.aio.source import AsyncSource, UploadSource
from safefile.aio.upload import upload
from safefile.cancellation import Cancellation
from safefile.content import Data, Part
from safefile.options import CallOptions, ChangeOptions, RestoreOptions, TransactionOptions, plan_of
from safefile.retry import RetryPolicy
from safefile.settings import PAGE_SIZE, WHOLE_BYTES_MAX, Settings
from safefile.transaction import Transaction
from safefile.upload_state import UploadState
from safefile.v1.common_pb2 import FileInfo, MutationResult, Revision
from safefile.v1.file_ops_service_pb2 import (
    AppendFileResponse,
    ExecuteTransactionResponse,
    FileEdit,
    ListFilesRequest,
    MoveFileResponse,
    ReadFileRequest,
    StatFileRequest,
    WatchFilesRequest,
    WatchFilesResponse,
)
from safefile.v1.file_ops_service_pb2_grpc import FileOpsServiceStub
from safefile.v1.recovery_service_pb2 import (
    ListRevisionsRequest,
    ReadRevisionRequest,
    StartRestoreResponse,
    WatchRestoreRequest,
    WatchRestoreResponse,
)
from safefile.v1.recovery_service_pb2_grpc import RecoveryServiceStub

A = TypeVar("A")
Q = TypeVar("Q")


class Client:
    """Safe file changes over gRPC, in one event loop: it is made, used and closed there.

    async with safefile.aio.Client("127.0.0.1:7420") as client:
        await client.write("notes.txt", b"hello")

    A task that is cancelled cancels its call, and nobody says what became of the file; a `cancel` given to it does.

    All times are in seconds. What a method returns is the generated message.
    """

    def __init__(
        self,
        address: str | Sequence[str],
        *,
        credentials: grpc.ChannelCredentials | None = None,
        volume: str = "",
        timeout: float = 30.0,
        idle_timeout: float = 60.0,
        retry: RetryPolicy | None = None,
    ) -> None:
        """`address` is host:port, or several: the first that answers is used, and the next when it is gone.

        Plain text unless there are `credentials`: the service listens on loopback only until it can authenticate
        callers. `timeout` is how long a call may take, repeats included; time given to wait for a lock is added.
        `idle_timeout` is how long a stream of content may stand still. `volume` is that of all calls.
        """
        self._settings = Settings(volume, timeout, idle_timeout, retry or RetryPolicy())
        self._connection = Connection(address, credentials, self._settings)
        self._files = FileOpsServiceStub(self._connection.channel)
        self._recovery = RecoveryServiceStub(self._connection.channel)
        self.locks = Locks(self._connection)
        """Locks over several calls."""

    async def close(self) -> None:
        """Ends the connection, and the calls that are under way."""
        await self._connection.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def channel(self) -> grpc.aio.Channel:
        """For generated stubs of what has no method here; see `call`."""
        return self._connection.channel

    async def call(
        self, method: grpc.aio.UnaryUnaryMultiCallable[Q, A], request: Q, **options: Unpack[CallOptions]
    ) -> A:
        """Any other unary RPC: `await client.call(AdminServiceStub(client.channel).GetReport, GetReportRequest())`.

        It is repeated while the service is UNAVAILABLE, so give a change its `options.request_id`.
        """
        return await self._connection.unary(method, request, plan_of(self._settings, options))

    async def stat(self, path: str, **options: Unpack[CallOptions]) -> FileInfo:
        """What is at a path now. Empty is the root."""
        request = StatFileRequest(volume=self._volume(options), path=path)
        return (await self.call(self._files.StatFile, request, **options)).file

    async def list(
        self, path: str = "", *, recursive: bool = False, page_size: int = PAGE_SIZE, **options: Unpack[CallOptions]
    ) -> AsyncIterator[FileInfo]:
        """The entries of a directory, sorted, over all pages; with all below it when `recursive`."""
        request = ListFilesRequest(volume=self._volume(options), path=path, recursive=recursive, page_size=page_size)
        async for page in self._connection.pages(self._files.ListFiles, request, options):
            for file in page.files:
                yield file

    async def read(
        self,
        path: str,
        *,
        offset: int = 0,
        limit: int = 0,
        bytes_max: int = WHOLE_BYTES_MAX,
        **options: Unpack[CallOptions],
    ) -> tuple[bytes, FileInfo]:
        """A small file, or at most `limit` bytes of it, and what was read. More than `bytes_max` is a ValueError."""

        def start() -> Awaitable[Download]:
            return self.download(path, offset=offset, limit=limit, **options)

        data, download = await self._whole(start, bytes_max, options)
        return data, download.file

    async def download(self, path: str, *, offset: int = 0, limit: int = 0, **options: Unpack[CallOptions]) -> Download:
        """A file of any size, as it arrives. It is whole only once it has ended without an error."""
        request = ReadFileRequest(volume=self._volume(options), path=path, offset=offset, limit=limit)
        return await self._open(path, lambda: self._files.ReadFile(request, metadata=metadata()), options)

    async def write(
        self, path: str, data: Data, *, mode: int | None = None, **options: Unpack[ChangeOptions]
    ) -> MutationResult:
        """Creates or replaces a file. More than 1 MiB travels as an upload."""
        if len(data) > requests.DATA_BYTES_MAX:
            return await self.upload(path, data, mode=mode, **options)
        request = requests.write(self._volume(options), path, data, mode, options)
        return (await self._connection.change(self._files.WriteFile, request, options)).result

    async def upload(
        self,
        path: str,
        source: UploadSource,
        *,
        mode: int | None = None,
        size_bytes: int | None = None,
        sha256: bytes | None = None,
        upload_id: str | None = None,
        on_progress: Callable[[int], object] | None = None,
        on_resumed: Callable[[int], object] | None = None,
        **options: Unpack[ChangeOptions],
    ) -> MutationResult:
        """Creates or replaces a file of any size, from bytes, a path, a binary file, or a function that opens one.

        No more of the source is read than the server takes. When the connection breaks it goes on from what the server
        holds; an iterable or a file that cannot seek cannot be read again, and is sent once. With `size_bytes` and
        `sha256` of the whole the server refuses anything else.

        `upload_id` is the name under which the service keeps the bytes when the stream breaks: give one to go on with
        an upload of an earlier process. `on_progress` is told how many bytes were sent, `on_resumed` from where the
        upload goes on.
        """
        if isinstance(source, bytes | bytearray | memoryview):
            size_bytes = memoryview(source).nbytes if size_bytes is None else size_bytes
            sha256 = hashlib.sha256(source).digest() if sha256 is None else sha256
        opened = AsyncSource(source)
        header = requests.upload_header(self._volume(options), path, mode, size_bytes, sha256, options)
        state = UploadState(
            header,
            can_repeat=opened.can_repeat,
            upload_id=upload_id,
            retry=self._connection.retry(),
            on_progress=on_progress,
            on_resumed=on_resumed,
        )
        plan = plan_of(self._settings, options, state.request_id, options.get("lock_wait"))
        return await upload(
            self._files.UploadFile,
            opened,
            state,
            cancel=plan.cancel,
            idle_timeout=self._settings.idle_timeout,
            answer_timeout=plan.timeout,
        )

    async def append(
        self, path: str, data: Data, *, mode: int | None = None, **options: Unpack[ChangeOptions]
    ) -> AppendFileResponse:
        """Adds 1 byte to 1 MiB at the end of a file, or makes one. The answer says where they begin."""
        request = requests.append(self._volume(options), path, data, mode, options)
        return await self._connection.change(self._files.AppendFile, request, options)

    async def patch(
        self, path: str, edits: Iterable[FileEdit], *, sha256: bytes = b"", **options: Unpack[ChangeOptions]
    ) -> MutationResult:
        """Replaces parts of a file that exists. Readers see all edits or none.

        The edits, 1 to 1,000 with at most 1 MiB of data together, come in rising order of offset and without overlap.
        Offsets mean little without `etag` or `if_revision`. `sha256` is that of the whole file afterwards.
        """
        request = requests.patch(self._volume(options), path, edits, sha256, options)
        return (await self._connection.change(self._files.PatchFile, request, options)).result

    async def set_attributes(
        self,
        path: str,
        *,
        mode: int | None = None,
        update_time: datetime.datetime | Timestamp | None = None,
        set_xattrs: Mapping[str, bytes] | None = None,
        remove_xattrs: Iterable[str] = (),
        **options: Unpack[ChangeOptions],
    ) -> MutationResult:
        """Changes mode, time or extended attributes (without the "user." in front) of a file, as one revision."""
        request = requests.set_attributes(
            self._volume(options), path, mode, update_time, set_xattrs, remove_xattrs, options
        )
        return (await self._connection.change(self._files.SetAttributes, request, options)).result

    async def move(
        self,
        source: str,
        target: str,
        *,
        overwrite: bool = False,
        target_etag: str | None = None,
        target_if_revision: int | None = None,
        **options: Unpack[ChangeOptions],
    ) -> MoveFileResponse:
        """Moves a file or directory, atomically; missing parents of the target are made.

        A directory moves with at most 1,000 files and directories in it, to where nothing is. `etag` and `if_revision`
        are about the source.
        """
        request = requests.move(
            self._volume(options), source, target, overwrite, target_etag, target_if_revision, options
        )
        return await self._connection.change(self._files.MoveFile, request, options)

    async def copy(
        self,
        source: str,
        target: str,
        *,
        revision: int = 0,
        overwrite: bool = False,
        target_etag: str | None = None,
        target_if_revision: int | None = None,
        **options: Unpack[ChangeOptions],
    ) -> MutationResult:
        """Copies a file, or one of its revisions; missing parents of the target are made."""
        request = requests.copy(
            self._volume(options), source, target, revision, overwrite, target_etag, target_if_revision, options
        )
        return (await self._connection.change(self._files.CopyFile, request, options)).result

    async def make_directory(
        self, path: str, *, mode: int | None = None, allow_existing: bool = False, **options: Unpack[ChangeOptions]
    ) -> MutationResult:
        """Makes a directory and its missing parents."""
        request = requests.make_directory(self._volume(options), path, mode, allow_existing, options)
        return (await self._connection.change(self._files.MakeDirectory, request, options)).result

    async def remove(self, path: str, *, recursive: bool = False, **options: Unpack[ChangeOptions]) -> MutationResult:
        """Deletes a file, or a directory with all below it. Content stays as the revision `backup_revision`."""
        request = requests.remove(self._volume(options), path, recursive, options)
        return (await self._connection.change(self._files.DeleteFile, request, options)).result

    async def transaction(
        self, steps: Transaction, **options: Unpack[TransactionOptions]
    ) -> ExecuteTransactionResponse:
        """Up to 1,000 changes on many paths: all are committed or none is, also across crashes.

            await client.transaction(Transaction().write("a", data, if_revision=3).move("b", "c").check("d", etag=etag))

        The items of the answer say what each step did, in their order.
        """
        request = requests.transaction(self._volume(options), steps, options)
        return await self._connection.change(self._files.ExecuteTransaction, request, options)

    def watch(
        self,
        path: str = "",
        *,
        recursive: bool = False,
        resume_token: str = "",
        volume: str | None = None,
        cancel: Cancellation | None = None,
    ) -> Watch[WatchFilesResponse]:
        """The changes of a file or tree as they are committed, in order per path, until it is closed.

        The first message comes at once: whatever is committed after it is seen. Goes on by itself after a break, from
        `resume_token` of the last message seen.
        """
        request = WatchFilesRequest(
            volume=self._settings.volume if volume is None else volume, path=path, recursive=recursive
        )

        def start(position: str) -> Incoming[WatchFilesResponse]:
            request.resume_token = position
            return self._files.WatchFiles(request, metadata=metadata())

        return Watch(self._connection, start, lambda event: event.resume_token, resume_token, cancel)

    async def revisions(
        self, path: str, *, page_size: int = PAGE_SIZE, **options: Unpack[CallOptions]
    ) -> AsyncIterator[Revision]:
        """The revisions of a path, newest first, over all pages."""
        request = ListRevisionsRequest(volume=self._volume(options), path=path, page_size=page_size)
        async for page in self._connection.pages(self._recovery.ListRevisions, request, options):
            for revision in page.revisions:
                yield revision

    async def read_revision(
        self,
        path: str,
        revision: int,
        *,
        offset: int = 0,
        limit: int = 0,
        bytes_max: int = WHOLE_BYTES_MAX,
        **options: Unpack[CallOptions],
    ) -> tuple[bytes, Revision]:
        """The content of a revision at once, and what was read. 0 is the newest."""

        def start() -> Awaitable[Download]:
            return self.download_revision(path, revision, offset=offset, limit=limit, **options)

        data, download = await self._whole(start, bytes_max, options)
        return data, download.revision

    async def download_revision(
        self, path: str, revision: int, *, offset: int = 0, limit: int = 0, **options: Unpack[CallOptions]
    ) -> Download:
        """The content of a revision of any size, as it arrives; also of a file that is deleted now. 0 is the newest."""
        request = ReadRevisionRequest(
            volume=self._volume(options), path=path, revision=revision, offset=offset, limit=limit
        )
        return await self._open(path, lambda: self._recovery.ReadRevision(request, metadata=metadata()), options)

    async def rollback(self, path: str, revision: int, **options: Unpack[ChangeOptions]) -> MutationResult:
        """Makes an earlier revision the live file again, as a new revision."""
        request = requests.rollback(self._volume(options), path, revision, options)
        return (await self._connection.change(self._recovery.RollbackFile, request, options)).result

    async def start_restore(self, path: str, **options: Unpack[RestoreOptions]) -> StartRestoreResponse:
        """Starts to restore a file, or with `tree` all at and below the path, and returns at once.

        `as_of` is a time, `as_of_operation` the id of the operation after which it was: one of them is needed.
        """
        request = requests.start_restore(self._volume(options), path, options)
        plan = plan_of(self._settings, options, request.request_id)
        return await self._connection.unary(self._recovery.StartRestore, request, plan)

    def watch_restore(
        self, restore_id: str, *, cursor: str = "", cancel: Cancellation | None = None
    ) -> Watch[WatchRestoreResponse]:
        """The events of a restore until it ends, also across a restart of the server; behind `cursor` when given."""

        def start(position: str) -> Incoming[WatchRestoreResponse]:
            request = WatchRestoreRequest(restore_id=restore_id, cursor=position)
            return self._recovery.WatchRestore(request, metadata=metadata())

        return Watch(self._connection, start, lambda event: event.cursor, cursor, cancel)

    def _volume(self, options: CallOptions) -> str:
        return options.get("volume", self._settings.volume)

    async def _open(self, path: str, start: Callable[[], Incoming[Part]], options: CallOptions) -> Download:
        """Until the header is here nothing was given to the caller, so it may be repeated."""
        cancel = options.get("cancel")
        return await self._connection.repeated(lambda: Download(self._connection, start, path, cancel).open(), cancel)

    async def _whole(
        self, start: Callable[[], Awaitable[Download]], bytes_max: int, options: CallOptions
    ) -> tuple[bytes, Download]:
        async def attempt() -> tuple[bytes, Download]:
            download = await start()
            return await download.whole(bytes_max), download

        return await self._connection.repeated(attempt, options.get("cancel"))
