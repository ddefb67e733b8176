"""The options of `fsbench run` for the user's own data."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fsbench.errors import UsageError

if TYPE_CHECKING:
    from fsbench.own import OwnData

_Command = TypeVar("_Command", bound=Callable[..., Any])
_DESCRIBING = (
    *("target", "text", "image", "group", "image_size", "symmetries"),
    *("unlabeled", "target_data", "domain"),
)


def own_data_options(domains: bool = True) -> Callable[[_Command], _Command]:
    """What adds the options to a command; without `domains`, help is silent about a second domain."""
    options = (
        click.option(
            "--data",
            type=click.Path(),
            multiple=True,
            metavar="PATH",
            help="Your own data: a folder with one folder of images or texts per class, a .csv or an .npz.",
        ),
        click.option("--target", metavar="COLUMN", help="The column of a .csv with the labels."),
        click.option(
            "--text", metavar="COLUMN", help="The column of a .csv with texts, which are the samples."
        ),
        click.option(
            "--image",
            metavar="COLUMN",
            help="The column of a .csv with the paths of images, which are the samples.",
        ),
        click.option(
            "--group", metavar="COLUMN", help="A column; rows with equal values stay on one side of a split."
        ),
        click.option(
            "--unlabeled",
            type=click.Path(),
            metavar="PATH",
            help="Further inputs without labels, in the form of your data: a folder, a .csv or an .npz.",
        ),
        click.option(
            "--target-data",
            type=click.Path(),
            metavar="PATH",
            help="Labelled data of another domain, such as a new scanner: learn from --data, be tested on "
            "this.",
            hidden=not domains,
        ),
        click.option(
            "--domain",
            metavar="COLUMN[=VALUE]",
            help="A column of a .csv that tells two domains apart; strategies are tested on the one with "
            "VALUE, by default the second to appear.",
            hidden=not domains,
        ),
        click.option(
            "--image-size",
            type=int,
            metavar="N",
            help="Side in pixels to which your images are resized.  [default: their median size, at most 224 "
            "for pretrained bodies, 64 for small networks]",
        ),
        click.option(
            "--symmetries",
            metavar="LIST",
            help="What keeps the labels of your images: hflip, vflip, rotation, translation, scale, colour, "
            "or none.  [default: translation, scale]",
        ),
    )

    def add(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def take_own_data(options: dict[str, Any]) -> OwnData | None:
    """Remove the options from a command's and return the own data, None without --data. Raises UsageError."""
    paths = options.pop("data")
    given = {name: options.pop(name) for name in _DESCRIBING}
    if len(paths) > 1:
        raise UsageError(f"--data is given {len(paths)} times ({', '.join(paths)}); a run reads only one")
    if not paths:
        for name, value in given.items():
            if value is not None:
                raise UsageError(f"--{name.replace('_', '-')} describes your own data; also give --data PATH")
        return None
    from fsbench.own import OwnData

    return OwnData(paths[0], **given)
