"""A small gitops-config repo for the tests of `fleet lint`: nothing is wrong with it until a test changes that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from gitops.finding import Finding
from gitops.lint import lint
from stacks.model.fleet import Fleet
from tests.unit.live_hub import a_fleet, a_spoke

SETS = [
    {"name": "platform-services", "layout": "platform"},
    {"name": "services", "layout": "services"},
]
STORE_CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "externalsecrets.external-secrets.io"},
    "spec": {
        "group": "external-secrets.io",
        "scope": "Namespaced",
        "names": {"kind": "ExternalSecret", "plural": "externalsecrets"},
        "versions": [
            {
                "name": "v1",
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "refreshInterval": {"type": "string"},
                                    "secretStoreRef": {
                                        "type": "object",
                                        "properties": {
                                            "name": {"type": "string"},
                                            "kind": {"type": "string"},
                                        },
                                    },
                                    "data": {"type": "array", "items": {"type": "object"}},
                                    "target": {"type": "object"},
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}


def deployment(image: str = "registry.example.com/web:v1") -> dict[str, Any]:
    labels = {"app": "web"}
    containers = [{"name": "web", "image": image}]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
        },
    }


def external_secret(
    key: str = "production/web/db", store: str = "vault-backend", kind: str = "ClusterSecretStore"
) -> dict[str, Any]:
    return {
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "db"},
        "spec": {
            "secretStoreRef": {"name": store, "kind": kind},
            "data": [{"secretKey": "password", "remoteRef": {"key": key, "property": "password"}}],
        },
    }


@dataclass
class Repo:
    """The repo's folder, and the fleet that deploys it: spokes prod-1 and prod-2, one service `web`."""

    folder: Path
    fleet: Fleet
    cache: Path | None = None

    def write(self, path: str, *objects: Mapping[str, Any]) -> None:
        """A file of the repo."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump_all(objects))

    def kustomization(self, directory: str, **body: Any) -> None:
        """A directory's kustomization."""
        self.write(f"{directory}/kustomization.yaml", body)

    def lint(self, **stacks: Fleet) -> list[Finding]:
        return lint(self.folder, stacks or {"production": self.fleet}, [STORE_CRD], self.cache)

    def said(self, **stacks: Fleet) -> list[str]:
        """The findings as `fleet lint` prints them."""
        return [str(one) for one in self.lint(**stacks)]


def production(**changes: Any) -> Fleet:
    """The stack that deploys it."""
    return a_fleet(
        **{
            "environments": ["production"],
            "spokes": [a_spoke("prod-1"), a_spoke("prod-2")],
            "applicationSets": SETS,
            **changes,
        }
    )


def a_repo(folder: Path) -> Repo:
    """As `fleet lint` wants one."""
    repo = Repo(folder, production())
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "web"}}
    policy = {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "default-deny", "namespace": "web"},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress"]},
    }
    repo.write("base/namespaces/namespaces.yaml", namespace, policy)
    repo.kustomization("base/namespaces", resources=["namespaces.yaml"])
    for spoke in ("prod-1", "prod-2"):
        repo.kustomization(f"clusters/{spoke}/platform", resources=["../../../base/namespaces"])
    repo.write("apps/web/base/deployment.yaml", deployment())
    repo.write("apps/web/base/external-secret.yaml", external_secret())
    repo.kustomization("apps/web/base", resources=["deployment.yaml", "external-secret.yaml"])
    overlay = {"namespace": "web", "resources": ["../../base"]}
    repo.kustomization("apps/web/overlays/production", **overlay)
    return repo
