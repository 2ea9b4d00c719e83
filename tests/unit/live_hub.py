"""A hub for tests: answers lists as its API server would, from objects that a stack has made or a hand has."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from live.cluster_api import ClusterAPI, NotFound
from stacks.desired import application_sets, contract, projects, sets
from stacks.model.auth import VaultAuth
from stacks.model.fleet import Fleet

CANARY = "bearer-canary"
NAMESPACE = "argocd"
KINDS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"
NAMESPACES = "/api/v1/namespaces"


def a_fleet(**changes: Any) -> Fleet:
    """Two spokes and two sets on a hub of its own; `changes` are keys of the stack file."""
    return Fleet.model_validate(
        {
            "environments": ["production", "staging"],
            "hub": {"context": "hub"},
            "argocd": {"manifest": "install.yaml"},
            "gitops": {"repo": "https://git.example.com/gitops-config.git"},
            "vault": {"address": "https://vault.example.com"},
            "externalSecrets": {"chart": "chart"},
            "spokes": [a_spoke("prod-1"), a_spoke("staging", environment="staging")],
            "applicationSets": [
                {
                    "name": "platform-services",
                    "layout": "platform",
                    "selector": {"environment": "production"},
                },
                {"name": "services", "layout": "services"},
            ],
            **changes,
        }
    )


def a_spoke(name: str, **changes: Any) -> dict[str, Any]:
    """A production spoke's block, with the server that loading would fill in."""
    return {
        "name": name,
        "environment": "production",
        "region": "us-east-1",
        "server": f"https://{name}.example.com",
        **changes,
    }


class LiveHub(ClusterAPI):
    """Lists by path, with label selectors of the two forms that Fleet uses. `asked` counts the requests."""

    def __init__(self) -> None:
        self.lists: dict[str, list[dict[str, Any]]] = {NAMESPACES: [], SECRETS: []}
        self.failures: dict[str, Exception] = {}
        self.asked: list[str] = []

    def json(self, path: str) -> Any:
        self.asked.append(path)
        url = urlsplit(path)
        if url.path in self.failures:
            raise self.failures[url.path]
        if one := self._one(url.path):
            return json.loads(json.dumps(one))
        items = self._list(url.path)
        wanted = parse_qs(url.query).get("labelSelector", [""])[0]
        found = [item for item in items if _selected(item, wanted)]
        return json.loads(json.dumps({"items": found}))

    def metadata(self, path: str) -> dict[str, Any]:
        self.asked.append(path)
        if path in self.failures:
            raise self.failures[path]
        if one := self._one(path):
            return dict(json.loads(json.dumps(one["metadata"])))
        raise NotFound(f"{path}: not found")

    def _one(self, path: str) -> dict[str, Any] | None:
        kind, _, name = path.rpartition("/")
        items = self.lists.get(kind, ())
        return next((one for one in items if one["metadata"]["name"] == name), None)

    def _list(self, path: str) -> list[dict[str, Any]]:
        """As an API server has it: a kind that it doesn't know is a 404, a namespace without objects is not."""
        group, _, kind = path.rpartition("/")
        everywhere = re.compile(rf"{re.escape(group)}/namespaces/([^/]+)/{kind}")
        inside = {one[1]: key for key in self.lists if (one := everywhere.fullmatch(key))}
        if path not in self.lists and not inside:
            if path.startswith("/api/v1/") and kind in ("secrets", "namespaces"):
                return []
            raise NotFound(f"{path}: not found")
        for namespace, key in inside.items():
            for one in self.lists[key]:
                one["metadata"]["namespace"] = namespace
        return self.lists.get(path, []) + [
            one for key in inside.values() for one in self.lists[key]
        ]

    def has(self, path: str, by: str, **body: Any) -> None:
        """An object at `path`, made by the field manager `by`."""
        kind, _, name = path.rpartition("/")
        self.lists.setdefault(kind, []).append({**_object(name, "", by), **body})

    def with_argocd(self, owner: str = "") -> LiveHub:
        """Argo CD installed, by the stack `owner` or by hand."""
        self.lists[NAMESPACES].append(_object(NAMESPACE, owner))
        for kind in ("applicationsets", "appprojects", "applications"):
            self.lists[f"{KINDS}/{kind}"] = []
        if owner:
            for name in (sets.PROJECT, sets.SERVICES_PROJECT, sets.HUB_PROJECT):
                self.project(name, owner)
        return self

    def up(self, fleet: Fleet, stack: str) -> LiveHub:
        """What `pulumi up` of the stack leaves, and Argo CD after it."""
        if fleet.owns_hub:
            self.with_argocd(stack)
            kinds = f"{KINDS}/appprojects"
            self.lists[kinds] = [
                {**_object(name, stack), "spec": spec}
                for name, spec in projects.of_hub(fleet).items()
            ]
        for spoke in fleet.spokes:
            self.cluster(spoke.name, spoke.server, contract.labels(fleet, stack, spoke), stack)
            if spoke.identity:
                told = {contract.IDENTITY_ANNOTATION: spoke.identity}
                self.lists[SECRETS][-1]["metadata"]["annotations"] |= told
            if fleet.protects(spoke):
                protected = {contract.PROTECTED_ANNOTATION: "true"}
                self.lists[SECRETS][-1]["metadata"]["annotations"] |= protected
            if isinstance(spoke.auth, VaultAuth):
                owner = {"kind": "ExternalSecret", "name": f"cluster-{spoke.name}"}
                self.lists[SECRETS][-1]["metadata"]["ownerReferences"] = [owner]
        for one in sets.every(fleet):
            spec = application_sets.set_spec(fleet, stack, one)
            template = spec["template"]["metadata"]["name"]
            self.set(one.name, stack, spec["generators"][0], template, preserve=one.preserve)
            for spoke in fleet.spokes:
                if sets.takes(fleet, one, contract.labels(fleet, stack, spoke)):
                    of_one = sets.application_name(one, spoke.name)
                    services = one.team.namespaces if isinstance(one, sets.TeamSet) else "ab"
                    for made in [of_one] if of_one else [f"{spoke.name}-{x}" for x in services]:
                        self.application(made, one.name, spoke.name)
                        self.lists[f"{KINDS}/applications"][-1]["spec"] = {
                            "project": sets.project_for(one, spoke),
                            "destination": {"namespace": made.removeprefix(f"{spoke.name}-")},
                        }
        if any(fleet.delivery_of(spoke) == "argocd" for spoke in fleet.spokes):
            called = sets.external_secrets_set(stack)
            selector = {"clusters": {"selector": sets.external_secrets_selector(stack)}}
            self.set(called, stack, selector, "{{.name}}-external-secrets")
            self.project(called, stack)
        return self

    def cluster(
        self, name: str, server: str, labels: dict[str, str], owner: str = "", manager: str = ""
    ) -> None:
        """A cluster Secret, with a credential in it and in the annotation that client-side apply leaves."""
        item = _object(f"cluster-{name}", owner, manager)
        item["metadata"]["labels"] |= {**contract.CLUSTER_SECRET_TYPE, **labels}
        item["metadata"]["annotations"] = {
            "kubectl.kubernetes.io/last-applied-configuration": CANARY
        }
        data = {"name": name, "server": server, "config": json.dumps({"bearerToken": CANARY})}
        item["data"] = {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}
        self.lists[SECRETS].append(item)

    def set(
        self,
        name: str,
        owner: str,
        generator: dict[str, Any],
        template: str = "{{.name}}-x",
        *,
        preserve: bool = True,
        manager: str = "",
    ) -> None:
        """An ApplicationSet."""
        item = _object(name, owner, manager)
        item["spec"] = {
            "generators": [generator],
            "syncPolicy": {
                "applicationsSync": "create-update" if preserve else "sync",
                "preserveResourcesOnDeletion": preserve,
            },
            "template": {"metadata": {"name": template}},
        }
        self.lists[f"{KINDS}/applicationsets"].append(item)

    def project(
        self, name: str, owner: str, manager: str = "", *, repo: str = "*", server: str = "*"
    ) -> None:
        """An AppProject, which lets in `repo` and lets deploy to `server`; both may be patterns."""
        item = _object(name, owner, manager)
        places = [{"server": server, "namespace": "*"}]
        item["spec"] = {"sourceRepos": [repo], "destinations": places}
        self.lists[f"{KINDS}/appprojects"].append(item)

    def application(self, name: str, owner: str, cluster: str) -> None:
        """An Application of the set `owner`."""
        item = _object(name, "")
        item["metadata"]["labels"] = {"cluster_name": cluster}
        item["metadata"]["ownerReferences"] = [{"kind": "ApplicationSet", "name": owner}]
        self.lists[f"{KINDS}/applications"].append(item)

    def unlabelled(self) -> LiveHub:
        """The same hub as a version of Fleet left it that knew no stack label, and `platform` for all sets."""
        projects = f"{KINDS}/appprojects"
        later = (sets.SERVICES_PROJECT, sets.HUB_PROJECT)
        self.lists[projects] = [
            one for one in self.lists[projects] if one["metadata"]["name"] not in later
        ]
        for items in self.lists.values():
            for item in items:
                item["metadata"]["labels"].pop(contract.STACK_LABEL, None)
        return self


def _object(name: str, owner: str, manager: str = "") -> dict[str, Any]:
    by = manager or ("pulumi-kubernetes-1a2b" if owner else "kubectl")
    labels = {contract.STACK_LABEL: owner} if owner else {}
    managed = [{"manager": by, "fieldsV1": {"f:spec": {}}}]
    return {"metadata": {"name": name, "labels": labels, "managedFields": managed}}


def _selected(item: dict[str, Any], wanted: str) -> bool:
    labels = item["metadata"].get("labels") or {}
    if " in " in wanted:
        key, _, values = wanted.partition(" in ")
        return labels.get(key) in values.strip("()").split(",")
    key, _, value = wanted.partition("=")
    return not wanted or labels.get(key) == value
