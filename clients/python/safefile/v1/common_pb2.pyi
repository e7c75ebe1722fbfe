import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_COMMITTED: _ClassVar[Outcome]
    OUTCOME_NOT_COMMITTED: _ClassVar[Outcome]
    OUTCOME_UNKNOWN: _ClassVar[Outcome]

class Stage(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    STAGE_UNSPECIFIED: _ClassVar[Stage]
    STAGE_VALIDATE: _ClassVar[Stage]
    STAGE_LOCK: _ClassVar[Stage]
    STAGE_BACKUP: _ClassVar[Stage]
    STAGE_EXECUTE: _ClassVar[Stage]
    STAGE_VERIFY: _ClassVar[Stage]
    STAGE_COMMIT: _ClassVar[Stage]
    STAGE_RECOVER: _ClassVar[Stage]

class FileType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FILE_TYPE_UNSPECIFIED: _ClassVar[FileType]
    FILE_TYPE_FILE: _ClassVar[FileType]
    FILE_TYPE_DIRECTORY: _ClassVar[FileType]
    FILE_TYPE_SYMLINK: _ClassVar[FileType]
    FILE_TYPE_OTHER: _ClassVar[FileType]

class RevisionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REVISION_KIND_UNSPECIFIED: _ClassVar[RevisionKind]
    REVISION_KIND_WRITE: _ClassVar[RevisionKind]
    REVISION_KIND_DELETE: _ClassVar[RevisionKind]
    REVISION_KIND_ROLLBACK: _ClassVar[RevisionKind]
    REVISION_KIND_RESTORE: _ClassVar[RevisionKind]
    REVISION_KIND_EXTERNAL: _ClassVar[RevisionKind]
    REVISION_KIND_EXTERNAL_DELETE: _ClassVar[RevisionKind]
    REVISION_KIND_MOVE: _ClassVar[RevisionKind]
    REVISION_KIND_COPY: _ClassVar[RevisionKind]
    REVISION_KIND_APPEND: _ClassVar[RevisionKind]
    REVISION_KIND_PATCH: _ClassVar[RevisionKind]
    REVISION_KIND_ATTRIBUTES: _ClassVar[RevisionKind]
    REVISION_KIND_MAKE_DIRECTORY: _ClassVar[RevisionKind]
    REVISION_KIND_REMOVE_DIRECTORY: _ClassVar[RevisionKind]

class IncidentKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INCIDENT_KIND_UNSPECIFIED: _ClassVar[IncidentKind]
    INCIDENT_KIND_REPLICA_DEAD: _ClassVar[IncidentKind]
    INCIDENT_KIND_OPERATION_FENCED: _ClassVar[IncidentKind]
    INCIDENT_KIND_EXTERNAL_CHANGE: _ClassVar[IncidentKind]
    INCIDENT_KIND_CORRUPTION: _ClassVar[IncidentKind]
    INCIDENT_KIND_DURABILITY: _ClassVar[IncidentKind]
    INCIDENT_KIND_REPLAY: _ClassVar[IncidentKind]
    INCIDENT_KIND_VOLUME: _ClassVar[IncidentKind]
    INCIDENT_KIND_INDEX: _ClassVar[IncidentKind]
    INCIDENT_KIND_LOCK_BROKEN: _ClassVar[IncidentKind]
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_COMMITTED: Outcome
OUTCOME_NOT_COMMITTED: Outcome
OUTCOME_UNKNOWN: Outcome
STAGE_UNSPECIFIED: Stage
STAGE_VALIDATE: Stage
STAGE_LOCK: Stage
STAGE_BACKUP: Stage
STAGE_EXECUTE: Stage
STAGE_VERIFY: Stage
STAGE_COMMIT: Stage
STAGE_RECOVER: Stage
FILE_TYPE_UNSPECIFIED: FileType
FILE_TYPE_FILE: FileType
FILE_TYPE_DIRECTORY: FileType
FILE_TYPE_SYMLINK: FileType
FILE_TYPE_OTHER: FileType
REVISION_KIND_UNSPECIFIED: RevisionKind
REVISION_KIND_WRITE: RevisionKind
REVISION_KIND_DELETE: RevisionKind
REVISION_KIND_ROLLBACK: RevisionKind
REVISION_KIND_RESTORE: RevisionKind
REVISION_KIND_EXTERNAL: RevisionKind
REVISION_KIND_EXTERNAL_DELETE: RevisionKind
REVISION_KIND_MOVE: RevisionKind
REVISION_KIND_COPY: RevisionKind
REVISION_KIND_APPEND: RevisionKind
REVISION_KIND_PATCH: RevisionKind
REVISION_KIND_ATTRIBUTES: RevisionKind
REVISION_KIND_MAKE_DIRECTORY: RevisionKind
REVISION_KIND_REMOVE_DIRECTORY: RevisionKind
INCIDENT_KIND_UNSPECIFIED: IncidentKind
INCIDENT_KIND_REPLICA_DEAD: IncidentKind
INCIDENT_KIND_OPERATION_FENCED: IncidentKind
INCIDENT_KIND_EXTERNAL_CHANGE: IncidentKind
INCIDENT_KIND_CORRUPTION: IncidentKind
INCIDENT_KIND_DURABILITY: IncidentKind
INCIDENT_KIND_REPLAY: IncidentKind
INCIDENT_KIND_VOLUME: IncidentKind
INCIDENT_KIND_INDEX: IncidentKind
INCIDENT_KIND_LOCK_BROKEN: IncidentKind

class FileInfo(_message.Message):
    __slots__ = ("volume", "path", "type", "size_bytes", "mode", "update_time", "etag", "revision", "operation_id", "sha256", "externally_changed", "xattrs")
    class XattrsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: bytes
        def __init__(self, key: _Optional[str] = ..., value: _Optional[bytes] = ...) -> None: ...
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    EXTERNALLY_CHANGED_FIELD_NUMBER: _ClassVar[int]
    XATTRS_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    type: FileType
    size_bytes: int
    mode: int
    update_time: _timestamp_pb2.Timestamp
    etag: str
    revision: int
    operation_id: str
    sha256: bytes
    externally_changed: bool
    xattrs: _containers.ScalarMap[str, bytes]
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., type: _Optional[_Union[FileType, str]] = ..., size_bytes: _Optional[int] = ..., mode: _Optional[int] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ..., revision: _Optional[int] = ..., operation_id: _Optional[str] = ..., sha256: _Optional[bytes] = ..., externally_changed: _Optional[bool] = ..., xattrs: _Optional[_Mapping[str, bytes]] = ...) -> None: ...

class Revision(_message.Message):
    __slots__ = ("volume", "path", "revision", "operation_id", "kind", "base_revision", "size_bytes", "sha256", "mode", "create_time", "etag", "labels", "pinned", "source_revision")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    BASE_REVISION_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    SHA256_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    SOURCE_REVISION_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    revision: int
    operation_id: str
    kind: RevisionKind
    base_revision: int
    size_bytes: int
    sha256: bytes
    mode: int
    create_time: _timestamp_pb2.Timestamp
    etag: str
    labels: _containers.ScalarMap[str, str]
    pinned: bool
    source_revision: int
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., revision: _Optional[int] = ..., operation_id: _Optional[str] = ..., kind: _Optional[_Union[RevisionKind, str]] = ..., base_revision: _Optional[int] = ..., size_bytes: _Optional[int] = ..., sha256: _Optional[bytes] = ..., mode: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ..., labels: _Optional[_Mapping[str, str]] = ..., pinned: _Optional[bool] = ..., source_revision: _Optional[int] = ...) -> None: ...

class Precondition(_message.Message):
    __slots__ = ("etag", "if_revision")
    ETAG_FIELD_NUMBER: _ClassVar[int]
    IF_REVISION_FIELD_NUMBER: _ClassVar[int]
    etag: str
    if_revision: int
    def __init__(self, etag: _Optional[str] = ..., if_revision: _Optional[int] = ...) -> None: ...

class MutationOptions(_message.Message):
    __slots__ = ("request_id", "validate_only", "precondition", "lock_wait", "priority", "labels", "lock_id")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    PRECONDITION_FIELD_NUMBER: _ClassVar[int]
    LOCK_WAIT_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    LOCK_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    validate_only: bool
    precondition: Precondition
    lock_wait: _duration_pb2.Duration
    priority: int
    labels: _containers.ScalarMap[str, str]
    lock_id: str
    def __init__(self, request_id: _Optional[str] = ..., validate_only: _Optional[bool] = ..., precondition: _Optional[_Union[Precondition, _Mapping]] = ..., lock_wait: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., priority: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ..., lock_id: _Optional[str] = ...) -> None: ...

class StageTiming(_message.Message):
    __slots__ = ("stage", "duration")
    STAGE_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    stage: Stage
    duration: _duration_pb2.Duration
    def __init__(self, stage: _Optional[_Union[Stage, str]] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class MutationResult(_message.Message):
    __slots__ = ("file", "revision", "backup_revision", "operation_id", "request_id", "trace_id", "stages", "replayed", "validated_only")
    FILE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    BACKUP_REVISION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    STAGES_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    VALIDATED_ONLY_FIELD_NUMBER: _ClassVar[int]
    file: FileInfo
    revision: Revision
    backup_revision: int
    operation_id: str
    request_id: str
    trace_id: str
    stages: _containers.RepeatedCompositeFieldContainer[StageTiming]
    replayed: bool
    validated_only: bool
    def __init__(self, file: _Optional[_Union[FileInfo, _Mapping]] = ..., revision: _Optional[_Union[Revision, _Mapping]] = ..., backup_revision: _Optional[int] = ..., operation_id: _Optional[str] = ..., request_id: _Optional[str] = ..., trace_id: _Optional[str] = ..., stages: _Optional[_Iterable[_Union[StageTiming, _Mapping]]] = ..., replayed: _Optional[bool] = ..., validated_only: _Optional[bool] = ...) -> None: ...

class ContentHeader(_message.Message):
    __slots__ = ("file", "revision", "offset", "size_bytes")
    FILE_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    file: FileInfo
    revision: Revision
    offset: int
    size_bytes: int
    def __init__(self, file: _Optional[_Union[FileInfo, _Mapping]] = ..., revision: _Optional[_Union[Revision, _Mapping]] = ..., offset: _Optional[int] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class ContentChunk(_message.Message):
    __slots__ = ("data", "offset", "crc32c")
    DATA_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    CRC32C_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    offset: int
    crc32c: int
    def __init__(self, data: _Optional[bytes] = ..., offset: _Optional[int] = ..., crc32c: _Optional[int] = ...) -> None: ...

class ContentTrailer(_message.Message):
    __slots__ = ("sha256", "size_bytes")
    SHA256_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    sha256: bytes
    size_bytes: int
    def __init__(self, sha256: _Optional[bytes] = ..., size_bytes: _Optional[int] = ...) -> None: ...

class Incident(_message.Message):
    __slots__ = ("incident_id", "volume", "kind", "create_time", "resolve_time", "incarnation", "subject_incarnation", "operation_id", "outcome", "path", "revision", "message", "trace_id")
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_TIME_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    SUBJECT_INCARNATION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    incident_id: str
    volume: str
    kind: IncidentKind
    create_time: _timestamp_pb2.Timestamp
    resolve_time: _timestamp_pb2.Timestamp
    incarnation: str
    subject_incarnation: str
    operation_id: str
    outcome: Outcome
    path: str
    revision: int
    message: str
    trace_id: str
    def __init__(self, incident_id: _Optional[str] = ..., volume: _Optional[str] = ..., kind: _Optional[_Union[IncidentKind, str]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resolve_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., incarnation: _Optional[str] = ..., subject_incarnation: _Optional[str] = ..., operation_id: _Optional[str] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., path: _Optional[str] = ..., revision: _Optional[int] = ..., message: _Optional[str] = ..., trace_id: _Optional[str] = ...) -> None: ...
