"""Addresses of pages, and the other ways in which links write them."""

from __future__ import annotations

from random import Random

from minigpt.village.crawl.stock import pick, shuffled

SITES = (
    "meadow-post.example", "harbour-news.example", "old-mill.example", "hill-and-dale.example",
    "bridge-gazette.example", "wood-letters.example",
)  # fmt: skip
_TRACKING = ("utm_source=letter", "utm_medium=mail", "utm_campaign=spring", "fbclid=k3J9xQ", "gclid=Zq81", "ref=front")
_SLUGS = ("story", "read", "today", "neighbours", "a-walk", "found-again", "weather", "the-fair")


def site(draw: Random) -> str:
    """The host of a page."""
    return pick(draw, SITES)


def address(draw: Random, host: str, number: int) -> str:
    """The address of a page, which has its number in it: no two pages of a crawl share one.

    In a third of them the number is a parameter; to leave out all parameters would throw such pages away.
    """
    scheme = pick(draw, ("http", "https"))
    www = pick(draw, ("", "www."))
    slug = pick(draw, _SLUGS)
    if draw.random() < 1 / 3:
        return f"{scheme}://{www}{host}/{slug}?id={number}&view={pick(draw, ('full', 'plain'))}"
    return f"{scheme}://{www}{host}/{slug}/{number}{pick(draw, ('', '/', '.html'))}"


def variant(draw: Random, url: str) -> str:
    """Another way to write an address: the same page, a different string."""
    while (other := _rewritten(draw, url)) == url:
        pass
    return other


def _rewritten(draw: Random, url: str) -> str:
    scheme, _, rest = url.partition("://")
    where, _, query = rest.partition("?")
    host, slash, path = where.partition("/")
    parameters = [part for part in query.split("&") if part]
    if draw.random() < 0.3:
        scheme = "https" if scheme == "http" else "http"
    if draw.random() < 0.3:
        host = host.removeprefix("www.") if host.startswith("www.") else f"www.{host}"
    if draw.random() < 0.2:
        host = host.upper()
    if draw.random() < 0.1:
        host += ":443" if scheme == "https" else ":80"
    if draw.random() < 0.3 and not parameters and not path.endswith(".html"):
        path = path.removesuffix("/") if path.endswith("/") else f"{path}/"
    if draw.random() < 0.5:
        parameters = shuffled(draw, [*parameters, *{pick(draw, _TRACKING): None, pick(draw, _TRACKING): None}])
    fragment = pick(draw, ("#comments", "#top", "#page-2")) if draw.random() < 0.2 else ""
    return f"{scheme}://{host}{slash}{path}{'?' if parameters else ''}{'&'.join(parameters)}{fragment}"
