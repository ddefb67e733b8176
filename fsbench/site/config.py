"""How MkDocs makes the site: Material's theme, nothing from a network, every fault a warning."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import fsbench
from fsbench.site.pages import Page

_DOCSTRINGS = {
    "docstring_style": None,
    "filters": ["!^_"],
    "heading_level": 2,
    "members_order": "source",
    "separate_signature": True,
    "show_if_no_docstring": False,
    "show_root_heading": True,
    "show_root_full_path": False,
    "show_source": True,
    "show_symbol_type_heading": True,
    "signature_crossrefs": True,
}
_CHECKS = {
    "nav": {"omitted_files": "ignore", "not_found": "warn", "absolute_links": "warn"},
    "links": {"not_found": "warn", "anchors": "warn", "absolute_links": "warn", "unrecognized_links": "warn"},
}


def options(pages: Sequence[Page], docs: Path, site: Path, url: str) -> dict[str, Any]:
    """The configuration of MkDocs for some pages in `docs`, to be built in `site`."""
    return {
        "config_file": _empty(docs),
        "site_name": "fsbench",
        "site_description": "The referee for learning from little data",
        "docs_dir": str(docs),
        "site_dir": str(site),
        "strict": True,
        "use_directory_urls": False,
        "nav": _nav(pages, url),
        "theme": _theme(),
        "extra": {"generator": False, "polyfills": ["assets/iframe-worker.js"]},
        "extra_css": ["assets/site.css"],
        "validation": _CHECKS,
        "markdown_extensions": _extensions(),
        "plugins": _plugins(),
    }


def _empty(docs: Path) -> str:
    """An empty file: all that MkDocs needs is given directly."""
    place = docs.parent / "mkdocs.yml"
    place.write_text("site_name: fsbench\n")
    return str(place)


def _nav(pages: Iterable[Page], url: str) -> list[dict[str, Any]]:
    nav: dict[str, Any] = {}
    for each in pages:
        inside = nav
        for title in each.titles[:-1]:
            inside = inside.setdefault(title, {})
        if each.titles:
            inside[each.titles[-1]] = each.path
    return _listed(nav | ({"Repository": url} if url else {}))


def _listed(nav: dict[str, Any]) -> list[dict[str, Any]]:
    """The navigation as MkDocs wants it: lists of dictionaries of one entry."""
    return [{title: _listed(inside) if isinstance(inside, dict) else inside} for title, inside in nav.items()]


def _theme() -> dict[str, Any]:
    def palette(media: str, scheme: str, icon: str, name: str) -> dict[str, Any]:
        toggle = {"icon": f"material/{icon}", "name": name}
        return {"media": media, "scheme": scheme, "primary": "indigo", "accent": "indigo", "toggle": toggle}

    return {
        "name": "material",
        "font": False,
        "features": ["navigation.tabs", "navigation.top", "content.code.copy", "toc.follow"],
        "palette": [
            palette("(prefers-color-scheme: light)", "default", "weather-night", "Dark"),
            palette("(prefers-color-scheme: dark)", "slate", "weather-sunny", "Light"),
        ],
    }


def _extensions() -> list[Any]:
    from pymdownx.slugs import slugify

    return [
        "admonition",
        "attr_list",
        "tables",
        {"toc": {"permalink": True, "slugify": slugify(case="lower")}},
        {"pymdownx.highlight": {"use_pygments": True}},
        "pymdownx.details",
        "pymdownx.superfences",
        "pymdownx.tilde",
    ]


def _plugins() -> list[Any]:
    root = str(Path(fsbench.__file__).resolve().parents[1])
    handlers = {"python": {"paths": [root], "options": _DOCSTRINGS}}
    return ["material/search", "material/offline", {"mkdocstrings": {"handlers": handlers}}]
