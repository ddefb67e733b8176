"""The guides of a checkout, which are written for GitHub, as pages of the site."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Collection, Iterator
from pathlib import Path

from fsbench.errors import UsageError
from fsbench.site.pages import Page
from fsbench.sorts import HOUSE

FIRST = ("tutorial", "your-data", "plugins")
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
_ITEM = re.compile(r"\s*(?:[-*+]|\d+\.) ")
_CODE = re.compile(r"^(```.*?^```)$", re.MULTILINE | re.DOTALL)
_INFO = re.compile(r"^(```\w*).*")


def find_checkout(given: Path | None, boards: Path) -> Path | None:
    """The checkout of fsbench whose guides the site has, None if there is none.

    By default it is the one that the folder of leaderboards or this package is in. Raises UsageError if the
    one that is given is no checkout.
    """
    if given is not None:
        if not _is_checkout(given):
            raise UsageError(
                f"{given} is no checkout of fsbench; expected its pyproject.toml and docs/ there"
            )
        return given
    near = (boards.resolve().parent, Path(__file__).resolve().parents[2])
    return next((place for place in near if _is_checkout(place)), None)


def _is_checkout(place: Path) -> bool:
    try:
        project = tomllib.loads((place / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        return False
    return project.get("name") == HOUSE and (place / "docs").is_dir()


def pages(checkout: Path, others: Collection[str], url: str) -> Iterator[Page]:
    """README.md and the like, then docs/*.md.

    `others` are the paths of the site's other pages. A link to what is in the checkout but not in the site
    leads to the repository at `url`, if that is known.
    """
    docs = {path.stem: path for path in sorted((checkout / "docs").glob("*.md"))}
    order = [*(stem for stem in FIRST if stem in docs), *(stem for stem in docs if stem not in FIRST)]
    files = ["README.md", *(f"docs/{stem}.md" for stem in order), "CHANGELOG.md", "CONTRIBUTING.md"]
    files = [name for name in files if (checkout / name).is_file()]
    known = {*files, *others}
    for name in files:
        text = (checkout / name).read_text(encoding="utf-8")
        title = text.partition("\n")[0].lstrip("# ")
        titles = ("Home",) if name == "README.md" else ("Guides", title)
        yield Page(name, _for_site(text, name, known, url).encode(), titles)


def _for_site(text: str, name: str, known: Collection[str], url: str) -> str:
    """The text with blank lines where Python-Markdown needs them, and with links that lead somewhere."""
    # Every second part is a block of code.
    parts = _CODE.split(text)
    for place in range(0, len(parts), 2):
        led = _LINK.sub(lambda link: _led(link, name, known, url), parts[place])
        parts[place] = _spaced(led)
    for place in range(1, len(parts), 2):
        parts[place] = _INFO.sub(r"\1", parts[place], count=1)
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _spaced(text: str) -> str:
    """The text with a blank line before each list and each table."""
    lines: list[str] = []
    block = ""
    for line in text.split("\n"):
        begins = "list" if _ITEM.match(line) else "table" if line.startswith("|") else ""
        if block and begins and begins != block:
            lines.append("")
        block = "" if not line.strip() else begins or block or "paragraph"
        lines.append(line)
    return "\n".join(lines)


def _led(link: re.Match[str], name: str, known: Collection[str], url: str) -> str:
    """A link as it is, to the repository, or, where that is not known, only its words."""
    words, target = link.groups()
    path, _, _ = target.partition("#")
    if not path or "://" in path or path.startswith("mailto:"):
        return link[0]
    place = posixpath.normpath(posixpath.join(posixpath.dirname(name), path))
    if place in known:
        return link[0]
    return f"[{words}]({url}/blob/main/{place})" if url else words
