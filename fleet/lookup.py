"""Does an object that Pulumi was creating exist? Asked of the clusters themselves."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fleet.pending import Live, Pending, State, identity, moment
from live.cluster_api import ClusterAPI, NotFound, Unreachable
from live.field_managers import PULUMI
from live.identity import check
from stacks.desired.contract import STACK_LABEL


@dataclass(frozen=True)
class Cluster:
    """A cluster as today's kubeconfig reaches it, and which one it must be; empty where nobody knows."""

    api: ClusterAPI
    identity: str = ""


def look_up(
    pending: Iterable[Pending], cluster: Callable[[str], Cluster | None]
) -> dict[str, Live]:
    """What the clusters say of the Kubernetes objects among `pending` that were being created, by URN.

    `cluster` finds the cluster of a provider's name. Objects of an unknown cluster, and Vault's, are left to
    `pulumi refresh`, which finds out by reading them. Raises AnotherCluster where one is another than it must be.
    """
    asked = [
        entry
        for entry in pending
        if entry.operation == "creating"
        and entry.type.startswith("kubernetes:")
        and identity(entry)
    ]
    clusters = {name: cluster(name) for name in {entry.provider for entry in asked}}
    known = {name: one for name, one in clusters.items() if one}
    with ThreadPoolExecutor(max_workers=16) as pool:
        trouble = dict(zip(known, pool.map(_trouble, known, known.values()), strict=True))
        answers = {
            entry.urn: pool.submit(_ask, known[entry.provider].api, entry)
            for entry in asked
            if entry.provider in known and not trouble[entry.provider]
        }
        found = {urn: answer.result() for urn, answer in answers.items()}
    mute = {
        entry.urn: Live(None, reason=trouble[entry.provider])
        for entry in asked
        if trouble.get(entry.provider)
    }
    return {entry.urn: {**found, **mute}[entry.urn] for entry in asked if entry.provider in known}


def _trouble(name: str, cluster: Cluster) -> str:
    """Why the cluster of this name doesn't say which one it is; empty where it does."""
    try:
        check(f'"{name}"' if name != "hub" else "the hub", cluster.identity, cluster.api)
    except Unreachable as error:
        return f"{name}: {error}; run this again when it answers"
    return ""


def _ask(api: ClusterAPI, pending: Pending) -> Live:
    version, kind = str(pending.inputs.get("apiVersion", "")), str(pending.inputs.get("kind", ""))
    namespace, _, name = str(identity(pending)).rpartition("/")
    base = f"/api/{version}" if "/" not in version else f"/apis/{version}"
    try:
        entry = next(
            (
                r
                for r in api.json(base).get("resources") or ()
                if r.get("kind") == kind and "/" not in r.get("name", "")
            ),
            None,
        )
        if entry is None:
            return Live(False)
        inside = f"/namespaces/{namespace or 'default'}" if entry.get("namespaced") else ""
        return _seen(api.json(f"{base}{inside}/{entry['name']}/{name}"))
    except NotFound:
        return Live(False)
    except Unreachable as error:
        return Live(None, reason=f"{pending.provider}: {error}; run this again when it answers")


def _seen(item: dict[str, Any]) -> Live:
    metadata = item.get("metadata") or {}
    return Live(
        True,
        pulumi_manager(item),
        owner=(metadata.get("labels") or {}).get(STACK_LABEL, ""),
        created=moment(metadata.get("creationTimestamp")),
    )


def pulumi_manager(item: dict[str, Any]) -> str:
    """The field manager under which Pulumi last applied an object; empty where it didn't.

    There may be several: the official plugin makes up a name whenever it creates, and before 4.29 it also "creates"
    what an earlier killed run has made already.
    """
    entries = (item.get("metadata") or {}).get("managedFields") or ()
    names = {
        str(entry.get("time", "")): str(entry["manager"])
        for entry in entries
        if str(entry.get("manager", "")).startswith(PULUMI)
    }
    return names[max(names)] if names else ""


def as_applied(state: State, urns: Collection[str]) -> State | None:
    """A copy of a refreshed state in which these objects go on under the name that they were applied by.

    None where they do so already. Where a cluster was not asked, the plugin made up another name at the refresh, and
    the API server would refuse the next change of the object as a conflict between the two.
    """
    changed = copy.deepcopy(state)
    found = False
    for resource in changed["deployment"].get("resources") or ():
        outputs = resource.get("outputs") or {}
        manager = pulumi_manager(outputs)
        if resource["urn"] in urns and manager and outputs.get("__fieldManager") != manager:
            outputs["__fieldManager"] = manager
            found = True
    return changed if found else None
