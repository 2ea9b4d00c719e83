"""What is wrong with a gitops-config repo, said so that whoever committed it can mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]

RULES = {
    "build": "Kustomize builds every directory that Argo CD reads, and every overlay.",
    "directory": "What an ApplicationSet reads is there for every spoke, and every overlay is of an environment.",
    "team": "Services are where the set of their team looks for them, or of no team.",
    "application": "No two Applications have one name, and no directory under apps/ is left out by its name.",
    "schema": "Objects are valid by the schema of their kind.",
    "secret": "No Secret with content: it comes from Vault.",
    "image": "Images have a tag other than latest, or a digest.",
    "namespace": "The platform makes the namespaces that services deploy into.",
    "network-policy": "Namespaces with workloads have a NetworkPolicy.",
    "external-secret": "ExternalSecrets name a store of the spoke, and paths that its policy in Vault lets it read.",
    "promotion": "With --base: no version moved by a hand on the tag.",
    "project": "The AppProject lets in what is deployed through it.",
    "rbac": "argocd-manager may make what is deployed to its spoke.",
}
"""The rules by name, each with what it asks for."""


@dataclass(frozen=True, order=True)
class Finding:
    """One thing wrong: `path` is a file or directory of the repo, `line` counts from 1, 0 where there is none."""

    path: str
    line: int
    rule: str
    message: str
    severity: Severity = "error"

    def __str__(self) -> str:
        place = f"{self.path}:{self.line}" if self.line else self.path
        return f"{place}: {self.rule}: {self.message}"
