"""Which cluster is which: the UID of its namespace kube-system, as it says it itself, and as it was put on record.

A name in a kubeconfig says nothing: two may be swapped, and a cluster made anew has the old one's name and address.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from live.cluster_api import ClusterAPI, NotFound, Refused, Unreachable, metadata
from stacks.desired import cluster_secret
from stacks.desired.contract import IDENTITY_ANNOTATION
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

OUTPUT = "identities"
"""The stack output: kept in Pulumi's state, so that an empty hub can't be taken for the one that it stands for."""
SERVERS = "spokes"
"""The stack output that has the server of each spoke."""
_PATH = "/api/v1/namespaces/kube-system"


@dataclass(frozen=True)
class Identities:
    """The identities of a stack's clusters, as far as they are known: the hub's, and each spoke's by its name."""

    hub: str = ""
    spokes: Mapping[str, str] = field(default_factory=dict)
    servers: Mapping[str, str] = field(default_factory=dict)
    """The server of each spoke, which is all that is known of some."""

    @classmethod
    def of_outputs(cls, outputs: Mapping[str, Any]) -> Identities:
        """What a stack's outputs have on record; nothing where a release before this one has made them."""
        found = outputs.get(OUTPUT) or {}
        return cls(
            str(found.get("hub") or ""),
            dict(found.get("spokes") or {}),
            dict(outputs.get(SERVERS) or {}),
        )

    def as_outputs(self) -> dict[str, Any]:
        """The stack's outputs that keep this on record."""
        return {
            OUTPUT: {"hub": self.hub, "spokes": dict(self.spokes)},
            SERVERS: dict(self.servers),
        }


def uid(api: ClusterAPI) -> str:
    """The identity of the cluster behind `api`. Raises Unreachable, Refused where it may not be asked."""
    found = metadata(_PATH, api.json(_PATH)).get("uid")
    if not found or not isinstance(found, str):
        raise Unreachable(f"{_PATH}: the answer has no uid; is this an API server?")
    return found


class AnotherCluster(Exception):
    """A context leads to another cluster than it should; the message names both."""


def known(fleet: Fleet, spoke: Spoke, hub: ClusterAPI) -> tuple[str, str]:
    """Which cluster the spoke is, by its block or its cluster Secret on the `hub`, and a warning where that is barred.

    Empty where the hub has none yet. Raises AnotherCluster where the hub isn't the one that the stack file names, and
    Unreachable where it can't be asked.
    """
    check("the hub", fleet.hub.identity or "", hub)
    if spoke.identity:
        return spoke.identity, ""
    path = f"/api/v1/namespaces/{fleet.argocd.namespace}/secrets/{cluster_secret.name(spoke)}"
    try:
        found = hub.metadata(path).get("annotations") or {}
    except NotFound:
        return "", ""
    except Refused as error:
        return "", (
            f'nothing tells whether this is the cluster "{spoke.name}": {error}; let your user read it, or write '
            "`identity:` into its block"
        )
    return str(found.get(IDENTITY_ANNOTATION) or ""), ""


def check(name: str, wanted: str, there: ClusterAPI) -> None:
    """Make sure that `there` is the cluster `wanted`, where that is known; `name` is what the stack file calls it.

    Raises AnotherCluster, and Unreachable where it doesn't answer.
    """
    if wanted and (live := uid(there)) != wanted:
        raise AnotherCluster(
            f"{name} is the cluster {wanted}, and its context leads to {live}; mend the kubeconfig. Only if the "
            f"cluster was made anew: write `identity: {live}` into its block"
        )


def of(fleet: Fleet) -> Identities:
    """The identities that `recognition.require` has filled in."""
    spokes = {spoke.name: spoke.identity for spoke in fleet.spokes if spoke.identity}
    servers = {spoke.name: spoke.server for spoke in fleet.spokes}
    return Identities(fleet.hub.identity or "", spokes, servers)
