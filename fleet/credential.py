"""`fleet credential`: a new, time-bound credential for one spoke, by way of Vault."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fleet import durations
from fleet.options import JsonOption, StackOption, chosen_stack, fail
from stacks.desired import cluster_secret
from stacks.loading.kubeconfig import Kubeconfig, KubeconfigError
from stacks.loading.load import load_file
from stacks.model.auth import VaultAuth
from stacks.model.errors import StackError, did_you_mean
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke
from stacks.model.vault import Vault

if TYPE_CHECKING:
    from fleet.token_request import ManagerPlan, Token
    from fleet.vault_entry import Entry

Say = Callable[[str], None]


@dataclass(frozen=True)
class Wanted:
    """Whose credential is to be renewed, for how long, and what the stack file says of it."""

    fleet: Fleet
    vault: Vault
    spoke: Spoke
    auth: VaultAuth
    stack: str
    asked: int
    dry_run: bool

    @property
    def context(self) -> str:
        """The kubeconfig context of the spoke."""
        return self.spoke.context or self.spoke.name


def credential(
    spoke: Annotated[str, typer.Argument(help="The spoke, as the stack file names it.")],
    stack: StackOption = "",
    expires: Annotated[
        str, typer.Option(help="How long the token shall be valid; the API server may give less.")
    ] = "2160h",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Ask the spoke and Vault whether they would, and change nothing."
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Give Argo CD a new credential for a spoke with `auth: {kind: vault}`, or rotate the one it has.

    It makes the ServiceAccount argocd-manager on the spoke, in kube-system or `rbac.accountNamespace`, with the rights
    that the stack file gives it, asks the API server for a token with an end, and writes that to Vault as
    `bearerToken`, with `expires` beside it. External Secrets on the hub puts it into the cluster Secret at its next
    refresh (`auth.refreshInterval`). The token is never shown, and Pulumi never sees it.

    Where in Vault: `auth.path`, in the mount and namespace of the ClusterSecretStore `auth.store` on the hub, or of
    this stack's own `hub.secretStore` before its first `pulumi up`.
    It needs kubeconfig contexts of the hub and of the spoke (its name, or `context`) that may make roles there, and
    VAULT_TOKEN, which may write that path. Vault's address is the stack file's.

    Run it again, from cron say, well before the token ends. The one before stays valid until its own end: to cut that
    short, delete the ServiceAccount and run this. Where a spoke had `auth: {kind: serviceAccount}` before, run it
    before the `pulumi up` that changes that, which waits for the entry, and at once after it, as that deletes Pulumi's
    own account, and this token with it.

    Exit codes: 0 done; 1 the spoke, the hub or Vault didn't answer or refused; 2 bad input.

    Examples:
      fleet credential prod-us-east-1 --stack production --dry-run
      fleet credential prod-us-east-1 --stack production --expires 720h

    --json prints one object: spoke, context, dryRun, applied and deleted (names of objects on the spoke),
    vault {address, namespace, mount, path}, asked and granted (seconds), expires, refreshInterval and warnings;
    granted and expires are null in a dry run.

    """
    # Imported late: `--help` needs neither the cluster client nor Vault's.
    from fleet.vault_entry import VaultError
    from live.cluster_api import Unreachable
    from live.identity import AnotherCluster

    token = os.environ.get("VAULT_TOKEN", "")
    if not token:
        fail("VAULT_TOKEN is not set; it must be a token that may write the spoke's entry in Vault")
    wanted, kubeconfig = _wanted(spoke, stack, expires, dry_run)
    say: Say = (lambda _: None) if as_json else typer.echo
    try:
        report = _renew(wanted, kubeconfig, token, say)
    except (VaultError, Unreachable) as error:
        fail(str(error), 1)
    except AnotherCluster as error:
        fail(f"{error}; nothing was changed")
    if as_json:
        typer.echo(json.dumps(report, indent=2))


def _wanted(name: str, stack: str, expires: str, dry_run: bool) -> tuple[Wanted, Kubeconfig]:
    from fleet.token_request import SHORTEST

    chosen = chosen_stack(stack).rpartition("/")[2]
    try:
        asked = durations.seconds(expires)
    except ValueError as error:
        fail(f"--expires: {error}")
    try:
        kubeconfig = Kubeconfig.read()
        fleet = load_file(chosen, kubeconfig=kubeconfig)
    except (StackError, KubeconfigError) as error:
        fail(str(error))
    if asked < SHORTEST:
        fail(f"--expires: API servers give no token for less than {durations.spoken(SHORTEST)}")
    spokes = {spoke.name: spoke for spoke in fleet.spokes}
    if name not in spokes:
        known = ", ".join(spokes) or "none"
        fail(f'stack {chosen} has no spoke "{name}"; it has {known}{did_you_mean(name, spokes)}')
    found = spokes[name]
    if not isinstance(found.auth, VaultAuth) or not fleet.vault:
        fail(
            f'"{name}" has `auth: {{kind: {found.auth.kind}}}`, which needs no credential in Vault; '
            "this is for `auth: {kind: vault}`"
        )
    return Wanted(fleet, fleet.vault, found, found.auth, chosen, asked, dry_run), kubeconfig


def _renew(wanted: Wanted, kubeconfig: Kubeconfig, vault_token: str, say: Say) -> dict[str, Any]:
    from fleet import token_request
    from fleet.vault_entry import VaultError, Writer, entry_of
    from live import identity
    from live.cluster_api import ClusterAPI, Unreachable

    hub = ClusterAPI(kubeconfig, wanted.fleet.hub.context)
    on_spoke = ClusterAPI(kubeconfig, wanted.context)
    entry = entry_of(hub, wanted.spoke, wanted.auth, _described(wanted))
    try:
        which, unknown = identity.known(wanted.fleet, wanted.spoke, hub)
    except Unreachable as error:
        said = f'the hub by context "{wanted.fleet.hub.context}": {error}; nothing was changed'
        raise Unreachable(said) from None
    try:
        identity.check(f'"{wanted.spoke.name}"', which, on_spoke)
        plan = token_request.planned(on_spoke, wanted.fleet, wanted.spoke)
    except Unreachable as error:
        raise Unreachable(
            f'spoke "{wanted.spoke.name}" by context "{wanted.context}": {error}. Run this where that context works, '
            "such as inside the spoke's network; nothing was changed"
        ) from None
    writer = Writer(wanted.vault, entry, vault_token)
    # Before a token is made: one that can't be stored would only be in the way.
    writer.check()
    _say_plan(wanted, plan, entry, say)
    token_request.make(on_spoke, plan, dry_run=wanted.dry_run)
    token = None
    if wanted.dry_run:
        say("Nothing was changed: the spoke and Vault would take it.")
    else:
        token = token_request.request(on_spoke, wanted.fleet, wanted.spoke, wanted.asked)
        try:
            writer.write({"bearerToken": token.value, "expires": token.expires.isoformat()})
        except VaultError as error:
            raise VaultError(f"{error}. The token before stays in use; run this again") from None
        _say_done(wanted, token, say)
    warnings = [*([unknown] if unknown else ()), *_warnings(wanted, plan, entry, token)]
    for warning in warnings:
        say(f"WARNING: {warning}")
    return {**_report(wanted, plan, entry, token), "warnings": warnings}


def _described(wanted: Wanted) -> Entry | None:
    """Where the hub will read the credential, as far as this stack's own file tells."""
    from fleet.vault_entry import Entry

    store = wanted.fleet.hub.secret_store
    if not store or store.name != wanted.auth.store:
        return None
    path = wanted.spoke.fill(wanted.auth.path)
    namespace = wanted.vault.full_namespace(store.namespace) or ""
    return Entry(store.mount or wanted.vault.mount, path, namespace)


def _say_plan(wanted: Wanted, plan: ManagerPlan, entry: Entry, say: Say) -> None:
    say(f'Spoke {wanted.spoke.name}, by context "{wanted.context}":')
    for one in plan.apply:
        say(f"  apply   {one.title}")
    for one in plan.delete:
        say(f"  delete  {one.title}, no longer wanted")
    say(f"  write   a token for {durations.spoken(wanted.asked)} to Vault, {entry}")


def _say_done(wanted: Wanted, token: Token, say: Say) -> None:
    say(f"Done: valid until {token.expires.isoformat()} ({durations.spoken(token.granted)}).")
    if token.granted < wanted.asked:
        say(
            f"Asked {durations.spoken(wanted.asked)}, the API server gave {durations.spoken(token.granted)}: "
            "that is the longest it allows."
        )
    every = wanted.auth.refresh_interval
    refresh = durations.seconds(every)
    hub, namespace = wanted.fleet.hub.context, wanted.fleet.argocd.namespace
    now = (
        f"kubectl --context {hub} -n {namespace} annotate externalsecret {cluster_secret.name(wanted.spoke)} "
        "force-sync=$(date +%s) --overwrite"
    )
    if not refresh:
        say(f"The hub reads it only when told (refreshInterval {every}): {now}")
        return
    say(f"The hub's cluster Secret follows within {every} (refreshInterval). At once: {now}")
    latest = token.expires - timedelta(seconds=min(refresh, token.granted // 2))
    say(
        f"Run this again before {latest.isoformat()}: fleet credential {wanted.spoke.name} --stack {wanted.stack}"
    )


def _warnings(wanted: Wanted, plan: ManagerPlan, entry: Entry, token: Token | None) -> list[str]:
    found = []
    if plan.of_pulumi:
        found.append(
            "Pulumi made the ServiceAccount that was there, for the kind of auth that the spoke had before. The "
            "`pulumi up` that changes the kind deletes it, and this token with it: run this again right after"
        )
    if entry.server and entry.server.rstrip("/") != wanted.vault.address:
        found.append(
            f"the hub reads it from {entry.server}, and `fleet:vault.address` is {wanted.vault.address}: make "
            "sure that this is one Vault"
        )
    every = wanted.auth.refresh_interval
    if token and durations.seconds(every) >= token.granted:
        found.append(
            f"the token ends before the hub reads the next one: make refreshInterval {every} shorter"
        )
    return found


def _report(wanted: Wanted, plan: ManagerPlan, entry: Entry, token: Token | None) -> dict[str, Any]:
    return {
        "spoke": wanted.spoke.name,
        "context": wanted.context,
        "dryRun": wanted.dry_run,
        "applied": [one.title for one in plan.apply],
        "deleted": [one.title for one in plan.delete],
        "vault": {
            "address": wanted.vault.address,
            "namespace": entry.namespace,
            "mount": entry.mount,
            "path": entry.path,
        },
        "asked": wanted.asked,
        "granted": token.granted if token else None,
        "expires": token.expires.isoformat() if token else None,
        "refreshInterval": wanted.auth.refresh_interval,
    }
