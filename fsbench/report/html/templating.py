"""Templates, styles and scripts, and the rule that whatever comes from elsewhere is text."""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Sequence
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from fsbench import __version__
from fsbench.words import printable

_PACKAGE = "fsbench.report.html"
_OPTION, _WHOLE = re.compile(r"--[a-z][a-z-]+"), r'<span class="whole">\g<0></span>'
_LIBRARY = "window.vegaEmbed = vegaEmbed;"


def page(
    title: str, subtitle: str, sections: Sequence[Any], styles: Sequence[str], scripts: Sequence[str]
) -> str:
    """A page of sections, each with `id`, `title`, `template` and `content`.

    A script may run only if it is one of `scripts` or the library of the charts: the policy of the page has
    their hashes, and forbids every request.
    """
    drawn = any(section.template == "charts.html" for section in sections)
    code = [*([library()] if drawn else []), *(_file(f"script/{name}") for name in scripts)]
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=title,
            subtitle=subtitle,
            sections=sections,
            version=__version__,
            vega_lite=_vega_lite() if drawn else "",
            style=Markup("\n".join(_file(f"style/{name}") for name in styles)),
            scripts=[Markup(each) for each in code],
            policy=_policy(code),
        )
    )


@functools.cache
def library() -> str:
    """The code of Vega, Vega-Lite and Vega-Embed, as vl-convert ships it, for one script of the page."""
    import vl_convert

    code: str = vl_convert.javascript_bundle(_LIBRARY)
    return code


def _vega_lite() -> str:
    import vl_convert

    version: str = vl_convert.get_vegalite_versions()[-1]
    return version


def _policy(scripts: Sequence[str]) -> str:
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()}'" for code in scripts
    )
    nothing = "default-src 'none'; base-uri 'none'; form-action 'none'"
    return f"{nothing}; style-src 'unsafe-inline'; script-src {hashes}"


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(_PACKAGE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_printable,
    )
    environment.filters["code"] = _code
    environment.filters["breakable"] = _breakable
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "allow_nan": False}
    return environment


def _printable(value: Any) -> Any:
    """A text from elsewhere, without control characters; what is HTML already stays as it is."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _code(line: str) -> Markup:
    """A sentence in which what stands between backticks is set as code, and no option is broken."""
    line = printable(line)
    parts = line.split("`")
    if len(parts) % 2 == 0:
        return escape(line)
    whole = "".join(
        f"<code>{escape(part)}</code>" if place % 2 else _OPTION.sub(_WHOLE, str(escape(part)))
        for place, part in enumerate(parts)
    )
    return Markup(whole)


def _breakable(spec: str) -> Markup:
    """A spec that may continue on the next line after `_`, `+`, `(`, `,` and `=`, as it does on a phone."""
    return Markup("<wbr>").join(re.split(r"(?<=[_+(,=])", printable(spec)))


def _file(name: str) -> str:
    return (resources.files(_PACKAGE) / name).read_text(encoding="utf-8")
