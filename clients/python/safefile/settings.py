"""How a client connects, and what its calls do unless told otherwise."""

from __future__ import annotations

import dataclasses
import ipaddress
import socket
from collections.abc import Sequence

from safefile.retry import RetryPolicy

# A page of 1,000 long paths fits; anything larger is not ours.
_MESSAGE_BYTES_MAX = 16 * 1024 * 1024
# What the server may send of a stream before it is read.
_RECEIVE_BYTES = 4 * 1024 * 1024
# A dead connection is noticed after the two together, also by streams that are only listened to.
_KEEPALIVE_MS = 30_000
_KEEPALIVE_ANSWER_MS_MAX = 15_000

PAGE_SIZE = 1_000
# What `read` holds in memory unless it is told more.
WHOLE_BYTES_MAX = 64 * 1024 * 1024


@dataclasses.dataclass(frozen=True)
class Settings:
    """The defaults of a client's calls. Times in seconds."""

    volume: str = ""
    timeout: float = 30.0
    idle_timeout: float = 60.0
    retry: RetryPolicy = dataclasses.field(default_factory=RetryPolicy)


def target_of(address: str | Sequence[str]) -> str:
    """The name of one or several addresses for gRPC, which goes from one to the next.

    Of several, host names are looked up here and now: gRPC takes more than one address as numbers only.
    """
    addresses = [address] if isinstance(address, str) else list(address)
    if len(addresses) == 1:
        return addresses[0]
    if not addresses:
        raise ValueError("a client needs at least one address")
    found = [_look_up(each) for each in addresses]
    if all(ip.version == 4 for ip, _ in found):
        return "ipv4:" + ",".join(f"{ip}:{port}" for ip, port in found)
    return "ipv6:" + ",".join(f"[{'::ffff:' if ip.version == 4 else ''}{ip}]:{port}" for ip, port in found)


def channel_options(retry: RetryPolicy) -> list[tuple[str, int]]:
    """Of the gRPC library. A server that is back is found soon, and nothing is repeated below."""
    return [
        ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
        ("grpc.http2.lookahead_bytes", _RECEIVE_BYTES),
        # Windows that grow by themselves would hold more of a slowly read download than that.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_ANSWER_MS_MAX),
        # A watch sends nothing for hours.
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.initial_reconnect_backoff_ms", int(retry.backoff_min * 1000)),
        ("grpc.max_reconnect_backoff_ms", int(max(retry.backoff_min, retry.backoff_max) * 1000)),
        # Repeats are made above, where request ids and outcomes are known.
        ("grpc.enable_retries", 0),
        # The connection of this client, which closing it ends.
        ("grpc.use_local_subchannel_pool", 1),
    ]


def _look_up(address: str) -> tuple[ipaddress.IPv4Address | ipaddress.IPv6Address, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not port.isdigit():
        raise ValueError(f"an address has the form host:port, not {address!r}")
    host = host.removeprefix("[").removesuffix("]")
    try:
        return ipaddress.ip_address(host), int(port)
    except ValueError:
        number = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][4][0]
        return ipaddress.ip_address(number), int(port)
