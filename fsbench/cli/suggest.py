"""Command groups that suggest the nearest command or option."""

from __future__ import annotations

import click

from fsbench.errors import UnknownName


class SuggestingGroup(click.Group):
    """A group of commands, listed in the order in which they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which they were added."""
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of a name. Raises UnknownName, which suggests the nearest."""
        if cmd_name not in self.commands and not ctx.resilient_parsing:
            raise UnknownName("command", cmd_name, self.commands)
        return super().get_command(ctx, cmd_name)
