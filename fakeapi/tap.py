"""The one seam at which requests are watched and disturbed: faults first, then the answer, then the log."""

from __future__ import annotations

import time
from collections.abc import Callable

from fakeapi.errors import ApiError
from fakeapi.faults import Faults, Serve, play
from fakeapi.request import Answer, Request
from fakeapi.requestlog import RequestLog

ADMIN_PREFIX = "/fakekube/"


class Tap:
    """What an ApiServer's `tap` is: called with every request after authentication and what would answer it."""

    def __init__(self, faults: Faults, requests: RequestLog, refuse: Callable[[ApiError, Request], Answer]) -> None:
        self.faults = faults
        self.requests = requests
        self._refuse = refuse

    async def __call__(self, request: Request, serve: Serve) -> Answer:
        """The answer, perhaps a disturbed one. Faults do not reach the admin endpoint, so that they can be lifted."""
        begun = time.perf_counter()
        met = [] if request.path.startswith(ADMIN_PREFIX) else self.faults.met(request)
        answer = await (play(request, met, serve, self._refuse) if met else serve(request))
        self.requests.add(request, answer, time.perf_counter() - begun, ",".join(f.effect for f in met))
        return answer

    def refused(self, request: Request, answer: Answer) -> None:
        """Record a request that nobody was found to have sent."""
        self.requests.add(request, answer, 0.0, "")
