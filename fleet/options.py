"""What several commands share: common options, and how a command ends with an expected error."""

from __future__ import annotations

import inspect
import os
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand

from stacks.loading.load import stack_files


class PlainHelp(TyperCommand):
    """A command whose help is its docstring as written: tables of exit codes and examples keep their lines."""

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write the docstring, indented."""
        lines = inspect.cleandoc(self.help or "").splitlines()
        formatter.write("\n" + "".join(f"  {line}".rstrip() + "\n" for line in lines))


StackOption = Annotated[
    str,
    typer.Option(
        "--stack",
        "-s",
        help="The stack: stacks/Pulumi.<stack>.yaml; default: $PULUMI_STACK, else the only one there is.",
    ),
]
StacksOption = Annotated[
    list[str] | None,
    typer.Option(
        "--stack",
        "-s",
        help="A stack that deploys it; may be given again; default: every stack file here.",
    ),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs instead of tables.")
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Don't ask.")]


def stack_names() -> list[str]:
    """The stacks that have a file in this project, by name."""
    return [path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in stack_files()]


def chosen_stack(given: str) -> str:
    """The stack that `--stack` names, else `$PULUMI_STACK`, else the project's only one; ends the command without.

    Either may be qualified as Pulumi has it, `[<organization>/[<project>/]]<stack>`; its file has the last part.
    """
    if stack := given or os.environ.get("PULUMI_STACK", ""):
        return stack
    names = stack_names()
    if not names:
        fail("no stack files here: run this in the project's folder")
    if len(names) > 1:
        fail(f"which stack? Give --stack or set PULUMI_STACK; stacks here: {', '.join(names)}")
    return names[0]


def counted(number: int, noun: str) -> str:
    """A number and what it counts: `1 spoke`, `2 spokes`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def fail(message: str, code: int = 2) -> NoReturn:
    """End the command with `message` on stderr and exit code `code`."""
    typer.echo(f"error: {message}", err=True)
    raise typer.Exit(code)


def confirm(
    question: str, *, yes: bool, without: str, declined: str = "nothing was changed"
) -> None:
    """Ask `question` unless `yes`; fail saying `without` where there is no terminal, `declined` at a no."""
    import sys

    if yes:
        return
    if not sys.stdin.isatty():
        fail(without)
    if not typer.confirm(question):
        fail(declined, 1)
