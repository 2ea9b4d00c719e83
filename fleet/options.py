"""What several commands share: common options, and how a command ends with an expected error."""

from __future__ import annotations

import inspect
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand


class PlainHelp(TyperCommand):
    """A command whose help is its docstring as written: tables of exit codes and examples keep their lines."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the docstring, indented."""
        lines = inspect.cleandoc(self.help or "").splitlines()
        formatter.write("\n" + "".join(f"  {line}".rstrip() + "\n" for line in lines))


JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs instead of tables.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


def fail(message: str, code: int = 2) -> NoReturn:
    """End the command with `message` on stderr and exit code `code`."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def confirm(question: str, *, yes: bool, without: str) -> None:
    """Ask `question` unless `yes`; without a terminal to ask on, fail saying `without`."""
    import sys

    if yes:
        return
    if not sys.stdin.isatty():
        fail(without)
    if not typer.confirm(question):
        fail("nothing was changed", 1)
