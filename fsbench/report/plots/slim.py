"""A figure of matplotlib as a smaller SVG file that looks the same."""

from __future__ import annotations

import re

# matplotlib escapes < and > in texts and attributes, so nothing else is taken for a tag.
_TAG = re.compile(r"<[a-z/][^>]*>")
_STYLE = re.compile(r' style="([^"]*)"')
_PLACE = re.compile(r'( (?:d|x|y|width|height|transform|points)=")([^"]*)(?=")')
_DIGITS = re.compile(r"\d+\.\d{3,}")
_UNUSED = re.compile(r' transform="rotate\(-?0 [^"]*\)"| id="(?:text|patch|line2d|[xy]tick)_\d+"')
_RECTANGLE = re.compile(r'"M (\S+) (\S+) L (\S+) \2 L \3 (\S+) L \1 \4 z"')
_ALONE = re.compile(r"<g>(<[a-z]+ [^>]*(?:/>|>[^<]*</[a-z]+>))</g>")
_RULES = "</style>"


def slim(svg: str) -> str:
    """The figure with coordinates in hundredths of a point, and each style once, as a class."""
    names: dict[str, str] = {}

    def shorter(tag: re.Match[str]) -> str:
        text = _UNUSED.sub("", tag[0])
        text = _STYLE.sub(lambda style: f' class="{names.setdefault(style[1], f"s{len(names)}")}"', text)
        return _PLACE.sub(lambda place: place[1] + " ".join(_DIGITS.sub(_rounded, place[2]).split()), text)

    found = re.sub(r">\s+<", "><", _TAG.sub(shorter, svg))
    found = _ALONE.sub(r"\1", _RECTANGLE.sub(r'"M\1 \2H\3V\4H\1z"', found))
    rules = "".join(f".{name}{{{style}}}" for style, name in names.items())
    return found.replace(_RULES, rules + _RULES, 1)


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number[0]):.2f}".rstrip("0").rstrip(".")
