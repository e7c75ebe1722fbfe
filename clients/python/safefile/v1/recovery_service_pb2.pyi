import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.rpc import status_pb2 as _status_pb2
from safefile.v1 import common_pb2 as _common_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OverwritePolicy(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OVERWRITE_POLICY_UNSPECIFIED: _ClassVar[OverwritePolicy]
    OVERWRITE_POLICY_ALWAYS: _ClassVar[OverwritePolicy]
    OVERWRITE_POLICY_NEVER: _ClassVar[OverwritePolicy]

class RestoreState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESTORE_STATE_UNSPECIFIED: _ClassVar[RestoreState]
    RESTORE_STATE_PENDING: _ClassVar[RestoreState]
    RESTORE_STATE_RUNNING: _ClassVar[RestoreState]
    RESTORE_STATE_SUCCEEDED: _ClassVar[RestoreState]
    RESTORE_STATE_PARTIALLY_FAILED: _ClassVar[RestoreState]
    RESTORE_STATE_FAILED: _ClassVar[RestoreState]
    RESTORE_STATE_CANCELLED: _ClassVar[RestoreState]

class RestoreAction(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESTORE_ACTION_UNSPECIFIED: _ClassVar[RestoreAction]
    RESTORE_ACTION_RESTORED: _ClassVar[RestoreAction]
    RESTORE_ACTION_UNCHANGED: _ClassVar[RestoreAction]
    RESTORE_ACTION_KEPT: _ClassVar[RestoreAction]
    RESTORE_ACTION_DELETED: _ClassVar[RestoreAction]
    RESTORE_ACTION_FAILED: _ClassVar[RestoreAction]

class VerifyProblem(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VERIFY_PROBLEM_UNSPECIFIED: _ClassVar[VerifyProblem]
    VERIFY_PROBLEM_CORRUPT: _ClassVar[VerifyProblem]
    VERIFY_PROBLEM_MISSING: _ClassVar[VerifyProblem]
    VERIFY_PROBLEM_LIVE_DIFFERS: _ClassVar[VerifyProblem]
OVERWRITE_POLICY_UNSPECIFIED: OverwritePolicy
OVERWRITE_POLICY_ALWAYS: OverwritePolicy
OVERWRITE_POLICY_NEVER: OverwritePolicy
RESTORE_STATE_UNSPECIFIED: RestoreState
RESTORE_STATE_PENDING: RestoreState
RESTORE_STATE_RUNNING: RestoreState
RESTORE_STATE_SUCCEEDED: RestoreState
RESTORE_STATE_PARTIALLY_FAILED: RestoreState
RESTORE_STATE_FAILED: RestoreState
RESTORE_STATE_CANCELLED: RestoreState
RESTORE_ACTION_UNSPECIFIED: RestoreAction
RESTORE_ACTION_RESTORED: RestoreAction
RESTORE_ACTION_UNCHANGED: RestoreAction
RESTORE_ACTION_KEPT: RestoreAction
RESTORE_ACTION_DELETED: RestoreAction
RESTORE_ACTION_FAILED: RestoreAction
VERIFY_PROBLEM_UNSPECIFIED: VerifyProblem
VERIFY_PROBLEM_CORRUPT: VerifyProblem
VERIFY_PROBLEM_MISSING: VerifyProblem
VERIFY_PROBLEM_LIVE_DIFFERS: VerifyProblem

class ListRevisionsRequest(_message.Message):
    __slots__ = ("volume", "path", "page_size", "page_token")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    page_size: int
    page_token: str
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRevisionsResponse(_message.Message):
    __slots__ = ("revisions", "next_page_token")
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    revisions: _containers.RepeatedCompositeFieldContainer[_common_pb2.Revision]
    next_page_token: str
    def __init__(self, revisions: _Optional[_Iterable[_Union[_common_pb2.Revision, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetRevisionRequest(_message.Message):
    __slots__ = ("volume", "path", "revision")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    revision: int
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., revision: _Optional[int] = ...) -> None: ...

class GetRevisionResponse(_message.Message):
    __slots__ = ("revision",)
    REVISION_FIELD_NUMBER: _ClassVar[int]
    revision: _common_pb2.Revision
    def __init__(self, revision: _Optional[_Union[_common_pb2.Revision, _Mapping]] = ...) -> None: ...

class ReadRevisionRequest(_message.Message):
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

class ReadRevisionResponse(_message.Message):
    __slots__ = ("header", "chunk", "trailer")
    HEADER_FIELD_NUMBER: _ClassVar[int]
    CHUNK_FIELD_NUMBER: _ClassVar[int]
    TRAILER_FIELD_NUMBER: _ClassVar[int]
    header: _common_pb2.ContentHeader
    chunk: _common_pb2.ContentChunk
    trailer: _common_pb2.ContentTrailer
    def __init__(self, header: _Optional[_Union[_common_pb2.ContentHeader, _Mapping]] = ..., chunk: _Optional[_Union[_common_pb2.ContentChunk, _Mapping]] = ..., trailer: _Optional[_Union[_common_pb2.ContentTrailer, _Mapping]] = ...) -> None: ...

class DiffRevisionsRequest(_message.Message):
    __slots__ = ("volume", "path", "base_revision", "target_revision", "context_lines")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    BASE_REVISION_FIELD_NUMBER: _ClassVar[int]
    TARGET_REVISION_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_LINES_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    base_revision: int
    target_revision: int
    context_lines: int
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., base_revision: _Optional[int] = ..., target_revision: _Optional[int] = ..., context_lines: _Optional[int] = ...) -> None: ...

class DiffRevisionsResponse(_message.Message):
    __slots__ = ("base", "target", "identical", "binary", "diff", "truncated")
    BASE_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    IDENTICAL_FIELD_NUMBER: _ClassVar[int]
    BINARY_FIELD_NUMBER: _ClassVar[int]
    DIFF_FIELD_NUMBER: _ClassVar[int]
    TRUNCATED_FIELD_NUMBER: _ClassVar[int]
    base: _common_pb2.Revision
    target: _common_pb2.Revision
    identical: bool
    binary: bool
    diff: str
    truncated: bool
    def __init__(self, base: _Optional[_Union[_common_pb2.Revision, _Mapping]] = ..., target: _Optional[_Union[_common_pb2.Revision, _Mapping]] = ..., identical: _Optional[bool] = ..., binary: _Optional[bool] = ..., diff: _Optional[str] = ..., truncated: _Optional[bool] = ...) -> None: ...

class RollbackFileRequest(_message.Message):
    __slots__ = ("volume", "path", "options", "revision")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    options: _common_pb2.MutationOptions
    revision: int
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., options: _Optional[_Union[_common_pb2.MutationOptions, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class RollbackFileResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.MutationResult
    def __init__(self, result: _Optional[_Union[_common_pb2.MutationResult, _Mapping]] = ...) -> None: ...

class UndeleteFileRequest(_message.Message):
    __slots__ = ("volume", "path", "options", "revision")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    options: _common_pb2.MutationOptions
    revision: int
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., options: _Optional[_Union[_common_pb2.MutationOptions, _Mapping]] = ..., revision: _Optional[int] = ...) -> None: ...

class UndeleteFileResponse(_message.Message):
    __slots__ = ("result",)
    RESULT_FIELD_NUMBER: _ClassVar[int]
    result: _common_pb2.MutationResult
    def __init__(self, result: _Optional[_Union[_common_pb2.MutationResult, _Mapping]] = ...) -> None: ...

class PinRevisionRequest(_message.Message):
    __slots__ = ("volume", "path", "options", "revision", "pinned")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    OPTIONS_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    PINNED_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    options: _common_pb2.MutationOptions
    revision: int
    pinned: bool
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., options: _Optional[_Union[_common_pb2.MutationOptions, _Mapping]] = ..., revision: _Optional[int] = ..., pinned: _Optional[bool] = ...) -> None: ...

class PinRevisionResponse(_message.Message):
    __slots__ = ("revision", "operation_id", "request_id", "trace_id")
    REVISION_FIELD_NUMBER: _ClassVar[int]
    OPERATION_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    revision: _common_pb2.Revision
    operation_id: str
    request_id: str
    trace_id: str
    def __init__(self, revision: _Optional[_Union[_common_pb2.Revision, _Mapping]] = ..., operation_id: _Optional[str] = ..., request_id: _Optional[str] = ..., trace_id: _Optional[str] = ...) -> None: ...

class StartRestoreRequest(_message.Message):
    __slots__ = ("volume", "path", "tree", "as_of_time", "as_of_operation", "overwrite_policy", "include", "exclude", "delete_extra", "target_path", "dry_run", "request_id", "priority", "labels")
    class LabelsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    TREE_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    AS_OF_OPERATION_FIELD_NUMBER: _ClassVar[int]
    OVERWRITE_POLICY_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_FIELD_NUMBER: _ClassVar[int]
    DELETE_EXTRA_FIELD_NUMBER: _ClassVar[int]
    TARGET_PATH_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    PRIORITY_FIELD_NUMBER: _ClassVar[int]
    LABELS_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    tree: bool
    as_of_time: _timestamp_pb2.Timestamp
    as_of_operation: str
    overwrite_policy: OverwritePolicy
    include: _containers.RepeatedScalarFieldContainer[str]
    exclude: _containers.RepeatedScalarFieldContainer[str]
    delete_extra: bool
    target_path: str
    dry_run: bool
    request_id: str
    priority: int
    labels: _containers.ScalarMap[str, str]
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., tree: _Optional[bool] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., as_of_operation: _Optional[str] = ..., overwrite_policy: _Optional[_Union[OverwritePolicy, str]] = ..., include: _Optional[_Iterable[str]] = ..., exclude: _Optional[_Iterable[str]] = ..., delete_extra: _Optional[bool] = ..., target_path: _Optional[str] = ..., dry_run: _Optional[bool] = ..., request_id: _Optional[str] = ..., priority: _Optional[int] = ..., labels: _Optional[_Mapping[str, str]] = ...) -> None: ...

class StartRestoreResponse(_message.Message):
    __slots__ = ("restore_id", "restore", "request_id", "trace_id")
    RESTORE_ID_FIELD_NUMBER: _ClassVar[int]
    RESTORE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    restore_id: str
    restore: Restore
    request_id: str
    trace_id: str
    def __init__(self, restore_id: _Optional[str] = ..., restore: _Optional[_Union[Restore, _Mapping]] = ..., request_id: _Optional[str] = ..., trace_id: _Optional[str] = ...) -> None: ...

class RestoreProgress(_message.Message):
    __slots__ = ("state", "files_total", "files_done", "files_restored", "files_skipped", "files_deleted", "files_failed", "bytes_total", "bytes_done", "current_path", "counting")
    STATE_FIELD_NUMBER: _ClassVar[int]
    FILES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    FILES_DONE_FIELD_NUMBER: _ClassVar[int]
    FILES_RESTORED_FIELD_NUMBER: _ClassVar[int]
    FILES_SKIPPED_FIELD_NUMBER: _ClassVar[int]
    FILES_DELETED_FIELD_NUMBER: _ClassVar[int]
    FILES_FAILED_FIELD_NUMBER: _ClassVar[int]
    BYTES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    BYTES_DONE_FIELD_NUMBER: _ClassVar[int]
    CURRENT_PATH_FIELD_NUMBER: _ClassVar[int]
    COUNTING_FIELD_NUMBER: _ClassVar[int]
    state: RestoreState
    files_total: int
    files_done: int
    files_restored: int
    files_skipped: int
    files_deleted: int
    files_failed: int
    bytes_total: int
    bytes_done: int
    current_path: str
    counting: bool
    def __init__(self, state: _Optional[_Union[RestoreState, str]] = ..., files_total: _Optional[int] = ..., files_done: _Optional[int] = ..., files_restored: _Optional[int] = ..., files_skipped: _Optional[int] = ..., files_deleted: _Optional[int] = ..., files_failed: _Optional[int] = ..., bytes_total: _Optional[int] = ..., bytes_done: _Optional[int] = ..., current_path: _Optional[str] = ..., counting: _Optional[bool] = ...) -> None: ...

class RestoreItem(_message.Message):
    __slots__ = ("path", "action", "revision", "source_revision", "size_bytes", "error")
    PATH_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    SOURCE_REVISION_FIELD_NUMBER: _ClassVar[int]
    SIZE_BYTES_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    path: str
    action: RestoreAction
    revision: int
    source_revision: int
    size_bytes: int
    error: _status_pb2.Status
    def __init__(self, path: _Optional[str] = ..., action: _Optional[_Union[RestoreAction, str]] = ..., revision: _Optional[int] = ..., source_revision: _Optional[int] = ..., size_bytes: _Optional[int] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ...) -> None: ...

class Restore(_message.Message):
    __slots__ = ("restore_id", "request", "progress", "failures", "error", "create_time", "end_time", "incarnation", "trace_id")
    RESTORE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    ERROR_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    END_TIME_FIELD_NUMBER: _ClassVar[int]
    INCARNATION_FIELD_NUMBER: _ClassVar[int]
    TRACE_ID_FIELD_NUMBER: _ClassVar[int]
    restore_id: str
    request: StartRestoreRequest
    progress: RestoreProgress
    failures: _containers.RepeatedCompositeFieldContainer[RestoreItem]
    error: _status_pb2.Status
    create_time: _timestamp_pb2.Timestamp
    end_time: _timestamp_pb2.Timestamp
    incarnation: str
    trace_id: str
    def __init__(self, restore_id: _Optional[str] = ..., request: _Optional[_Union[StartRestoreRequest, _Mapping]] = ..., progress: _Optional[_Union[RestoreProgress, _Mapping]] = ..., failures: _Optional[_Iterable[_Union[RestoreItem, _Mapping]]] = ..., error: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., incarnation: _Optional[str] = ..., trace_id: _Optional[str] = ...) -> None: ...

class GetRestoreRequest(_message.Message):
    __slots__ = ("restore_id",)
    RESTORE_ID_FIELD_NUMBER: _ClassVar[int]
    restore_id: str
    def __init__(self, restore_id: _Optional[str] = ...) -> None: ...

class GetRestoreResponse(_message.Message):
    __slots__ = ("restore",)
    RESTORE_FIELD_NUMBER: _ClassVar[int]
    restore: Restore
    def __init__(self, restore: _Optional[_Union[Restore, _Mapping]] = ...) -> None: ...

class ListRestoresRequest(_message.Message):
    __slots__ = ("volume", "active_only", "page_size", "page_token")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_ONLY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    volume: str
    active_only: bool
    page_size: int
    page_token: str
    def __init__(self, volume: _Optional[str] = ..., active_only: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListRestoresResponse(_message.Message):
    __slots__ = ("restores", "next_page_token")
    RESTORES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    restores: _containers.RepeatedCompositeFieldContainer[Restore]
    next_page_token: str
    def __init__(self, restores: _Optional[_Iterable[_Union[Restore, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class WatchRestoreRequest(_message.Message):
    __slots__ = ("restore_id", "cursor")
    RESTORE_ID_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    restore_id: str
    cursor: str
    def __init__(self, restore_id: _Optional[str] = ..., cursor: _Optional[str] = ...) -> None: ...

class WatchRestoreResponse(_message.Message):
    __slots__ = ("cursor", "progress", "item")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    ITEM_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    progress: RestoreProgress
    item: RestoreItem
    def __init__(self, cursor: _Optional[str] = ..., progress: _Optional[_Union[RestoreProgress, _Mapping]] = ..., item: _Optional[_Union[RestoreItem, _Mapping]] = ...) -> None: ...

class CancelRestoreRequest(_message.Message):
    __slots__ = ("restore_id",)
    RESTORE_ID_FIELD_NUMBER: _ClassVar[int]
    restore_id: str
    def __init__(self, restore_id: _Optional[str] = ...) -> None: ...

class CancelRestoreResponse(_message.Message):
    __slots__ = ("restore",)
    RESTORE_FIELD_NUMBER: _ClassVar[int]
    restore: Restore
    def __init__(self, restore: _Optional[_Union[Restore, _Mapping]] = ...) -> None: ...

class VerifyStoreRequest(_message.Message):
    __slots__ = ("volume", "path")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ...) -> None: ...

class VerifyProgress(_message.Message):
    __slots__ = ("bytes_done", "bytes_total", "revisions_done")
    BYTES_DONE_FIELD_NUMBER: _ClassVar[int]
    BYTES_TOTAL_FIELD_NUMBER: _ClassVar[int]
    REVISIONS_DONE_FIELD_NUMBER: _ClassVar[int]
    bytes_done: int
    bytes_total: int
    revisions_done: int
    def __init__(self, bytes_done: _Optional[int] = ..., bytes_total: _Optional[int] = ..., revisions_done: _Optional[int] = ...) -> None: ...

class VerifyFinding(_message.Message):
    __slots__ = ("problem", "path", "revision", "store_name", "offset", "message")
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    STORE_NAME_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    problem: VerifyProblem
    path: str
    revision: int
    store_name: str
    offset: int
    message: str
    def __init__(self, problem: _Optional[_Union[VerifyProblem, str]] = ..., path: _Optional[str] = ..., revision: _Optional[int] = ..., store_name: _Optional[str] = ..., offset: _Optional[int] = ..., message: _Optional[str] = ...) -> None: ...

class VerifySummary(_message.Message):
    __slots__ = ("bytes", "revisions", "findings", "duration")
    BYTES_FIELD_NUMBER: _ClassVar[int]
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    bytes: int
    revisions: int
    findings: int
    duration: _duration_pb2.Duration
    def __init__(self, bytes: _Optional[int] = ..., revisions: _Optional[int] = ..., findings: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class VerifyStoreResponse(_message.Message):
    __slots__ = ("progress", "finding", "summary")
    PROGRESS_FIELD_NUMBER: _ClassVar[int]
    FINDING_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_FIELD_NUMBER: _ClassVar[int]
    progress: VerifyProgress
    finding: VerifyFinding
    summary: VerifySummary
    def __init__(self, progress: _Optional[_Union[VerifyProgress, _Mapping]] = ..., finding: _Optional[_Union[VerifyFinding, _Mapping]] = ..., summary: _Optional[_Union[VerifySummary, _Mapping]] = ...) -> None: ...

class ApplyRetentionRequest(_message.Message):
    __slots__ = ("volume", "path", "dry_run", "request_id")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    PATH_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    volume: str
    path: str
    dry_run: bool
    request_id: str
    def __init__(self, volume: _Optional[str] = ..., path: _Optional[str] = ..., dry_run: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class ApplyRetentionResponse(_message.Message):
    __slots__ = ("revisions_seen", "revisions_removed", "bytes_freed", "duration", "request_id")
    REVISIONS_SEEN_FIELD_NUMBER: _ClassVar[int]
    REVISIONS_REMOVED_FIELD_NUMBER: _ClassVar[int]
    BYTES_FREED_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    revisions_seen: int
    revisions_removed: int
    bytes_freed: int
    duration: _duration_pb2.Duration
    request_id: str
    def __init__(self, revisions_seen: _Optional[int] = ..., revisions_removed: _Optional[int] = ..., bytes_freed: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class RebuildIndexRequest(_message.Message):
    __slots__ = ("volume",)
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    volume: str
    def __init__(self, volume: _Optional[str] = ...) -> None: ...

class RebuildIndexResponse(_message.Message):
    __slots__ = ("paths", "revisions", "journals", "records", "duration")
    PATHS_FIELD_NUMBER: _ClassVar[int]
    REVISIONS_FIELD_NUMBER: _ClassVar[int]
    JOURNALS_FIELD_NUMBER: _ClassVar[int]
    RECORDS_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    paths: int
    revisions: int
    journals: int
    records: int
    duration: _duration_pb2.Duration
    def __init__(self, paths: _Optional[int] = ..., revisions: _Optional[int] = ..., journals: _Optional[int] = ..., records: _Optional[int] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class ListIncidentsRequest(_message.Message):
    __slots__ = ("volume", "unresolved_only", "page_size", "page_token")
    VOLUME_FIELD_NUMBER: _ClassVar[int]
    UNRESOLVED_ONLY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    volume: str
    unresolved_only: bool
    page_size: int
    page_token: str
    def __init__(self, volume: _Optional[str] = ..., unresolved_only: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListIncidentsResponse(_message.Message):
    __slots__ = ("incidents", "next_page_token")
    INCIDENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    incidents: _containers.RepeatedCompositeFieldContainer[_common_pb2.Incident]
    next_page_token: str
    def __init__(self, incidents: _Optional[_Iterable[_Union[_common_pb2.Incident, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...
