"""The group `routeiq mcp`. Its commands are in the files beside this one."""

from __future__ import annotations

import click

from routeiq_mcp.commands.sign import sign_program


@click.group()
def mcp() -> None:
    """Servers behind the MCP gateway."""


mcp.add_command(sign_program)

__all__ = ["mcp"]
