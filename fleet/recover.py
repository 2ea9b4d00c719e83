"""`fleet recover`: after a killed `pulumi up`, bring state and reality together again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from fleet import orphans
from fleet.options import StackOption, YesOption, chosen_stack, confirm, counted, fail
from fleet.orphans import Orphan
from fleet.pending import State, Step, mend, outputs_of, pending_of, plan
from fleet.pulumi_cli import Lock, PulumiError, PulumiStack
from fleet.render import console, heading, table
from stacks.loading.endpoints import endpoints_of
from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError
from stacks.loading.load import load_file
from stacks.model.errors import StackError

if TYPE_CHECKING:
    from fleet.lookup import Cluster

OTHERS = "docs/recover.md#what-somebody-else-made"
_SAID = {
    "adopt": "take into the state",
    "forget": "forget",
    "refresh": "refresh",
    "ask": "CAN'T TELL",
}


def recover(
    stack: StackOption = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be done.")
    ] = False,
    forget_unasked: Annotated[
        bool,
        typer.Option(
            "--forget-unasked",
            help="Forget what nobody can be asked about: its cluster is gone for good.",
        ),
    ] = False,
    yes: YesOption = False,
) -> None:
    """Mend the state after a killed `pulumi up`, so that the next one converges.

    A killed run leaves its plugins running, a lock, and operations of which Pulumi doesn't know how they ended.
    This command
      ends the plugins of dead runs, of this user on this machine, whichever stack they were for;
      takes the lock away, when its process on this machine is dead;
      takes each object that was being created into the state, if it exists: its ID follows from its inputs
      (Kubernetes: [namespace/]name; Vault: name, path or auth/<mount>/role/<role>);
      leaves alone what another stack or tool made, or was there before the killed run;
      forgets those that don't exist, and refreshes those that were being updated or deleted.
    Where something can't be asked, it changes nothing, unless --forget-unasked.
    It shows what it will do and asks. Nothing else outside Pulumi's state is changed. Then run `pulumi up` again.

    `pulumi refresh --import-pending-creates` looks made for this, but (3.259) it drops the operations and
    orphans the objects; so the state is exported, mended, imported again and then refreshed.

    Exit codes: 0 recovered, or nothing to do; 1 something could not be asked, ran on, failed, or was declined;
    2 bad input, a context that leads to another cluster, or another run of Pulumi is alive.

    Examples:
      fleet recover --stack production --dry-run
      fleet recover --stack production --yes && pulumi up --stack production
      fleet lab run -- fleet recover          the lab's own stack

    """
    try:
        raise typer.Exit(
            _recover(
                PulumiStack(chosen_stack(stack)),
                console(),
                dry_run=dry_run,
                forget=forget_unasked,
                yes=yes,
            )
        )
    except PulumiError as error:
        fail(str(error), 1)


def _recover(pulumi: PulumiStack, out: Console, *, dry_run: bool, forget: bool, yes: bool) -> int:
    from fleet.lookup import look_up
    from live.identity import AnotherCluster

    state = pulumi.export()
    locks = pulumi.locks()
    pending = pending_of(state)
    left = orphans.find()
    if not pending and not locks and not left:
        out.print(
            f"Stack {pulumi.stack}: nothing is pending, nothing is locked, no plugin of a dead run is left."
        )
        return 0
    _show_locks(out, locks)
    _show_orphans(out, left)
    _refuse_live(pulumi.stack, locks)
    if left and not dry_run:
        # Before the clusters are asked: what a plugin was making could appear after the answer.
        _end(out, left, yes=yes)
    began = min((lock.since for lock in locks if lock.since), default=None)
    clusters = _clusters(pulumi.name, state, out) if pending else None
    try:
        found = look_up(pending, clusters or (lambda _: None)) if pending else {}
    except AnotherCluster as error:
        # Whatever was asked for: there, nothing of this stack can be told, nor forgotten.
        fail(f"{error}; the state was not changed")
    steps = plan(state, found, began)
    _show(out, pulumi.stack, steps)
    if dry_run or not (pending or locks):
        return 0
    if not forget and (unasked := [step for step in steps if step.verb == "ask"]):
        # All or nothing: Pulumi drops what is pending from each state that it is given.
        fail(
            f"the state was not changed: {_unasked(unasked)}. Run this again when that can be told, or with "
            "--forget-unasked where it never will",
            1,
        )
    confirm(
        f"Mend the state of stack {pulumi.stack}?",
        yes=yes,
        declined="the state was not changed",
        without="there is no terminal to ask on: look at --dry-run, then run again with --yes",
    )
    if locks:
        pulumi.cancel()
        out.print("Lock taken away.")
    targets = [step.pending.urn for step in steps if step.verb in ("adopt", "refresh")]
    if pending:
        pulumi.replace(mend(state, steps))
    if targets and (code := pulumi.refresh(targets)):
        # Perhaps the credentials in the state have ended. With those of today it must be all: see `refresh`.
        if clusters:
            out.print("Once more, by the credentials of today:")
            code = pulumi.refresh()
        if code:
            fail(
                f"pulumi refresh ended with {code}; mend what it names, then: "
                f"pulumi refresh --run-program --stack {pulumi.stack}",
                1,
            )
    return _report(pulumi, out, steps)


def _report(pulumi: PulumiStack, out: Console, steps: list[Step]) -> int:
    from fleet.lookup import as_applied

    state = pulumi.export()
    if corrected := as_applied(state, [step.pending.urn for step in steps if step.verb == "adopt"]):
        pulumi.replace(corrected)
    have = {resource["urn"] for resource in state["deployment"].get("resources") or ()}
    adopted = [step for step in steps if step.verb == "adopt" and step.pending.urn in have]
    if unasked := [step for step in steps if step.verb == "ask"]:
        out.print(f"Forgotten: {_unasked(unasked)}")
    for step in steps:
        if step.foreign:
            out.print(
                f"{step.pending.name} ({step.id}) was left alone: {step.reason}. See {OTHERS}",
                highlight=False,
            )
    out.print(
        f"Recovered: {len(adopted)} taken into the state. Next: pulumi up --stack {pulumi.stack}"
    )
    return 0


def _unasked(steps: list[Step]) -> str:
    return "; ".join(f"{step.pending.name} ({step.reason})" for step in steps)


def _refuse_live(stack: str, locks: list[Lock]) -> None:
    for lock in locks:
        if lock.alive:
            fail(
                f"pulumi is at work on stack {stack} (pid {lock.pid}): wait for it, or end it first"
            )
        if not lock.ours:
            fail(
                f"stack {stack} is locked by {lock.user}@{lock.host} (pid {lock.pid}); if that run is dead, take the "
                f"lock away: pulumi cancel --stack {stack}"
            )


def _show_locks(out: Console, locks: list[Lock]) -> None:
    for lock in locks:
        said = "still running" if lock.alive else "dead" if lock.ours else "of another machine"
        out.print(f"Locked by {lock.user}@{lock.host}, pid {lock.pid} ({said}).")


def _show_orphans(out: Console, left: list[Orphan]) -> None:
    if left:
        out.print(f"Left by dead runs: {counted(len(left), 'plugin')}, to be ended")
        for name, pids in _by_name(left).items():
            out.print(f"  {name}  {pids}")


def _by_name(left: list[Orphan]) -> dict[str, str]:
    """The pids of each plugin, in words."""
    pids: dict[str, list[str]] = {}
    for orphan in left:
        pids.setdefault(orphan.name, []).append(str(orphan.pid))
    return {
        name: f"pid{'s' if len(found) > 1 else ''} {', '.join(found)}"
        for name, found in pids.items()
    }


def _end(out: Console, left: list[Orphan], *, yes: bool) -> None:
    confirm(
        f"End {counted(len(left), 'plugin')} of dead runs?",
        yes=yes,
        without="there is no terminal to ask on: look at --dry-run, then run again with --yes",
    )
    if alive := orphans.end(left):
        said = "; ".join(f"{name}, {pids}" for name, pids in _by_name(alive).items())
        fail(f"still running after SIGKILL: {said}. End them, then run this again", 1)
    out.print(f"Ended: {counted(len(left), 'plugin')}.")


def _show(out: Console, stack: str, steps: list[Step]) -> None:
    if not steps:
        return
    out.print(heading(f"Stack {stack}: {len(steps)} pending"))
    rows = table(
        out,
        "Resource",
        "Cluster",
        "ID",
        "Action",
        "Why",
    )
    for step in steps:
        kind = step.pending.type.rsplit(":", 1)[-1]
        rows.add_row(
            f"{kind} {step.pending.name}",
            step.pending.provider,
            step.id,
            _SAID[step.verb],
            step.reason,
        )
    out.print(rows)


def _clusters(stack: str, state: State, out: Console) -> Callable[[str], Cluster | None] | None:
    """Finds a provider's cluster: providers are named after the spokes, and `hub`. None without a good stack file."""
    from fleet.lookup import Cluster
    from live.cluster_api import ClusterAPI
    from live.identity import Identities

    try:
        kubeconfig = Kubeconfig.read()
        fleet = load_file(stack, kubeconfig=kubeconfig)
        reached = endpoints_of(fleet, kubeconfig)
    except (StackError, KubeconfigError) as error:
        # The state can be mended without the stack file: the refresh asks through the state's own providers.
        out.print(f"The clusters can't be asked directly: {str(error).splitlines()[0]}")
        return None
    recorded = Identities.of_outputs(outputs_of(state))
    found = {
        spoke.name: Cluster(
            ClusterAPI(kubeconfig, access.context),
            spoke.identity or recorded.spokes.get(spoke.name, ""),
        )
        for spoke in fleet.spokes
        if (access := reached[spoke.name].access)
    }
    hub = Cluster(ClusterAPI(kubeconfig, fleet.hub.context), fleet.hub.identity or recorded.hub)
    return {"hub": hub, **found}.get
