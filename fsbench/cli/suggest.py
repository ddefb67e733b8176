"""Commands that suggest the nearest command name, or the option that a word belongs to."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path

import click
from click.core import ParameterSource

from fsbench.errors import UnknownName, UsageError
from fsbench.families import groups
from fsbench.registry import get_registry
from fsbench.tasks.expressions import protocol_names
from fsbench.tasks.suites import suite_names

_DATA_FILES = {".csv", ".tsv", ".npz"}


class SuggestingGroup(click.Group):
    """A group of commands, listed in the order in which they were added."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options and the command. Raises UsageError for no words at all, if they show no help."""
        if not (args or self.no_args_is_help or ctx.resilient_parsing):
            expected = " or ".join(f"`{ctx.command_path} {name}`" for name in self.commands)
            raise UsageError(f"Missing command; expected {expected}")
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which they were added."""
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name. Raises UnknownName, which suggests the nearest name."""
        if cmd_name not in self.commands and not ctx.resilient_parsing:
            raise UnknownName("command", cmd_name, self.commands)
        return super().get_command(ctx, cmd_name)


class OptionsCommand(click.Command):
    """A command that takes no further words; for one, it suggests the option that the word belongs to."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options. Raises UsageError for a word that belongs to none."""
        super().parse_args(ctx, args)
        if ctx.args and not ctx.resilient_parsing:
            word = ctx.args[0]
            option = _option_of(word, {name for each in self.params for name in each.opts})
            advice = (
                f"write {option} {shlex.quote(_whole_list(option, ctx))}"
                if option
                else f"`{ctx.command_path} --help` shows the options"
            )
            raise UsageError(f"unexpected argument {word!r}; {advice}")
        return []


def _whole_list(option: str, ctx: click.Context) -> str:
    """The first extra word; of strategies and tasks, all words, after those that were given."""
    name = option.removeprefix("--")
    if name not in ("plugins", "tasks"):
        return ctx.args[0]
    given = ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE
    words = ([ctx.params[name]] if given else []) + [word for word in ctx.args if _option_of(word, {option})]
    return ", ".join(word.strip(" ,") for word in words)


def _option_of(word: str, options: Collection[str]) -> str | None:
    """That of a command's options to which a word belongs: a path, a suite, a task or a strategy."""
    name = word.strip(" ,").partition("(")[0].partition("+")[0]
    is_data = Path(word).suffix.lower() in _DATA_FILES or Path(word).is_dir()
    fitting = {
        "--data": is_data,
        "--suite": name in suite_names(),
        "--tasks": name in protocol_names(),
        "--plugins": name in groups() or name in get_registry().strategies,
    }
    return next((option for option, fits in fitting.items() if fits and option in options), None)
