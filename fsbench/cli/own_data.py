"""The options of `fsbench run` for data of the user's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fsbench.errors import UsageError

if TYPE_CHECKING:
    from fsbench.own import OwnData

_Command = TypeVar("_Command", bound=Callable[..., Any])
_OPTIONS = (
    click.option(
        "--data",
        type=click.Path(),
        multiple=True,
        metavar="PATH",
        help="Your own data: a folder of images by class, a .csv or an .npz.",
    ),
    click.option("--target", metavar="COLUMN", help="The column of a .csv with the labels."),
    click.option(
        "--group", metavar="COLUMN", help="A column whose equal values stay on one side of a split."
    ),
    click.option(
        "--image-size",
        type=int,
        metavar="N",
        help="Pixels a side that own images come to.  [default: their own size, 64 at most]",
    ),
    click.option(
        "--symmetries",
        metavar="LIST",
        help="What keeps a label of own images: hflip, vflip, rotation, translation, scale, colour, or "
        "none.  [default: translation, scale]",
    ),
)


def own_data_options(command: _Command) -> _Command:
    """Add the options to a command."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def take_own_data(options: dict[str, Any]) -> OwnData | None:
    """Take the options out of a command's; None if there is no data. Raises UsageError."""
    paths = options.pop("data")
    given = {name: options.pop(name) for name in ("target", "group", "image_size", "symmetries")}
    if len(paths) > 1:
        raise UsageError(
            f"--data is given {len(paths)} times ({', '.join(paths)}); one run reads one of them"
        )
    if not paths:
        for name, value in given.items():
            if value is not None:
                raise UsageError(f"--{name.replace('_', '-')} describes own data; give --data PATH as well")
        return None
    from fsbench.own import OwnData

    return OwnData(paths[0], **given)
