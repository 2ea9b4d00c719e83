"""What is deployed to each spoke: namespaces, network policies, ExternalSecrets; and whether Argo CD may do it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain

from gitops import permissions
from gitops.applications import Application
from gitops.finding import Finding, Severity
from gitops.kustomize import Rendered
from gitops.repo import Repo, namespace_of
from stacks.desired import projects, vault_identity
from stacks.desired.policy_paths import covers
from stacks.desired.vault_identity import Grant
from stacks.model.fleet import Fleet
from stacks.model.spoke import Spoke

_WORKLOADS = {
    "CronJob",
    "DaemonSet",
    "Deployment",
    "Job",
    "Pod",
    "ReplicaSet",
    "Rollout",
    "StatefulSet",
}
_OPEN = "anything in the cluster may reach what runs there"
_NAMED = 3
Say = Callable[[Rendered | None, str, str, str, Severity], None]


@dataclass
class _Said:
    """Findings, each with the spokes that it is of: one line for fifty spokes that have the same."""

    repo: Repo
    spokes: dict[tuple[str, int, str, str, Severity], list[str]] = field(default_factory=dict)

    def add(
        self,
        application: Application,
        one: Rendered | None,
        rule: str,
        said: str,
        severity: Severity = "error",
    ) -> None:
        path = application.tree.shown + ((one.file if one else "") or application.path)
        text = f"{one.kind} {one.name}: {said}" if one else said
        key = (path, self.repo.line(one, application.tree) if one else 0, rule, text, severity)
        its = self.spokes.setdefault(key, [])
        if application.spoke.name not in its:
            its.append(application.spoke.name)

    def findings(self) -> Iterator[Finding]:
        for (path, line, rule, text, severity), names in self.spokes.items():
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            yield Finding(
                path, line, rule, f"{text} (on {', '.join(names[:_NAMED])}{more})", severity
            )


def findings(repo: Repo) -> Iterator[Finding]:
    """What is wrong with what goes to each spoke."""
    said = _Said(repo)
    specs = projects.of_hub(repo.owner[1]) if repo.owner else {}
    known: dict[str, permissions.Rules | None] = {}
    for _, fleet, applications in repo.of_spokes():
        made = _made(repo, applications)
        grants = _grants(fleet, applications[0])
        rules = known.setdefault(*_rights(fleet, applications[0].spoke))
        # Of a platform that isn't there, or doesn't build, that is told, and not what is missing for it.
        whole = "" in repo.trees and all(
            map(repo.objects, (one for one in applications if one.layout != "services"))
        )
        for application in applications:
            for one in repo.objects(application):
                _allowed(repo, said, application, one, specs, rules)
                if one.kind == "ExternalSecret":
                    _external_secret(said, application, one, grants, made)
                if whole and one.kind == "Namespace" and one.name not in made.policies:
                    said.add(application, one, "network-policy", f"has no NetworkPolicy: {_OPEN}")
            if whole:
                _namespaces(repo, said, application, made, specs)
    yield from said.findings()


def _rights(fleet: Fleet, spoke: Spoke) -> tuple[str, permissions.Rules | None]:
    """What Argo CD may do there, by what spokes with the same rights have in common."""
    found = permissions.of_spoke(fleet, spoke)
    return json.dumps([found.rules, sorted(found.namespaces)]) if found else "", found


@dataclass(frozen=True)
class _Made:
    """What a spoke gets: Namespaces, namespaces with a NetworkPolicy, SecretStores by namespace and name."""

    namespaces: frozenset[str]
    policies: frozenset[str]
    stores: frozenset[tuple[str, str]]


def _made(repo: Repo, applications: list[Application]) -> _Made:
    namespaces, policies, stores = set(), set(), set()
    for application in applications:
        for one in repo.objects(application):
            match one.kind:
                case "Namespace":
                    namespaces.add(one.name)
                case "NetworkPolicy":
                    policies.add(namespace_of(one, application))
                case "SecretStore":
                    stores.add((namespace_of(one, application), one.name))
    return _Made(frozenset(namespaces), frozenset(policies), frozenset(stores))


def _grants(fleet: Fleet, application: Application) -> dict[str, Grant]:
    """The spoke's ClusterSecretStores, by name, each with what may be read by it."""
    if not fleet.vault:
        return {}
    return {one.store: one for one in vault_identity.of_spoke(fleet, application.spoke).grants}


def _allowed(
    repo: Repo,
    said: _Said,
    application: Application,
    one: Rendered,
    specs: Mapping[str, projects.Spec],
    rules: permissions.Rules | None,
) -> None:
    wide = repo.kinds.is_cluster_wide(one)
    if wide is None:
        return  # Told by its schema.
    namespace = "" if wide else namespace_of(one, application)
    spec = specs.get(application.project)
    if spec and (why := permissions.shut_out(spec, one, namespace)):
        said.add(
            application,
            one,
            "project",
            f'AppProject "{application.project}" {why}; see docs/concepts.md#who-may-deploy-what-where',
        )
        return
    if rules and (why := rules.lacks(one.group, repo.kinds.resource(one), one.name, namespace)):
        said.add(
            application,
            one,
            "rbac",
            f"argocd-manager {why}; give it by `rbac.rules` in the stack file",
        )


def _namespaces(
    repo: Repo,
    said: _Said,
    application: Application,
    made: _Made,
    specs: Mapping[str, projects.Spec],
) -> None:
    if application.layout != "services":
        return
    workloads = {
        namespace_of(one, application)
        for one in repo.objects(application)
        if one.kind in _WORKLOADS
    }
    spec = specs.get(application.project)
    makes = spec is not None and any(
        one["kind"] == "Namespace" and not one["group"]
        for one in spec.get("clusterResourceWhitelist") or ()
    )
    objects = repo.objects(application)
    wanted = {
        namespace_of(one, application)
        for one in objects
        if repo.kinds.is_cluster_wide(one) is False
    }
    for namespace in sorted(wanted - made.namespaces):
        if not makes:
            said.add(
                application,
                None,
                "namespace",
                f'deploys into "{namespace}", which nothing of the platform\'s makes there, and services may not make '
                "namespaces",
                "warning",
            )
    # Of those that the repo makes, it is told where they are made.
    for namespace in sorted(workloads - made.policies - made.namespaces):
        said.add(
            application,
            None,
            "network-policy",
            f'runs Pods in "{namespace}", where no NetworkPolicy is: {_OPEN}',
        )


def _external_secret(
    said: _Said, application: Application, one: Rendered, grants: Mapping[str, Grant], made: _Made
) -> None:
    spec = one.object.get("spec")
    if not isinstance(spec, dict):
        return
    reference = spec.get("secretStoreRef")
    if not isinstance(reference, dict):
        return  # Told by its schema; or each entry names its own.
    name, kind = str(reference.get("name") or ""), reference.get("kind") or "SecretStore"
    namespace = namespace_of(one, application)
    if kind == "SecretStore":
        if (namespace, name) not in made.stores:
            said.add(
                application,
                one,
                "external-secret",
                f'names the SecretStore "{name}", which nothing makes in "{namespace}"; for one of Fleet\'s write '
                "`kind: ClusterSecretStore`",
            )
        return
    grant = grants.get(name)
    if not grant:
        known = ", ".join(grants) or "none"
        said.add(
            application,
            one,
            "external-secret",
            f'names the store "{name}", and the spoke has {known}',
        )
        return
    limited = [one["namespaces"] for one in grant.conditions if "namespaces" in one]
    # By labels too: which namespaces have them, only the cluster knows.
    if limited and len(limited) == len(grant.conditions) and namespace not in chain(*limited):
        said.add(
            application,
            one,
            "external-secret",
            f'store "{name}" is not for the namespace "{namespace}"',
        )
    for key in _keys(spec):
        path = key.removeprefix(f"{grant.mount}/").removeprefix("data/")
        if not any(covers(pattern, path) for pattern in grant.read_paths):
            said.add(
                application,
                one,
                "external-secret",
                f'reads "{key}", and the policy of store "{name}" lets it read {", ".join(grant.read_paths)}',
            )


def _keys(spec: Mapping[str, object]) -> Iterator[str]:
    """The paths in Vault that an ExternalSecret names."""
    for part in ("data", "dataFrom"):
        entries = spec.get(part)
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict):
                found = entry.get("remoteRef") or entry.get("extract") or {}
                if isinstance(found, dict) and isinstance(found.get("key"), str):
                    yield found["key"]
