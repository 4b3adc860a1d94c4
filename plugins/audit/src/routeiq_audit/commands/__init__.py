"""The group `routeiq audit`. Its commands are in the files beside this one."""

from __future__ import annotations

import click

from routeiq_audit.commands.export import export
from routeiq_audit.commands.tail import tail
from routeiq_audit.commands.verify import verify


@click.group()
def audit() -> None:
    """Verify, read and export the audit trail."""


for _command in (verify, tail, export):
    audit.add_command(_command)

__all__ = ["audit"]
