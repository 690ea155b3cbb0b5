"""Addresses: one form for all the ways in which links write the address of a page.

The rules of RFC 3986, section 6, never change what an address means: case of scheme and host, the default port, `%7e`
for `~`, an empty path, `.` and `..`. The others are bets that nearly always win: that `http` and `https`, and a host
with and without `www.`, show the same page, that a slash at the end or the order of parameters makes no difference,
and that what follows `#` or comes from a newsletter's counter is not part of the page.
"""

from __future__ import annotations

import re
from string import ascii_letters, digits

from minigpt.data.cleaning.document import Document, Rejection
from minigpt.data.cleaning.hashing import text_hash

TRACKING = frozenset(
    ("fbclid", "gclid", "dclid", "msclkid", "mc_cid", "mc_eid", "igshid", "ref", "ref_src", "sessionid", "phpsessid")
)
"""Parameters that say where a reader came from, not what there is to read; so do all that begin with `utm_`."""
_UNRESERVED = frozenset(ascii_letters + digits + "-._~")
_ESCAPE = re.compile(r"%([0-9A-Fa-f]{2})")
_ADDRESS = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*):)?//([^/?#]*)([^?#]*)(?:\?([^#]*))?", re.DOTALL)
_PORTS = re.compile(r"\.*(?::(?:80|443)?)*\.*$")


def normalise_url(url: str) -> str:
    """The address in its one form, without scheme; what is no address with a host comes back as it is.

    The function is idempotent: what it returns, it leaves alone.
    """
    found = _ADDRESS.match(url.strip())
    if found is None or (found[1] or "http").lower() not in ("http", "https") or not found[2]:
        return url
    host = found[2].rpartition("@")[2].lower()
    host = _PORTS.sub("", host)
    while host.startswith("www.") and host.count(".") > 1:
        host = host[4:]
    if not host:
        return url
    path, query = found[3], found[4]
    if "%" in path:
        path = _ESCAPE.sub(_unescaped, path)
    if "/." in path or "//" in path:
        path = _without_dots(path)
    path = path.rstrip("/")
    if query:
        parameters = [_ESCAPE.sub(_unescaped, part) if "%" in part else part for part in query.split("&")]
        query = "&".join(sorted(part for part in parameters if part and not _is_tracking(part)))
    return f"//{host}{path}?{query}" if query else f"//{host}{path}"


class UniqueAddresses:
    """A stage that keeps the first of the documents whose addresses have the same form; it keeps 8 bytes of each."""

    def __init__(self) -> None:
        self._seen: set[int] = set()

    def __call__(self, document: Document) -> Document | Rejection:
        address = text_hash(normalise_url(document.url))
        if address in self._seen:
            return Rejection("address seen before", document.url)
        self._seen.add(address)
        return document


def _is_tracking(parameter: str) -> bool:
    name = parameter.partition("=")[0].lower()
    return name in TRACKING or name.startswith("utm_")


def _unescaped(escape: re.Match[str]) -> str:
    character = chr(int(escape[1], 16))
    return character if character in _UNRESERVED else escape[0].upper()


def _without_dots(path: str) -> str:
    found: list[str] = []
    for part in path.split("/"):
        if part == "..":
            if len(found) > 1:
                found.pop()
        elif part not in (".", "") or not found:
            found.append(part)
    return "/".join(found)
