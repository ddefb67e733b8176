"""Commands that suggest the nearest command name, or the option that a word belongs to."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from fsbench.errors import UnknownName, UsageError

_DATA_FILES = {".csv", ".npz"}


class SuggestingGroup(click.Group):
    """A group of commands, listed in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which they were added."""
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name. Raises UnknownName, which suggests the nearest name."""
        if cmd_name not in self.commands and not ctx.resilient_parsing:
            raise UnknownName("command", cmd_name, self.commands)
        return super().get_command(ctx, cmd_name)


class OptionsCommand(click.Command):
    """A command without arguments; for a bare word, it suggests the option of `fsbench run`."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options. Raises UsageError for a word that belongs to none."""
        super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            word = ctx.args[0]
            option = _option_of(word)
            advice = (
                f"write {option} {shlex.quote(word)}"
                if option
                else f"`{ctx.command_path} --help` shows the options"
            )
            raise UsageError(f"unexpected argument {word!r}; {advice}")
        return []


def _option_of(word: str) -> str | None:
    """The option of `fsbench run` for a word: a path, a suite, a task or a strategy."""
    from fsbench.families import groups
    from fsbench.registry import get_registry
    from fsbench.tasks.expressions import protocol_names
    from fsbench.tasks.suites import suite_names

    name = word.partition("(")[0].partition("+")[0]
    if Path(word).suffix.lower() in _DATA_FILES or Path(word).is_dir():
        return "--data"
    for option, names in (
        ("--suite", suite_names()),
        ("--tasks", protocol_names()),
        ("--plugins", {*groups(), *get_registry().strategies}),
    ):
        if name in names:
            return option
    return None
