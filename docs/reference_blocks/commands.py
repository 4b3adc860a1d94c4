"""The reference of commands, from the command line's own objects.

Texts are the help texts of the commands.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from reference_blocks.tables import code, paragraph, table
from routeiq.cli.main import cli


def commands() -> str:
    """Every command with its arguments and options."""
    return "\n".join(_command(path, command) for path, command in every_command())


def every_command() -> Iterator[tuple[str, click.Command]]:
    """Commands by the words that call them; groups are left out, their members are not."""
    yield from _inside("routeiq", cli)


def _inside(path: str, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from _inside(f"{path} {name}", command)
        elif command is not None:
            yield f"{path} {name}", command


def _command(path: str, command: click.Command) -> str:
    with click.Context(command, info_name=path) as context:
        usage = command.get_usage(context).removeprefix("Usage: ")
        rows = [row for parameter in command.params if (row := _row(parameter, context)) is not None]
    text = f"## `{path}`\n\n```text\n{usage}\n```\n\n{paragraph(inspect.cleandoc(command.help or ''))}\n"
    return text + ("\n" + table(("option", "takes", "default", "meaning"), rows) if rows else "")


def _row(parameter: click.Parameter, context: click.Context) -> tuple[str, ...] | None:
    if isinstance(parameter, click.Argument):
        return code(parameter.human_readable_name), parameter.type.name, "", "required" if parameter.required else ""
    if not isinstance(parameter, click.Option) or parameter.hidden:
        return None
    names = ", ".join(code(name) for name in (*parameter.opts, *parameter.secondary_opts))
    takes = "" if parameter.is_flag else code(parameter.make_metavar(context))
    info = parameter.to_info_dict()
    default = info["default"]
    shown = "" if parameter.required or default is None or parameter.is_flag else code(str(default))
    meaning = " ".join(part for part in (parameter.help, "Required." if parameter.required else "") if part)
    return names, takes, shown, meaning
