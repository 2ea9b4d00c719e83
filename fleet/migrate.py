"""`fleet migrate`: services to their teams' ApplicationSets; what gives teams repos of their own is beside it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from fleet import mono_to_multi
from fleet.mono_to_multi import POLL, TimeoutOption, some
from fleet.options import PlainHelp, StackOption, YesOption, chosen_stack, confirm, counted, fail
from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError
from stacks.loading.load import load_file
from stacks.model.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from live.cluster_api import ClusterAPI
    from live.handing_over import Move

migrate_app = typer.Typer(
    no_args_is_help=True,
    help="Give services to their teams, and teams repos of their own, without an Application made anew.",
)
for _name, _command in (
    ("mono-to-multi", mono_to_multi.mono_to_multi),
    ("push", mono_to_multi.push),
    ("verify", mono_to_multi.verify),
):
    migrate_app.command(_name, cls=PlainHelp)(_command)


@migrate_app.command("teams", cls=PlainHelp)
def teams(
    stack: StackOption = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    timeout: TimeoutOption = 300,
    yes: YesOption = False,
) -> None:
    """Hand Applications over to the ApplicationSets that the stack file has for them: those of fleet:teams, say.

    An Application belongs to the ApplicationSet that made it, and another one may not touch it. After an `up` that has
    given services to a team, this takes each of them from its old set, and the team's set takes it over as it is: it
    is not made anew, and its workloads go on. It shows what it will do and asks; then it waits until Argo CD is done.
    Run it again where it was cut off: it goes on with the rest.

    Where a team was taken out of the stack file, run it before the `up`: it takes away the team's set and leaves the
    Applications, which the set of the other services takes over with that `up`.

    Exit codes: 0 handed over, or nothing to do; 1 not done in time, or you said no; 2 bad input, `up` comes first, or
    the hub can't be reached.

    Examples:
      fleet migrate teams --stack production --dry-run
      fleet migrate teams --stack production --yes

    """
    from live import applications, handing_over, hub_state, identity
    from live.cluster_api import ClusterAPI, Unreachable
    from live.identity import AnotherCluster

    name = chosen_stack(stack).rpartition("/")[2]
    try:
        kubeconfig = Kubeconfig.read()
        fleet = load_file(name, kubeconfig=kubeconfig)
    except (StackError, KubeconfigError) as error:
        fail(str(error))
    api, namespace = ClusterAPI(kubeconfig, fleet.hub.context), fleet.argocd.namespace
    try:
        identity.check("the hub", fleet.hub.identity or "", api)
        plan = handing_over.handover(
            fleet, name, hub_state.read(api, namespace), applications.read(api, namespace)
        )
        found = plan.moves
        if not found:
            typer.echo(
                f"stack {name}: every Application is of the set that the stack file has for it"
            )
            return
        for move in found:
            one = move.application
            typer.echo(
                f"{one.name}: from {one.set} to {move.to}"
                if one.set
                else f"{one.name}: of no set now; {move.to} takes it if git has it"
            )
        for gone in plan.leaving:
            typer.echo(
                f'ApplicationSet "{gone}", which the stack file has no more: goes, without its Applications'
            )
        if plan.wrong:
            fail(
                f"{'; '.join(plan.wrong)}: run `pulumi up` of stack {name} first; nothing was changed"
            )
        if dry_run:
            typer.echo(f"{counted(len(found), 'Application')} would be handed over")
            return
        confirm(
            f"Hand over {counted(len(found), 'Application')} on the hub ({fleet.hub.context})?",
            yes=yes,
            without="nobody is here to ask: say --yes, or --dry-run",
        )
        for gone in plan.leaving:
            applications.let_go(api, namespace, gone)
        if plan.leaving:
            typer.echo(
                f"now run `pulumi up` of stack {name}: with it the other sets take them over"
            )
            return
        for move in found:
            applications.release(api, namespace, move.application)
        for to in sorted({move.to for move in found}):
            applications.refresh_set(api, namespace, to)
        # What no set has may be in git no more: then none takes it.
        owned = [move for move in found if move.application.set]
        late = _handed_over(api, namespace, owned, timeout)
    except AnotherCluster as error:
        fail(f"{error}; nothing was changed")
    except Unreachable as error:
        fail(f"the hub ({fleet.hub.context}): {error}")
    if late:
        fail(
            f"not taken over within {timeout} s: {some(late)}. They go on running as they are; see "
            f"what their ApplicationSets say: fleet status --stack {name}",
            1,
        )
    typer.echo(f"{counted(len(owned), 'Application')} handed over; none was made anew")


def _handed_over(
    api: ClusterAPI, namespace: str, found: Sequence[Move], timeout: float
) -> list[str]:
    """The Applications that their new sets haven't taken when the time is up, by name."""
    from live import applications

    end = time.monotonic() + timeout
    last = -1
    while True:
        now = applications.read(api, namespace)
        late = [
            move.application.name
            for move in found
            if (one := now.get(move.application.name)) is None
            or one.set != move.to
            or one.uid != move.application.uid
        ]
        if len(late) != last:
            typer.echo(f"{len(found) - len(late)} of {len(found)} taken over")
            last = len(late)
        if not late or time.monotonic() > end:
            return late
        time.sleep(POLL)
