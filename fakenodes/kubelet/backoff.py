"""How long a container that fails is left alone, and how durations are written.

Stands for client-go's flowcontrol.Backoff as the kubelet uses it for CrashLoopBackOff and ImagePullBackOff.
"""

from __future__ import annotations

BASE, MAX = 10.0, 300.0
RESET_SECONDS = 600.0  # a run this long is forgiven what came before it


def backoff(failures: int) -> float:
    """10, 20, 40, ... 300 seconds."""
    return float(min(BASE * 2.0 ** min(failures - 1, 10), MAX))


def go_duration(seconds: float) -> str:
    """As Go prints a Duration cut to milliseconds: `0s`, `250ms`, `1.5s`, `1m20s`."""
    total = int(seconds * 1000 + 1e-6)
    if total < 1000:
        return f"{total}ms" if total else "0s"
    hours, rest = divmod(total, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    text = f"{rest / 1000:.3f}".rstrip("0").rstrip(".") + "s"
    return f"{hours}h{minutes}m{text}" if hours else f"{minutes}m{text}" if minutes else text
