"""What Go's net/url says of a text that is no URL.

Stands for url.Parse and url.ParseRequestURI: clients see their words wherever upstream hands a URL of theirs to them.
Which parts a good URL has is urllib's to say.
"""

from __future__ import annotations

import re

from fakeapi.gofmt import go_quote

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.\-]*):")
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2}).{0,2}", re.DOTALL)
_HOST = re.compile(r"""[^A-Za-z0-9\-._~!$&'()*+,;=:\[\]<>"%\x80-\U0010ffff]""")
_USER = re.compile(r"[^A-Za-z0-9\-._:~!$&'()*+,;=%@]")
_PORT = re.compile(r"(:[0-9]*)?")


def problem(text: str) -> str:
    """`parse "http://[::1": missing ']' in host`; "" for a URL."""
    before, _, fragment = text.partition("#")
    wrong = _problem(before)
    if wrong:
        return f"parse {go_quote(before)}: {wrong}"
    wrong = _escapes(fragment)
    return f"parse {go_quote(text)}: {wrong}" if wrong else ""


def request_problem(text: str) -> str:
    """The same of url.ParseRequestURI, to which only an absolute URI or an absolute path is good."""
    wrong = _problem(text, in_request=True)
    return f"parse {go_quote(text)}: {wrong}" if wrong else ""


def _problem(text: str, *, in_request: bool = False) -> str:
    if _CONTROL.search(text):
        return "net/url: invalid control character in URL"
    if not text and in_request:
        return "empty url"
    if text.startswith(":"):
        return "missing protocol scheme"
    scheme = _SCHEME.match(text)
    rest = (text[scheme.end() :] if scheme else text).partition("?")[0]
    if not rest.startswith("/"):
        if in_request and text != "*" and not scheme:
            return "invalid URI for request"
        if not scheme and ":" in rest.partition("/")[0]:
            return "first path segment in URL cannot contain colon"
        return "" if scheme else _escapes(rest)
    if rest.startswith("//") and (scheme or not (in_request or rest.startswith("///"))):
        authority, slash, path = rest[2:].partition("/")
        return _authority(authority) or _escapes(slash + path)
    return _escapes(rest)


def _escapes(text: str) -> str:
    found = _ESCAPE.search(text)
    return f"invalid URL escape {go_quote(found.group())}" if found else ""


def _authority(text: str) -> str:
    user, at, host = text.rpartition("@")
    wrong = _host(host)
    if wrong or not at:
        return wrong
    return "net/url: invalid userinfo" if _USER.search(user) else _escapes(user)


def _host(host: str) -> str:
    if host.startswith("["):
        inside, bracket, port = host.rpartition("]")
        if not bracket:
            return "missing ']' in host"
        host = inside + bracket
    else:
        host, colon, port = host.rpartition(":") if ":" in host else (host, "", "")
        port = colon + port
    if not _PORT.fullmatch(port):
        return f"invalid port {go_quote(port)} after host"
    wrong = _HOST.search(host)
    return f"invalid character {go_quote(wrong.group())} in host name" if wrong else _escapes(host)
