"""How patient the two libraries of forges are, which both ask by `requests`: no longer than a run can wait."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import requests
from urllib3 import BaseHTTPResponse, Retry
from urllib3 import exceptions as urllib3_errors
from urllib3.connectionpool import ConnectionPool

from forges.access import SECONDS, Access
from forges.forge import ForgeError

REDIRECTS = frozenset({301, 302, 303, 307, 308})

_AWAY = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


class Moved(Exception):
    """The forge redirected; the message is where to. Nothing was sent there."""


class Sparing(Retry):
    """One more try where a read got no answer, at once; never after a timeout, and no redirects.

    Redirects are refused here, because `requests` would follow them with GitLab's header of the token, and PyGithub
    without the query.
    """

    @classmethod
    def once(cls) -> Self:
        """What each library is given."""
        return cls(
            total=1,
            connect=0,
            read=1,
            status=1,
            other=0,
            status_forcelist=[502, 503, 504],
            allowed_methods=["GET"],
            respect_retry_after_header=False,
            raise_on_status=False,
        )

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Whether `increment` is asked about this answer."""
        return status_code in REDIRECTS or super().is_retry(method, status_code, has_retry_after)

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: ConnectionPool | None = None,
        _stacktrace: TracebackType | None = None,
    ) -> Self:
        """Raises Moved for a redirect, what urllib3 raises where it isn't tried again."""
        if response is not None and response.status in REDIRECTS:
            location = response.headers.get("Location", "nowhere")
            response.close()
            raise Moved(location)
        if isinstance(error, urllib3_errors.TimeoutError) and _pool is not None:
            raise urllib3_errors.MaxRetryError(_pool, url or "", error)
        return super().increment(method, url, response, error, _pool, _stacktrace)


def told(access: Access, asked: str, error: requests.RequestException) -> ForgeError:
    """What a request that got no answer is told as."""
    if isinstance(error, requests.exceptions.SSLError):
        return access.odd(asked, f"its certificate isn't accepted ({_innermost(error)})")
    if isinstance(error, _AWAY):
        return access.away(asked, _innermost(error))
    # By its kind: the messages of the others may hold a header, and the header the token.
    return access.odd(asked, f"it can't be asked ({type(error).__name__})")


def _innermost(error: BaseException) -> str:
    """The cause, in a person's words: urllib3's own messages nest object addresses."""
    while (inner := _inner(error)) is not None:
        error = inner
    # First, as urllib3 counts a refused connection among the timeouts.
    if isinstance(error, urllib3_errors.NameResolutionError):
        return "its host name does not resolve"
    if isinstance(error, urllib3_errors.NewConnectionError):
        return str(getattr(error.__cause__, "strerror", None) or "connection refused").lower()
    if isinstance(error, TimeoutError | urllib3_errors.TimeoutError | requests.Timeout):
        return f"no answer within {SECONDS} s"
    return str(error)


def _inner(error: BaseException) -> BaseException | None:
    inside = (getattr(error, "reason", None), *error.args)
    return next((one for one in inside if isinstance(one, BaseException)), None)
