"""The commands `fleet status` and `fleet check`, and the way in to all others."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Annotated

import typer

from fleet import __version__
from fleet.audit import audit
from fleet.credential import credential
from fleet.lab import lab_app
from fleet.lint import lint
from fleet.migrate import migrate_app
from fleet.options import (
    JsonOption,
    PlainHelp,
    StackOption,
    chosen_stack,
    counted,
    fail,
    stack_names,
)
from fleet.promote import promote
from fleet.recover import recover
from fleet.rollback import hold, rollback
from fleet.scaffold import scaffold_app
from fleet.services import services
from stacks.checks import neighbours
from stacks.desired.sets import every
from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError, server_of
from stacks.loading.load import ESC, imports_from_esc, load_file
from stacks.model.errors import StackError
from stacks.model.fleet import Fleet

app = typer.Typer(
    name="fleet",
    help="Watch over a hub-and-spoke GitOps fleet: check its stack files and its gitops-config repo, move versions and "
    "prove who did, see whether Argo CD has taken over, renew credentials, recover after a killed `pulumi up`, and run "
    "a whole fleet on this machine (the lab).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
app.add_typer(lab_app, name="lab")
app.add_typer(scaffold_app, name="scaffold")
app.add_typer(migrate_app, name="migrate")
app.command("credential", cls=PlainHelp)(credential)
app.command("lint", cls=PlainHelp)(lint)
app.command("promote", cls=PlainHelp)(promote)
app.command("rollback", cls=PlainHelp)(rollback)
app.command("hold", cls=PlainHelp)(hold)
app.command("services", cls=PlainHelp)(services)
app.command("audit", cls=PlainHelp)(audit)
app.command(
    "recover", cls=PlainHelp, short_help="Mend the state, and end plugins, after a killed run."
)(recover)


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
    stack: StackOption = "",
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
    """Has Argo CD taken over? Asks the hub and the spokes through their kubeconfig contexts.

    Good means all of it, for this stack's spokes and sets, whatever else the hub has:
      the hub answers and has Argo CD, and the stack's ApplicationSets exist without an error;
      for every spoke that an ApplicationSet selects, its Application exists (layout services: at least one), and
      every Application is Synced to a revision and Healthy;
      every spoke lets Argo CD in: this machine comes with the credential of the cluster Secret, where it may read
      that and the credential is a token, password or certificate; the others are "not tried";
      Argo CD has compared the spoke's Applications with their commit of late, and, where its credential is not tried,
      since that Secret changed;
      every spoke answers, and its ClusterSecretStores and all its ExternalSecrets are Ready;
      on the hub, the stores that spokes' credentials come from and this stack's ExternalSecrets are Ready.
    Spokes whose kubeconfig context Pulumi doesn't need are "not asked" here either: their Applications tell. Spokes
    in quarantine are shown, and don't count.

    Exit codes: 0 all good; 1 not (yet) good; 2 bad input, or the hub can't be reached.

    Examples:
      fleet status                            the stack of $PULUMI_STACK, or the only one
      fleet status --stack production --wait  after `pulumi up`: until the handover is done
      fleet status --json | jq '.problems'

    --json prints one object with the keys schema (1), stack, checkedAt, good, hub {context, reachable, version,
    error, stores [{name, ready, message}], credentials [{name, ready, message}]}, applicationSets [{name, present,
    error}], spokes [{name, environment, quarantine (why, or ""), good, asked, reachable, version, error,
    store {ready, message} (of all stores), stores [{name, ready, message}], secrets [{name, ready, message}],
    applications {good, total}}], applications [{name, spoke, applicationSet, good, sync, health, revision, message,
    reconciledAt}]
    and problems [{where, message}].

    """
    # Imported late: `--help` needs neither rich's tables nor the cluster clients.
    from fleet.status import show_status

    raise typer.Exit(
        show_status(
            chosen_stack(stack).rpartition("/")[2],
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
        list[str] | None,
        typer.Option(
            "--stack",
            "-s",
            help="Check only stacks/Pulumi.<stack>.yaml; may be given again; default: every stack file.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the stack files without asking any cluster: keys, names, environments, contexts, selectors.

    Stacks that name the same hub are also held against each other: two that install Argo CD, a spoke's name or
    server or a set's name in two of them, a set that would take another stack's spokes, secrets in Vault that
    another environment could read. Where some are alternatives for one hub, as the lab's single stack and its split
    ones are, name those that belong together.

    Every error is one line: file and line, the path in it, what is wrong, and what to write instead. ${NAME} in a
    stack file is an environment variable and must be set, and the kubeconfig contexts must exist; for the lab's own
    stack, run it as `fleet lab run -- fleet check -s lab`.

    It is read as Pulumi reads it, with the defaults of Pulumi.yaml; what Pulumi ESC sets, only Pulumi knows.

    Exit codes: 0 all stack files are good; 2 at least one is not.

    Examples:
      fleet check
      fleet check --stack production --json
      fleet check -s hub -s production -s staging -s dev   these, and against each other

    --json prints one object: ok, and stacks [{stack, file, ok, spokes, applicationSets, quarantine {spoke: why},
    problems [{path, line, message}]}].

    """
    names = stack or stack_names()
    if not names:
        fail(
            "no stack files here: expected stacks/Pulumi.<stack>.yaml; run this in the project's folder"
        )
    fleets: dict[str, Fleet] = {}
    errors: dict[str, StackError] = {}
    for name in names:
        try:
            fleets[name] = load_file(name)
        except StackError as error:
            errors[name] = error
    known = {
        name: fleet
        for name in names
        if (fleet := fleets.get(name) or (errors[name].fleet if name in errors else None))
    }
    for name, problems in neighbours.problems(known, _hubs(known)).items():
        before = errors[name].problems if name in errors else ()
        errors[name] = StackError(_file(name), [*before, *problems])
    if as_json:
        reports = [_report(name, fleets.get(name), errors.get(name)) for name in names]
        typer.echo(json.dumps({"ok": not errors, "stacks": reports}, indent=2))
    else:
        for name in names:
            _say(name, fleets.get(name), errors.get(name))
    raise typer.Exit(2 if errors else 0)


def _hubs(fleets: dict[str, Fleet]) -> dict[str, str]:
    """The server of each stack's hub; loading has found its context."""
    found = {}
    for name, fleet in fleets.items():
        # Where there is no such context, that has been told.
        with suppress(KubeconfigError):
            found[name] = server_of(Kubeconfig.read().cluster(fleet.hub.context))
    return found


def _file(stack: str) -> str:
    return f"stacks/Pulumi.{stack}.yaml"


def _say(stack: str, fleet: Fleet | None, error: StackError | None) -> None:
    if error:
        typer.echo(str(error), err=True)
    elif fleet:
        spokes, sets = len(fleet.spokes), len(every(fleet))
        typer.echo(
            f"{_file(stack)}: ok: {counted(spokes, 'spoke')}, {counted(sets, 'ApplicationSet')}"
        )
        if imports_from_esc(stack):
            typer.echo(f"  not all of it: it {ESC}")
        for name, why in _quarantined(fleet).items():
            typer.echo(f"  {name} is in quarantine: {why}")


def _quarantined(fleet: Fleet) -> dict[str, str]:
    return {spoke.name: spoke.quarantine for spoke in fleet.spokes if spoke.quarantine}


def _report(stack: str, fleet: Fleet | None, error: StackError | None) -> dict[str, object]:
    return {
        "stack": stack,
        "file": _file(stack),
        "ok": not error,
        "spokes": len(fleet.spokes) if fleet else 0,
        "applicationSets": len(every(fleet)) if fleet else 0,
        "quarantine": _quarantined(fleet) if fleet else {},
        "problems": [
            {"path": p.path, "line": p.line, "message": p.message}
            for p in (error.problems if error else ())
        ],
    }
