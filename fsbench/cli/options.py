"""Options that commands share: seeds as text, a metric, and a TOML file of a command's options."""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click

from fsbench.datasets.files import DATA_DIR
from fsbench.errors import SpecError, UnknownName, UsageError
from fsbench.files import as_path
from fsbench.metrics import DEFAULT_METRIC, METRICS, get_metric
from fsbench.runner import DEFAULT_RESULTS
from fsbench.spec import parse_call
from fsbench.store_file import FILE_NAME
from fsbench.tasks.suites import suite_names

_Command = TypeVar("_Command", bound=Callable[..., Any])


def completing(
    names: Callable[[], Iterable[str]],
) -> Callable[[click.Context, click.Parameter, str], list[str]]:
    """The shell completions of an option: the names that begin with the typed text."""
    return lambda ctx, param, incomplete: [name for name in names() if name.startswith(incomplete)]


complete_suite = completing(suite_names)
metric_option = click.option(
    "--metric",
    default=DEFAULT_METRIC,
    show_default=True,
    metavar="NAME",
    callback=lambda ctx, param, value: get_metric(value).name,
    shell_complete=completing(lambda: METRICS),
    help="The metric to compare by; see `fsbench list metrics`.",
)

baseline_option = click.option(
    "--baseline",
    metavar="SPEC",
    help="What to compare with besides erm.  [default: the best of the declared baselines]",
)

legend_option = click.option(
    "--legend/--no-legend", default=False, help="Whether to explain the columns of the tables."
)


def _margin(ctx: click.Context, param: click.Parameter, value: float | None) -> float | None:
    """The margin in the units of the records (a click callback)."""
    if value is None:
        return None
    if not 0 < value < math.inf:
        raise UsageError(f"--margin is {value:g}; expected a number above 0, and finite")
    return value / 100


margin_option = click.option(
    "--margin",
    type=float,
    metavar="POINTS",
    callback=_margin,
    help="How small a difference must be to count as equivalent: in points for a metric in %, in hundredths "
    "for others.  [default: the metric's, mostly 1.0]",
)

versions_option = click.option(
    "--all-versions", is_flag=True, help="Show every version of a strategy's code in a separate row."
)
suite_option = click.option(
    "--suite", metavar="NAME", shell_complete=complete_suite, help="Only the tasks of a suite."
)
tasks_option = click.option("--tasks", metavar="TASKS", help="Only these tasks: kshot(digits, k=[1,5]), ...")


def _set_data_dir(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    """Make a folder the data folder of this process and of its workers (a click callback)."""
    if path is not None:
        os.environ[DATA_DIR] = str(path)


class GivenPath(click.Path):
    """A path; an empty text, such as an unset variable of a shell, is refused."""

    def __init__(self, **options: Any) -> None:
        super().__init__(path_type=Path, **options)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """The path."""
        as_path(param.opts[0] if param else "path", value)
        return super().convert(value, param, ctx)


PATH = GivenPath()


class _PublishedFile(GivenPath):
    """An existing published file; for a folder, the error says how to get the file."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> Any:
        """The path."""
        if os.path.isdir(value):
            raise UsageError(not_published(Path(value)))
        return super().convert(value, param, ctx)


PUBLISHED_FILE = _PublishedFile(exists=True)


def not_published(folder: Path) -> str:
    """What to say about a folder that stands for a published file."""
    if (folder / FILE_NAME).exists():
        command = f"fsbench publish {shlex.quote(str(folder))} DIR"
        return f"{folder} is a results folder; `{command}` writes the file"
    return f"{folder} is a folder; expected a published file, NAME.jsonl"


def results_option(metavar: str, help: str) -> Callable[[_Command], _Command]:
    """The option --results."""
    return click.option(
        "--results",
        type=PATH,
        default=DEFAULT_RESULTS,
        show_default=True,
        metavar=metavar,
        help=help,
    )


def board_options(command: _Command) -> _Command:
    """The options that choose stored results and say how to compare them."""
    for option in (
        versions_option,
        margin_option,
        baseline_option,
        metric_option,
        tasks_option,
        suite_option,
        results_option("PATH", "A results folder, or a published .jsonl file."),
    ):
        command = option(command)
    return command


data_dir_option = click.option(
    "--data-dir",
    type=PATH,
    metavar="FOLDER",
    is_eager=True,
    expose_value=False,
    callback=_set_data_dir,
    help="The folder of datasets.  [default: FSBENCH_DATA_DIR, or a cache folder]",
)


def read_seeds(ctx: click.Context, param: click.Parameter, text: str | None) -> int | tuple[int, ...] | None:
    """Seeds as text: how many (`3`: 0, 1 and 2), or which (`0,4,7`; a single one as `4,`); a click callback.

    Raises SpecError.
    """
    if text is None:
        return None
    listed = "," in text and not text.lstrip().startswith("[")
    inner = f"[{text.rstrip().removesuffix(',')}]" if listed else text
    try:
        (found,) = parse_call(f"seeds({inner})").args
    except (SpecError, ValueError):
        found = None
    if type(found) is int and found > 0:
        return found
    if isinstance(found, tuple) and found:
        numbers = tuple(each for each in found if type(each) is int and each >= 0)
        if len(numbers) == len(found):
            return numbers
    raise SpecError(
        f"{param.opts[0]} {text!r}: expected a number of seeds, such as 3, or which, such as 0,4,7 or 4,"
    )


def load_config(ctx: click.Context, param: click.Parameter, path: Path | None) -> None:
    """Make the values of a TOML file the defaults of the command's options (a click callback).

    Raises UsageError for a file that cannot be read, UnknownName for a key that is not an option.
    """
    import tomllib

    if path is None:
        return
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from None
    known = {str(each.name): each for each in ctx.command.params if each is not param and each.name != "help"}
    defaults = {}
    for key, value in values.items():
        name = key.replace("-", "_")
        if name not in known and isinstance(value, dict):
            raise UsageError(f"{path}: options belong at the top of the file, not in a table [{key}]")
        if name not in known:
            raise UnknownName(f"key in {path}:", key, known)
        several = known[name].multiple
        defaults[name] = _as_text(value) if not several else value if isinstance(value, list) else [value]
    ctx.default_map = {**(ctx.default_map or {}), **defaults}


def _as_text(value: Any) -> Any:
    """A TOML value as it would be written on the command line."""
    if isinstance(value, list):
        text = ", ".join(map(str, value))
        return f"[{text}]" if all(isinstance(item, int) for item in value) else text
    if isinstance(value, dict):
        return ", ".join(f"{name}={_as_text(item)}" for name, item in value.items())
    return value
