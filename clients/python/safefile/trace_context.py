"""The active OpenTelemetry context as metadata of a call."""

from opentelemetry import propagate

Metadata = tuple[tuple[str, str], ...]


def trace_metadata() -> Metadata:
    """W3C `traceparent` of the active span. Empty in a program without one."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return tuple(carrier.items())
