from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChangeKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHANGE_KIND_UNSPECIFIED: _ClassVar[ChangeKind]
    CHANGE_KIND_WRITE: _ClassVar[ChangeKind]
    CHANGE_KIND_DELETE: _ClassVar[ChangeKind]
    CHANGE_KIND_ROLLBACK: _ClassVar[ChangeKind]
    CHANGE_KIND_RESTORE: _ClassVar[ChangeKind]
    CHANGE_KIND_MOVE: _ClassVar[ChangeKind]
    CHANGE_KIND_COPY: _ClassVar[ChangeKind]
    CHANGE_KIND_APPEND: _ClassVar[ChangeKind]
    CHANGE_KIND_PATCH: _ClassVar[ChangeKind]
    CHANGE_KIND_ATTRIBUTES: _ClassVar[ChangeKind]
    CHANGE_KIND_MAKE_DIRECTORY: _ClassVar[ChangeKind]
    CHANGE_KIND_REMOVE_DIRECTORY: _ClassVar[ChangeKind]
CHANGE_KIND_UNSPECIFIED: ChangeKind
CHANGE_KIND_WRITE: ChangeKind
CHANGE_KIND_DELETE: ChangeKind
CHANGE_KIND_ROLLBACK: ChangeKind
CHANGE_KIND_RESTORE: ChangeKind
CHANGE_KIND_MOVE: ChangeKind
CHANGE_KIND_COPY: ChangeKind
CHANGE_KIND_APPEND: ChangeKind
CHANGE_KIND_PATCH: ChangeKind
CHANGE_KIND_ATTRIBUTES: ChangeKind
CHANGE_KIND_MAKE_DIRECTORY: ChangeKind
CHANGE_KIND_REMOVE_DIRECTORY: ChangeKind

class OperationRecord(_message.Message):
    __slots__ = ("operation_id", "request_id", "request_sha256", "time_ms", "changes", "labels", "trace_id")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_SHA256_FIELD_NUMBER: _ClassVar[int]
    TIME_MS_FIELD_NUMBER: _ClassVar[int]
    CHANGES_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    request_id: str
    request_sha256: bytes
    time_ms: int
    changes: _containers.RepeatedCompositeFieldContainer[PathChange]
    labels: _containers.ScalarMap[str, str]
    trace_id: bytes
    def __init__(self, operation_id: _Optional[str] = ..., request_id: _Optional[str] = ..., request_sha256: _Optional[bytes] = ..., time_ms: _Optional[int] = ..., changes: _Optional[_Iterable[_Union[PathChange, _Mapping]]] = ..., labels: _Optional[_Mapping[str, str]] = ..., trace_id: _Optional[bytes] = ...) -> None: ...

class PathChange(_message.Message):
    __slots__ = ("path", "kind", "epoch", "base_operation_id", "base_revision", "revision", "content", "external", "create_only", "inode", "mtime_ns", "source_revision", "backup_revision", "directory_mode")
    PATH_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    EPOCH_FIELD_NUMBER: _ClassVar[int]
    BASE_OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    BASE_REVISION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_FIELD_NUMBER: _ClassVar[int]
    CREATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    INODE_FIELD_NUMBER: _ClassVar[int]
    MTIME_NS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_REVISION_FIELD_NUMBER: _ClassVar[int]
    BACKUP_REVISION_FIELD_NUMBER: _ClassVar[int]
    DIRECTORY_MODE_FIELD_NUMBER: _ClassVar[int]
    path: str
    kind: ChangeKind
    epoch: int
    base_operation_id: str
    base_revision: int
    revision: int
    content: Content
    external: ExternalChange
    create_only: bool
    inode: int
    mtime_ns: int
    source_revision: int
    backup_revision: int
    directory_mode: int
    def __init__(self, path: _Optional[str] = ..., kind: _Optional[_Union[ChangeKind, str]] = ..., epoch: _Optional[int] = ..., base_operation_id: _Optional[str] = ..., base_revision: _Optional[int] = ..., revision: _Optional[int] = ..., content: _Optional[_Union[Content, _Mapping]] = ..., external: _Optional[_Union[ExternalChange, _Mapping]] = ..., create_only: _Optional[bool] = ..., inode: _Optional[int] = ..., mtime_ns: _Optional[int] = ..., source_revision: _Optional[int] = ..., backup_revision: _Optional[int] = ..., directory_mode: _Optional[int] = ...) -> None: ...

class Content(_message.Message):
    __slots__ = ("sha256", "size_bytes", "mode", "inline", "object", "xattrs", "uid", "gid")
    class XattrsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    INLINE_FIELD_NUMBER: _ClassVar[int]
    OBJECT_FIELD_NUMBER: _ClassVar[int]
    XATTRS_FIELD_NUMBER: _ClassVar[int]
    UID_FIELD_NUMBER: _ClassVar[int]
    GID_FIELD_NUMBER: _ClassVar[int]
    sha256: bytes
    size_bytes: int
    mode: int
    inline: bytes
    object: str
    xattrs: _containers.ScalarMap[str, bytes]
    uid: int
    gid: int
    def __init__(self, sha256: _Optional[bytes] = ..., size_bytes: _Optional[int] = ..., mode: _Optional[int] = ..., inline: _Optional[bytes] = ..., object: _Optional[str] = ..., xattrs: _Optional[_Mapping[str, bytes]] = ..., uid: _Optional[int] = ..., gid: _Optional[int] = ...) -> None: ...

class ExternalChange(_message.Message):
    __slots__ = ("deleted", "content")
    DELETED_FIELD_NUMBER: _ClassVar[int]
    CONTENT_FIELD_NUMBER: _ClassVar[int]
    deleted: bool
    content: Content
    def __init__(self, deleted: _Optional[bool] = ..., content: _Optional[_Union[Content, _Mapping]] = ...) -> None: ...

class AbortRecord(_message.Message):
    __slots__ = ("operation_id", "reason")
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    operation_id: str
    reason: str
    def __init__(self, operation_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class Checkpoint(_message.Message):
    __slots__ = ("segment", "offset", "is_final", "foreign_aborts")
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    IS_FINAL_FIELD_NUMBER: _ClassVar[int]
    FOREIGN_ABORTS_FIELD_NUMBER: _ClassVar[int]
    segment: int
    offset: int
    is_final: bool
    foreign_aborts: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, segment: _Optional[int] = ..., offset: _Optional[int] = ..., is_final: _Optional[bool] = ..., foreign_aborts: _Optional[_Iterable[str]] = ...) -> None: ...
