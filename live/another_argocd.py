"""An Argo CD on the hub that this stack did not install: what would change for those who use it.

Asked only where owning it is about to be refused, or allowed: its Applications may be thousands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from live.cluster_api import ClusterAPI, NotFound
from stacks.desired.argocd_install import default_config
from stacks.desired.contract import STACK_LABEL
from stacks.desired.objects import KubernetesObject
from stacks.model.fleet import Fleet

GUIDE = "docs/topologies.md#an-argo-cd-that-is-there-already"
SERVER = "argocd-server"
_MEANS = {
    "application.resourceTrackingMethod": "every Application's resources are tracked anew",
    "cluster.inClusterEnabled": "Applications on the hub itself stop",
    "resource.respectRBAC": "what it may not list on a cluster it no longer reports",
}
_SHOWN = 5


@dataclass(frozen=True)
class AnotherArgoCD:
    """What there is, and what the stack's own would change.

    `owner` is the stack that its namespace's label names ("": none); `namespaces` are those with Applications, and how
    many; `by_default` counts those of the AppProject `default`. `settings` says of each key of `argocd-cm` that would
    be overwritten what it means. `images` are that of its server and that of the manifest's, where they differ.
    """

    namespace: str
    owner: str
    namespaces: Mapping[str, int]
    by_default: int
    sets: int
    projects: int
    settings: Sequence[str]
    images: tuple[str, str] | None

    def told(self) -> str:
        """What would change, as sentences without the last full stop."""
        places = ", ".join(sorted(self.namespaces)) or self.namespace
        found = [
            f"It is an Argo CD with {_count(sum(self.namespaces.values()), 'Application')} (in {places}), "
            f"{_count(self.sets, 'ApplicationSet')} and {_count(self.projects, 'AppProject')}"
        ]
        changes = []
        if self.by_default:
            count = _count(self.by_default, "Application")
            changes.append(f'AppProject "default" emptied, so that {count} would no longer sync')
        if self.settings:
            changes.append(f"in argocd-cm {', '.join(self.settings)}")
        if self.images:
            changes.append(f"the image {self.images[0]} replaced by {self.images[1]}")
        if changes:
            found.append(f"For them would change: {'; '.join(changes)}")
        return ". ".join(found)

    def remedy(self, stack: str, context: str, take_over: str) -> str:
        """What to do instead, and how to do it all the same."""
        own = f"one `up` with {take_over}=true"
        if self.owner != stack:
            label = f"kubectl --context {context} label namespace {self.namespace} {STACK_LABEL}={stack}"
            own = f"`{label}`, then {own}"
        elsewhere = [one for one in self.namespaces if one != self.namespace]
        named = (
            f" and write `namespace: {elsewhere[0]}`"
            if len(elsewhere) == len(self.namespaces) == 1
            else ""
        )
        return (
            f"Leave `manifest` out{named}, and this stack joins it; or let this stack have it: {own}. "
            f"Read {GUIDE} first"
        )


def read(
    api: ClusterAPI, fleet: Fleet, install: Iterable[KubernetesObject]
) -> AnotherArgoCD | None:
    """The Argo CD that others run on the hub behind `api`, held against `install`, what this stack would make there.

    None where nothing runs and no Application is there: then only objects were left over. Raises Unreachable.
    """
    namespace = fleet.argocd.namespace
    wanted = {(one["kind"], one["metadata"]["name"]): one for one in install}
    server = _get(api, f"/apis/apps/v1/namespaces/{namespace}/deployments/{SERVER}")
    # Of each only this much is kept: they are long.
    applications = [
        (str(one["metadata"]["namespace"]), (one.get("spec") or {}).get("project") or "default")
        for one in _items(api, "applications")
    ]
    if not server and not applications:
        return None
    config = _get(api, f"/api/v1/namespaces/{namespace}/configmaps/argocd-cm")
    images = _image(server), _image(wanted.get(("Deployment", SERVER), {}))
    labels = _get(api, f"/api/v1/namespaces/{namespace}").get("metadata", {}).get("labels") or {}
    return AnotherArgoCD(
        namespace=namespace,
        owner=str(labels.get(STACK_LABEL, "")),
        namespaces=Counter(place for place, _ in applications),
        by_default=applications.count((namespace, "default")),
        sets=sum(1 for _ in _items(api, "applicationsets")),
        projects=sum(1 for _ in _items(api, "appprojects")),
        settings=_settings(fleet, config, wanted.get(("ConfigMap", "argocd-cm"), {}))
        if server
        else (),
        images=images if all(images) and images[0] != images[1] else None,
    )


def _settings(fleet: Fleet, live: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """The keys of `argocd-cm` that would be overwritten, with values only where they can't be a secret."""
    there, ours = live.get("data") or {}, wanted.get("data") or {}
    own = default_config(fleet)
    found = [
        f"{key}: {there.get(key) or 'unset'} -> {ours[key]} ({_MEANS[key]})"
        for key in own
        if key in ours and there.get(key) != ours[key]
    ]
    found += [key for key in ours if key not in own and there.get(key, ours[key]) != ours[key]]
    more = [f"and {len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return found[:_SHOWN] + more


def _image(deployment: Mapping[str, Any]) -> str:
    try:
        return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])
    except (KeyError, IndexError, TypeError):
        return ""


def _get(api: ClusterAPI, path: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = api.json(path)
    except NotFound:
        return {}
    return found


def _items(api: ClusterAPI, kind: str) -> Iterable[dict[str, Any]]:
    """Every object of one of Argo CD's kinds; none where there is no such kind."""
    try:
        yield from api.items(f"/apis/argoproj.io/v1alpha1/{kind}")
    except NotFound:
        return


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
