"""What must exist once the handover is done, from the stack file alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stacks.desired import cluster_secret, contract, sets
from stacks.model.auth import VaultAuth
from stacks.model.fleet import Fleet


@dataclass(frozen=True)
class ExpectedSpoke:
    """A spoke of the stack file."""

    name: str
    environment: str
    quarantine: str = ""


@dataclass(frozen=True)
class ExpectedSet:
    """An ApplicationSet of the stack, and its Application for each spoke that it takes, by the spoke's name.

    An Application is None where the set makes one per service, so that the gitops-config repo says which.
    """

    name: str
    applications: Mapping[str, str | None]
    or_of: frozenset[str] = frozenset()
    """The sets of teams that share a set's services: which of them has any for a spoke, only git says."""


@dataclass(frozen=True)
class Expected:
    """What the stack file promises. A stack may have no spokes (a hub's own) or no sets."""

    spokes: tuple[ExpectedSpoke, ...]
    sets: tuple[ExpectedSet, ...]
    stores: tuple[str, ...] = ()
    """The ClusterSecretStores that every spoke has."""
    hub_stores: tuple[str, ...] = ()
    """The ClusterSecretStores on the hub that this stack makes or its spokes' credentials come from."""


def expected_of(fleet: Fleet, stack: str) -> Expected:
    """The promises of `stack`, whose file describes `fleet`."""
    taken = {spoke.name: contract.labels(fleet, stack, spoke) for spoke in fleet.spokes}
    expected = [
        ExpectedSet(
            one.name,
            {
                name: sets.application_name(one, name)
                for name, labels in taken.items()
                if sets.takes(fleet, one, labels) and not isinstance(one, sets.TeamSet)
            },
            frozenset(each.name for each in sets.of_teams(fleet, one)),
        )
        for one in sets.every(fleet)
    ]
    delivery = sets.external_secrets_selector(stack)
    delivered = [name for name, labels in taken.items() if sets.matches(delivery, labels)]
    if delivered:
        name = sets.external_secrets_set(stack)
        applications = {spoke: f"{spoke}-{sets.EXTERNAL_SECRETS}" for spoke in delivered}
        expected.append(ExpectedSet(name, applications))
    return Expected(
        spokes=tuple(
            ExpectedSpoke(spoke.name, spoke.environment, spoke.quarantine) for spoke in fleet.spokes
        ),
        sets=tuple(expected),
        stores=tuple(store.name for store in fleet.secret_stores),
        hub_stores=hub_stores(fleet),
    )


def credentials(fleet: Fleet) -> tuple[str, ...]:
    """The ExternalSecrets on the hub that make cluster Secrets, but for spokes in quarantine."""
    return tuple(
        cluster_secret.name(spoke)
        for spoke in fleet.spokes
        if isinstance(spoke.auth, VaultAuth) and not spoke.quarantine
    )


def hub_stores(fleet: Fleet) -> tuple[str, ...]:
    """The ClusterSecretStores on the hub that matter to this stack, each once, in the order of the stack file."""
    own = [fleet.hub.secret_store.name] if fleet.hub.secret_store else []
    read = [spoke.auth.store for spoke in fleet.spokes if isinstance(spoke.auth, VaultAuth)]
    return tuple(dict.fromkeys([*own, *read]))
