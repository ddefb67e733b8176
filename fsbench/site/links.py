"""Finds links of a built site that lead nowhere, and whatever a page would load from a network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
_NOT_LOADED = ("canonical", "alternate", "prev", "next")
_OUTSIDE = ("http", "https", "mailto")


@dataclass
class _Read(HTMLParser):
    """The ids of a page, its links, and what it loads."""

    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag names and where it leads."""
        given = {name: value or "" for name, value in attrs}
        self.ids.update(given[name] for name in ("id", "name") if given.get(name))
        attribute = _LOADED.get(tag)
        if attribute and given.get(attribute) and given.get("rel") not in _NOT_LOADED:
            self.loaded.append(given[attribute])
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])


def faults(site: Path) -> list[str]:
    """A line for each link or file of a page that is not in the site, sorted.

    Links to the outside are only checked for their syntax. Loading from the outside is a fault.
    """
    read = {path: _read(path) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, content in read.items():
        name = path.relative_to(site).as_posix()
        found += [f"{name} loads {url}" for url in content.loaded if _is_outside(url)]
        targets = content.links + [url for url in content.loaded if not _is_outside(url)]
        found += [f"{name} links to {url}: {why}" for url, why in _dead(targets, path, site, read)]
    return sorted(set(found))


def _read(path: Path) -> _Read:
    content = _Read()
    content.feed(path.read_text(encoding="utf-8"))
    content.close()
    return content


def _is_outside(url: str) -> bool:
    return urlsplit(url).scheme in _OUTSIDE or url.startswith("//")


def _dead(urls: Iterable[str], path: Path, site: Path, read: dict[Path, _Read]) -> Iterator[tuple[str, str]]:
    for url in urls:
        try:
            parts = urlsplit(url)
        except ValueError as error:
            yield url, str(error)
            continue
        if parts.scheme in ("http", "https"):
            if not parts.hostname or " " in url:
                yield url, "no address"
        elif parts.scheme == "data" or (parts.scheme == "mailto" and "@" in parts.path):
            continue
        elif parts.scheme or parts.netloc:
            yield url, "not a page of the site"
        elif why := _nowhere(unquote(parts.path), unquote(parts.fragment), path, site, read):
            yield url, why


def _nowhere(to: str, fragment: str, path: Path, site: Path, read: dict[Path, _Read]) -> str:
    """Why there is nothing at a place of the site; "" if there is."""
    target = (path.parent / to).resolve() if to else path
    if not target.is_relative_to(site):
        return "outside of the site"
    if not target.is_file():
        return "no such file"
    if fragment and target in read and fragment not in read[target].ids:
        return "no such heading"
    return ""
