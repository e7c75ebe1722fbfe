import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from safefile.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class StatFileRequest(_message.Message):
    __slots__ = ("volume", "path")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ...) -> None: ...

class StatFileResponse(_message.Message):
    __slots__ = ("file",)
    FILE_FIELD_NUMBER: _ClassVar[int]
    file: _common_pb2.FileInfo
    def __init__(self, file: _Optional[_Union[_common_pb2.FileInfo, _Mapping]] = ...) -> None: ...

class ListFilesRequest(_message.Message):
    __slots__ = ("volume", "path", "recursive", "page_size", "page_token")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    recursive: bool
    page_size: int
    page_token: str
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., recursive: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListFilesResponse(_message.Message):
    __slots__ = ("files", "next_page_token")
    FILES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    files: _containers.RepeatedCompositeFieldContainer[_common_pb2.FileInfo]
    next_page_token: str
    def __init__(self, files: _Optional[_Iterable[_Union[_common_pb2.FileInfo, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ReadFileRequest(_message.Message):
    __slots__ = ("volume", "path", "revision", "offset", "limit")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    revision: int
    offset: int
    limit: int
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., revision: _Optional[int] = ..., offset: _Optional[int] = ..., limit: _Optional[int] = ...) -> None: ...

class ReadFileResponse(_message.Message):
    __slots__ = ("header", "chunk", "trailer")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ContentHeader
    chunk: _common_pb2.ContentChunk
    trailer: _common_pb2.ContentTrailer
    def __init__(self, header: _Optional[_Union[_common_pb2.ContentHeader, _Mapping]] = ..., chunk: _Optional[_Union[_common_pb2.ContentChunk, _Mapping]] = ..., trailer: _Optional[_Union[_common_pb2.ContentTrailer, _Mapping]] = ...) -> None: ...

class WriteFileRequest(_message.Message):
    __slots__ = ("volume", "path", "options", "data", "mode", "sha256")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    options: _common_pb2.MutationOptions
    data: bytes
    mode: int
    sha256: bytes
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., options: _Optional[_Union[_common_pb2.MutationOptions, _Mapping]] = ..., data: _Optional[bytes] = ..., mode: _Optional[int] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class WriteFileResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.MutationResult
    def __init__(self, result: _Optional[_Union[_common_pb2.MutationResult, _Mapping]] = ...) -> None: ...

class WriteFilesRequest(_message.Message):
    __slots__ = ("write",)
    WRITE_FIELD_NUMBER: _ClassVar[int]
    write: WriteFileRequest
    def __init__(self, write: _Optional[_Union[WriteFileRequest, _Mapping]] = ...) -> None: ...

class WriteFilesResponse(_message.Message):
    __slots__ = ("request_id", "result", "error")
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    result: _common_pb2.MutationResult
    error: _status_pb2.Status
    def __init__(self, request_id: _Optional[str] = ..., result: _Optional[_Union[_common_pb2.MutationResult, _Mapping]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class UploadHeader(_message.Message):
    __slots__ = ("volume", "path", "options", "mode", "size_bytes", "sha256", "upload_id")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    UPLOAD_ID_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    options: _common_pb2.MutationOptions
    mode: int
    size_bytes: int
    sha256: bytes
    upload_id: str
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., options: _Optional[_Union[_common_pb2.MutationOptions, _Mapping]] = ..., mode: _Optional[int] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[bytes] = ..., upload_id: _Optional[str] = ...) -> None: ...

class UploadFileRequest(_message.Message):
    __slots__ = ("header", "chunk")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    header: UploadHeader
    chunk: _common_pb2.ContentChunk
    def __init__(self, header: _Optional[_Union[UploadHeader, _Mapping]] = ..., chunk: _Optional[_Union[_common_pb2.ContentChunk, _Mapping]] = ...) -> None: ...

class UploadFileResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.MutationResult
    def __init__(self, result: _Optional[_Union[_common_pb2.MutationResult, _Mapping]] = ...) -> None: ...

class AppendFileRequest(_message.Message):
    __slots__ = ("volume", "path", "options", "data", "mode", "sha256")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    options: _common_pb2.MutationOptions
    data: bytes
    mode: int
    sha256: bytes
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., options: _Optional[_Union[_common_pb2.MutationOptions, _Mapping]] = ..., data: _Optional[bytes] = ..., mode: _Optional[int] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class AppendFileResponse(_message.Message):
    __slots__ = ("result", "offset")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.MutationResult
    offset: int
    def __init__(self, result: _Optional[_Union[_common_pb2.MutationResult, _Mapping]] = ..., offset: _Optional[int] = ...) -> None: ...

class FileEdit(_message.Message):
    __slots__ = ("offset", "length", "data")
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    LENGTH_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    offset: int
    length: int
    data: bytes
    def __init__(self, offset: _Optional[int] = ..., length: _Optional[int] = ..., data: _Optional[bytes] = ...) -> None: ...

class PatchFileRequest(_message.Message):
    __slots__ = ("volume", "path", "options", "edits", "sha256")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    EDITS_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    options: _common_pb2.MutationOptions
    edits: _containers.RepeatedCompositeFieldContainer[FileEdit]
    sha256: bytes
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., options: _Optional[_Union[_common_pb2.MutationOptions, _Mapping]] = ..., edits: _Optional[_Iterable[_Union[FileEdit, _Mapping]]] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class PatchFileResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.MutationResult
    def __init__(self, result: _Optional[_Union[_common_pb2.MutationResult, _Mapping]] = ...) -> None: ...

class DeleteFileRequest(_message.Message):
    __slots__ = ("volume", "path", "options", "recursive")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    options: _common_pb2.MutationOptions
    recursive: bool
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., options: _Optional[_Union[_common_pb2.MutationOptions, _Mapping]] = ..., recursive: _Optional[bool] = ...) -> None: ...

class DeleteFileResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.MutationResult
    def __init__(self, result: _Optional[_Union[_common_pb2.MutationResult, _Mapping]] = ...) -> None: ...

class MoveFileRequest(_message.Message):
    __slots__ = ("volume", "path", "options", "target_path", "overwrite", "target_precondition")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    TARGET_PATH_FIELD_NUMBER: _ClassVar[int]
    OVERWRITE_FIELD_NUMBER: _ClassVar[int]
    TARGET_PRECONDITION_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    options: _common_pb2.MutationOptions
    target_path: str
    overwrite: bool
    target_precondition: _common_pb2.Precondition
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., options: _Optional[_Union[_common_pb2.MutationOptions, _Mapping]] = ..., target_path: _Optional[str] = ..., overwrite: _Optional[bool] = ..., target_precondition: _Optional[_Union[_common_pb2.Precondition, _Mapping]] = ...) -> None: ...

class MoveFileResponse(_message.Message):
    __slots__ = ("result", "source_revision")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    SOURCE_REVISION_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.MutationResult
    source_revision: _common_pb2.Revision
    def __init__(self, result: _Optional[_Union[_common_pb2.MutationResult, _Mapping]] = ..., source_revision: _Optional[_Union[_common_pb2.Revision, _Mapping]] = ...) -> None: ...

class CopyFileRequest(_message.Message):
    __slots__ = ("volume", "path", "options", "target_path", "overwrite", "target_precondition", "revision")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    TARGET_PATH_FIELD_NUMBER: _ClassVar[int]
    OVERWRITE_FIELD_NUMBER: _ClassVar[int]
    TARGET_PRECONDITION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    options: _common_pb2.MutationOptions
    target_path: str
    overwrite: bool
    target_precondition: _common_pb2.Precondition
    revision: int
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., options: _Optional[_Union[_common_pb2.MutationOptions, _Mapping]] = ..., target_path: _Optional[str] = ..., overwrite: _Optional[bool] = ..., target_precondition: _Optional[_Union[_common_pb2.Precondition, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class CopyFileResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.MutationResult
    def __init__(self, result: _Optional[_Union[_common_pb2.MutationResult, _Mapping]] = ...) -> None: ...

class MakeDirectoryRequest(_message.Message):
    __slots__ = ("volume", "path", "options", "mode", "allow_existing")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    ALLOW_EXISTING_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    options: _common_pb2.MutationOptions
    mode: int
    allow_existing: bool
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., options: _Optional[_Union[_common_pb2.MutationOptions, _Mapping]] = ..., mode: _Optional[int] = ..., allow_existing: _Optional[bool] = ...) -> None: ...

class MakeDirectoryResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.MutationResult
    def __init__(self, result: _Optional[_Union[_common_pb2.MutationResult, _Mapping]] = ...) -> None: ...

class SetAttributesRequest(_message.Message):
    __slots__ = ("volume", "path", "options", "mode", "update_time", "set_xattrs", "remove_xattrs")
    class SetXattrsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SET_XATTRS_FIELD_NUMBER: _ClassVar[int]
    REMOVE_XATTRS_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    options: _common_pb2.MutationOptions
    mode: int
    update_time: _timestamp_pb2.Timestamp
    set_xattrs: _containers.ScalarMap[str, bytes]
    remove_xattrs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., options: _Optional[_Union[_common_pb2.MutationOptions, _Mapping]] = ..., mode: _Optional[int] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., set_xattrs: _Optional[_Mapping[str, bytes]] = ..., remove_xattrs: _Optional[_Iterable[str]] = ...) -> None: ...

class SetAttributesResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.MutationResult
    def __init__(self, result: _Optional[_Union[_common_pb2.MutationResult, _Mapping]] = ...) -> None: ...

class TransactionWrite(_message.Message):
    __slots__ = ("data", "mode", "sha256")
    DATA_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    mode: int
    sha256: bytes
    def __init__(self, data: _Optional[bytes] = ..., mode: _Optional[int] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class TransactionAppend(_message.Message):
    __slots__ = ("data",)
    DATA_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    def __init__(self, data: _Optional[bytes] = ...) -> None: ...

class TransactionPatch(_message.Message):
    __slots__ = ("edits", "sha256")
    EDITS_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    edits: _containers.RepeatedCompositeFieldContainer[FileEdit]
    sha256: bytes
    def __init__(self, edits: _Optional[_Iterable[_Union[FileEdit, _Mapping]]] = ..., sha256: _Optional[bytes] = ...) -> None: ...

class TransactionDelete(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class TransactionMove(_message.Message):
    __slots__ = ("target_path", "overwrite", "target_precondition")
    TARGET_PATH_FIELD_NUMBER: _ClassVar[int]
    OVERWRITE_FIELD_NUMBER: _ClassVar[int]
    TARGET_PRECONDITION_FIELD_NUMBER: _ClassVar[int]
    target_path: str
    overwrite: bool
    target_precondition: _common_pb2.Precondition
    def __init__(self, target_path: _Optional[str] = ..., overwrite: _Optional[bool] = ..., target_precondition: _Optional[_Union[_common_pb2.Precondition, _Mapping]] = ...) -> None: ...

class TransactionCopy(_message.Message):
    __slots__ = ("target_path", "overwrite", "target_precondition", "revision")
    TARGET_PATH_FIELD_NUMBER: _ClassVar[int]
    OVERWRITE_FIELD_NUMBER: _ClassVar[int]
    TARGET_PRECONDITION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    target_path: str
    overwrite: bool
    target_precondition: _common_pb2.Precondition
    revision: int
    def __init__(self, target_path: _Optional[str] = ..., overwrite: _Optional[bool] = ..., target_precondition: _Optional[_Union[_common_pb2.Precondition, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class TransactionRollback(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: int
    def __init__(self, revision: _Optional[int] = ...) -> None: ...

class TransactionAttributes(_message.Message):
    __slots__ = ("mode", "update_time", "set_xattrs", "remove_xattrs")
    class SetXattrsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    MODE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SET_XATTRS_FIELD_NUMBER: _ClassVar[int]
    REMOVE_XATTRS_FIELD_NUMBER: _ClassVar[int]
    mode: int
    update_time: _timestamp_pb2.Timestamp
    set_xattrs: _containers.ScalarMap[str, bytes]
    remove_xattrs: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, mode: _Optional[int] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., set_xattrs: _Optional[_Mapping[str, bytes]] = ..., remove_xattrs: _Optional[_Iterable[str]] = ...) -> None: ...

class TransactionOperation(_message.Message):
    __slots__ = ("path", "precondition", "write", "append", "patch", "delete", "move", "copy", "rollback", "attributes")
    PATH_FIELD_NUMBER: _ClassVar[int]
    PRECONDITION_FIELD_NUMBER: _ClassVar[int]
    WRITE_FIELD_NUMBER: _ClassVar[int]
    APPEND_FIELD_NUMBER: _ClassVar[int]
    PATCH_FIELD_NUMBER: _ClassVar[int]
    DELETE_FIELD_NUMBER: _ClassVar[int]
    MOVE_FIELD_NUMBER: _ClassVar[int]
    COPY_FIELD_NUMBER: _ClassVar[int]
    ROLLBACK_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    path: str
    precondition: _common_pb2.Precondition
    write: TransactionWrite
    append: TransactionAppend
    patch: TransactionPatch
    delete: TransactionDelete
    move: TransactionMove
    copy: TransactionCopy
    rollback: TransactionRollback
    attributes: TransactionAttributes
    def __init__(self, path: _Optional[str] = ..., precondition: _Optional[_Union[_common_pb2.Precondition, _Mapping]] = ..., write: _Optional[_Union[TransactionWrite, _Mapping]] = ..., append: _Optional[_Union[TransactionAppend, _Mapping]] = ..., patch: _Optional[_Union[TransactionPatch, _Mapping]] = ..., delete: _Optional[_Union[TransactionDelete, _Mapping]] = ..., move: _Optional[_Union[TransactionMove, _Mapping]] = ..., copy: _Optional[_Union[TransactionCopy, _Mapping]] = ..., rollback: _Optional[_Union[TransactionRollback, _Mapping]] = ..., attributes: _Optional[_Union[TransactionAttributes, _Mapping]] = ...) -> None: ...

class ExecuteTransactionRequest(_message.Message):
    __slots__ = ("volume", "options", "operations")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    OPERATIONS_FIELD_NUMBER: _ClassVar[int]
    volume: str
    options: _common_pb2.MutationOptions
    operations: _containers.RepeatedCompositeFieldContainer[TransactionOperation]
    def __init__(self, volume: _Optional[str] = ..., options: _Optional[_Union[_common_pb2.MutationOptions, _Mapping]] = ..., operations: _Optional[_Iterable[_Union[TransactionOperation, _Mapping]]] = ...) -> None: ...

class TransactionItem(_message.Message):
    __slots__ = ("file", "revision", "backup_revision")
    FILE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    BACKUP_REVISION_FIELD_NUMBER: _ClassVar[int]
    file: _common_pb2.FileInfo
    revision: _common_pb2.Revision
    backup_revision: int
    def __init__(self, file: _Optional[_Union[_common_pb2.FileInfo, _Mapping]] = ..., revision: _Optional[_Union[_common_pb2.Revision, _Mapping]] = ..., backup_revision: _Optional[int] = ...) -> None: ...

class ExecuteTransactionResponse(_message.Message):
    __slots__ = ("result", "items")
    RESULT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.MutationResult
    items: _containers.RepeatedCompositeFieldContainer[TransactionItem]
    def __init__(self, result: _Optional[_Union[_common_pb2.MutationResult, _Mapping]] = ..., items: _Optional[_Iterable[_Union[TransactionItem, _Mapping]]] = ...) -> None: ...

class WatchFilesRequest(_message.Message):
    __slots__ = ("volume", "path", "recursive", "resume_token")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    RECURSIVE_FIELD_NUMBER: _ClassVar[int]
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    recursive: bool
    resume_token: str
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., recursive: _Optional[bool] = ..., resume_token: _Optional[str] = ...) -> None: ...

class FileChange(_message.Message):
    __slots__ = ("revision", "event_time")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    revision: _common_pb2.Revision
    event_time: _timestamp_pb2.Timestamp
    def __init__(self, revision: _Optional[_Union[_common_pb2.Revision, _Mapping]] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class WatchGap(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchHeartbeat(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class WatchFilesResponse(_message.Message):
    __slots__ = ("resume_token", "change", "gap", "heartbeat")
    RESUME_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHANGE_FIELD_NUMBER: _ClassVar[int]
    GAP_FIELD_NUMBER: _ClassVar[int]
    HEARTBEAT_FIELD_NUMBER: _ClassVar[int]
    resume_token: str
    change: FileChange
    gap: WatchGap
    heartbeat: WatchHeartbeat
    def __init__(self, resume_token: _Optional[str] = ..., change: _Optional[_Union[FileChange, _Mapping]] = ..., gap: _Optional[_Union[WatchGap, _Mapping]] = ..., heartbeat: _Optional[_Union[WatchHeartbeat, _Mapping]] = ...) -> None: ...
