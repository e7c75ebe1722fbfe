"""The settings of a client that the suite opens."""

from __future__ import annotations

from typing import Any

from driver.arguments import Arguments
from safefile import RetryPolicy


def client_arguments(args: Arguments) -> tuple[list[str], dict[str, Any]]:
    """Addresses and keywords for either client."""
    addresses = args.needed("addresses")
    keywords: dict[str, Any] = {}
    given = args.take("retry")
    if given is not None:
        keywords["retry"] = _policy(Arguments(given))
    for keyword, name in (("timeout", "deadlineMs"), ("idle_timeout", "idleMs")):
        seconds = args.seconds(name)
        if seconds is not None:
            keywords[keyword] = seconds
    return addresses, keywords


def _policy(args: Arguments) -> RetryPolicy:
    default = RetryPolicy()
    attempts_max = args.take("attemptsMax", default.attempts_max)
    time_max, shortest, longest = (args.seconds(name) for name in ("timeMsMax", "backoffMsMin", "backoffMsMax"))
    args.finish()
    return RetryPolicy(
        attempts_max,
        default.time_max if time_max is None else time_max,
        default.backoff_min if shortest is None else shortest,
        default.backoff_max if longest is None else longest,
    )
