"""The `timeout` that a request may name for itself.

Stands for apiserver's endpoints/filters/request_deadline.go, which looks at it before it asks who asks. That a request
would be given up then is left out: answers come at once.
"""

from __future__ import annotations

from fakeapi import errors, goduration
from fakeapi.request import Request

_LONG_VERBS = ("watch", "proxy")
_LONG_SUBRESOURCES = ("attach", "exec", "proxy", "log", "portforward")


def check(request: Request) -> None:
    """ApiError 400: a request that is to end soon names a time that is no duration."""
    text = request.option("timeout")
    if not text or _is_long(request):
        return
    wrong = goduration.problem(text)
    if wrong:
        raise errors.bad_request(f"invalid timeout specified in the request URL - {wrong}")


def _is_long(request: Request) -> bool:
    info = request.info
    if info.verb in _LONG_VERBS:
        return True
    return info.subresource in _LONG_SUBRESOURCES if info.is_resource else info.path.startswith("/debug/pprof/")
