"""The platform's part of the gitops-config repo: what every cluster has, and each cluster's own directory."""

from __future__ import annotations

from collections.abc import Iterable

from gitops.scaffold.facts import Facts
from gitops.scaffold.service import Files
from gitops.scaffold.templates import kustomization, rendered, scalar, text
from stacks.desired.sets import PLATFORM
from stacks.model.spoke import Spoke

_POLICIES = ("default-deny", "allow-dns", "allow-same-namespace")
_KEPT = """\
# A namespace holds what other Applications own. Taking it out of git must not delete it, and with it
# all that runs there: a person does that, on purpose, with kubectl.
commonAnnotations:
  argocd.argoproj.io/sync-options: Prune=false,Delete=false
"""


def files(facts: Facts, services: Iterable[str]) -> Files:
    """base/ with a namespace for each of these services, and clusters/ with each spoke."""
    namespaces = [*sorted(services), PLATFORM]
    found = {**_namespaces(facts, namespaces), **_policies(namespaces), **_rbac(facts, namespaces)}
    for spoke in facts.platforms.values():
        found |= _cluster(spoke)
    return found


def _namespaces(facts: Facts, namespaces: list[str]) -> Files:
    found = {
        f"base/namespaces/{name}.yaml": rendered(
            "platform/namespace.yaml", namespace=name, team=_team_label(facts, name)
        )
        for name in namespaces
    }
    whole = kustomization(*(f"{name}.yaml" for name in namespaces), below=_KEPT)
    return {**found, "base/namespaces/kustomization.yaml": whole}


def _team_label(facts: Facts, namespace: str) -> str:
    team = facts.team_of(namespace)
    name = PLATFORM if namespace == PLATFORM else team.name if team else ""
    return f"    team: {scalar(name)}\n" if name else ""


def _policies(namespaces: list[str]) -> Files:
    folder = "base/network-policies"
    found = {
        f"{folder}/{name}/kustomization.yaml": kustomization(
            "../policies", above=f"namespace: {scalar(name)}\n"
        )
        for name in namespaces
    }
    found |= {
        f"{folder}/policies/{name}.yaml": text(f"platform/policies/{name}.yaml")
        for name in _POLICIES
    }
    found[f"{folder}/policies/kustomization.yaml"] = kustomization(
        *(f"{name}.yaml" for name in _POLICIES)
    )
    found[f"{folder}/kustomization.yaml"] = kustomization(
        *namespaces,
        above="# The same policies for every namespace. A service that may talk to more says so in its own base.\n",
    )
    return found


def _rbac(facts: Facts, namespaces: list[str]) -> Files:
    found = {
        f"base/rbac/{name}.yaml": text(f"platform/{name}.yaml")
        for name in ("read-only-role", "platform-binding")
    }
    for name in namespaces:
        if team := facts.team_of(name):
            # Behind the two above, and never by the name of one of them.
            found[f"base/rbac/team-{name}.yaml"] = rendered(
                "platform/team-binding.yaml", team=team.name, namespace=name
            )
    names = [path.rpartition("/")[2] for path in found]
    return {**found, "base/rbac/kustomization.yaml": kustomization(*names)}


def _cluster(spoke: Spoke) -> Files:
    folder = f"clusters/{spoke.name}/platform"
    # On the hub itself nobody may hand out rights by git.
    shared = ["namespaces", "network-policies", *([] if spoke.in_cluster else ["rbac"])]
    return {
        f"{folder}/cluster-info.yaml": rendered(
            "platform/cluster-info.yaml",
            cluster=spoke.name,
            region=spoke.region,
            environment=spoke.environment,
        ),
        f"{folder}/kustomization.yaml": kustomization(
            *(f"../../../base/{name}" for name in shared), "cluster-info.yaml"
        ),
    }
