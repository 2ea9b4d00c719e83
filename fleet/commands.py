"""The commands `fleet status` and `fleet check`, and the way in to all others."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from fleet import __version__
from fleet.lab import lab_app
from fleet.options import JsonOption, PlainHelp, fail
from fleet.recover import recover
from stacks import StackError, load_file, stack_files

app = typer.Typer(
    name="fleet",
    help="Watch over a hub-and-spoke GitOps fleet: check its stack files, see whether Argo CD has taken over, "
    "recover after a killed `pulumi up`, and run a whole fleet on this machine (the lab).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.add_typer(lab_app, name="lab")
app.command("recover", cls=PlainHelp)(recover)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"fleet {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Options of `fleet` itself."""


@app.command(cls=PlainHelp)
def status(
    stack: Annotated[
        str, typer.Option("--stack", "-s", help="The stack: stacks/Pulumi.<stack>.yaml.")
    ] = "lab",
    wait: Annotated[
        bool, typer.Option("--wait", help="Keep asking until all is good, or the time is up.")
    ] = False,
    timeout: Annotated[
        float, typer.Option(min=0, help="With --wait: give up after so many seconds.")
    ] = 300,
    interval: Annotated[
        float, typer.Option(min=0.1, help="With --wait: ask again after so many seconds.")
    ] = 2,
    every: Annotated[
        bool, typer.Option("--all", help="Show every Application, however many there are.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Has Argo CD taken over? Asks the hub and every spoke through their kubeconfig contexts.

    Good means all of it:
      the hub answers, and the stack's ApplicationSets exist without an error;
      for every spoke an ApplicationSet selects, its Application exists (layout platform: <spoke>-platform;
      layout services: at least one), and every Application is Synced to a revision and Healthy;
      every spoke answers, its ClusterSecretStore vault-backend and all its ExternalSecrets are Ready.

    Exit codes: 0 all good; 1 not (yet) good; 2 bad input, or the hub can't be reached.

    Examples:
      fleet status                            the stack `lab`
      fleet status --stack prod --wait        after `pulumi up`: until the handover is done
      fleet status --json | jq '.problems'

    --json prints one object with the keys schema (1), stack, checkedAt, good, hub {context, reachable, version,
    error}, applicationSets [{name, present, error}], spokes [{name, environment, good, reachable, version, error,
    store {ready, message}, secrets [{name, ready, message}], applications {good, total}}], applications [{name,
    spoke, applicationSet, good, sync, health, revision, message}] and problems [{where, message}].

    """
    # Imported late: `--help` needs neither rich's tables nor the cluster clients.
    from fleet.status import show_status

    raise typer.Exit(
        show_status(
            stack,
            wait=wait,
            timeout=timeout,
            interval=interval,
            every_application=every,
            as_json=as_json,
        )
    )


@app.command(cls=PlainHelp)
def check(
    stack: Annotated[
        str,
        typer.Option(
            "--stack",
            "-s",
            help="Check only stacks/Pulumi.<stack>.yaml; default: every stack file.",
        ),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Check the stack files without asking any cluster: keys, names, environments, contexts, selectors.

    Every error is one line: file and line, the path in it, what is wrong, and what to write instead. ${NAME} in a
    stack file is an environment variable and must be set, and the kubeconfig contexts must exist; for the stack
    `lab`, run it as `fleet lab run -- fleet check`.

    Exit codes: 0 all stack files are good; 2 at least one is not.

    Examples:
      fleet check
      fleet check --stack prod --json

    --json prints one object: ok, and stacks [{stack, file, ok, spokes, applicationSets,
    problems [{path, line, message}]}].

    """
    names = (
        [stack] if stack else [path.name[len("Pulumi.") : -len(".yaml")] for path in stack_files()]
    )
    if not names:
        fail(
            "no stack files here: expected stacks/Pulumi.<stack>.yaml; run this in the project's folder"
        )
    reports = [_check_one(name, quiet=as_json) for name in names]
    good = all(report["ok"] for report in reports)
    if as_json:
        typer.echo(json.dumps({"ok": good, "stacks": reports}, indent=2))
    raise typer.Exit(0 if good else 2)


def _check_one(stack: str, *, quiet: bool) -> dict[str, object]:
    report: dict[str, object] = {"stack": stack, "file": f"stacks/Pulumi.{stack}.yaml"}
    try:
        fleet = load_file(stack)
    except StackError as error:
        problems = [{"path": p.path, "line": p.line, "message": p.message} for p in error.problems]
        if not quiet:
            typer.echo(str(error), err=True)
        return {**report, "ok": False, "spokes": 0, "applicationSets": 0, "problems": problems}
    spokes, sets = len(fleet.spokes), len(fleet.application_sets)
    if not quiet:
        typer.echo(f"{report['file']}: ok: {spokes} spokes, {sets} ApplicationSets")
    return {**report, "ok": True, "spokes": spokes, "applicationSets": sets, "problems": []}
