"""One service: Kustomize base and an overlay for each environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gitops.scaffold.facts import Facts
from gitops.scaffold.templates import kustomization, listed, rendered, scalar

# https://github.com/distribution/reference; without a digest, which takes no tag.
_IMAGE = re.compile(r"[a-z0-9]([\w.-]*(:[0-9]+(?=/))?)(/[a-z0-9][\w.-]*)*")
_TAG = re.compile(r"\w[\w.-]{0,127}")
_SECRET = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_PATH = re.compile(r"(?!\.)[\w.-]+(/(?!\.)[\w.-]+)*")
_KEY = re.compile(r"[\w.-]{1,253}")
Files = dict[str, str]
"""Content by path in the repo."""


@dataclass(frozen=True)
class Secret:
    """A secret of Vault for a service: the Kubernetes Secret that it becomes, its path below the mount, its keys."""

    name: str
    path: str
    keys: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Service:
    """What a new service is made of. `tags` are those of its image by environment, where one has another."""

    name: str
    image: str
    tag: str = "v0.1.0"
    tags: Mapping[str, str] = field(default_factory=dict)
    port: int = 8080
    secret: Secret | None = None
    store: str | None = None
    canary: bool = False


def problem(service: Service) -> str:
    """What is wrong with what a person gave for a service, its name aside; empty where nothing is."""
    secret = service.secret
    if not _IMAGE.fullmatch(service.image):
        return f'"{service.image}" is no image: write e.g. ghcr.io/acme/{service.name}, with a tag or without'
    for tag in (service.tag, *service.tags.values()):
        if not _TAG.fullmatch(tag) or tag == "latest":
            return f'"{tag}" is no tag that stays what it is: write e.g. v1.0.0'
    if secret and not _SECRET.fullmatch(secret.name):
        return (
            f'"{secret.name}" is no name of a Secret: use lower-case letters, digits, "-" and "."'
        )
    if secret and not _PATH.fullmatch(secret.path):
        return f'"{secret.path}" is no path in Vault: write it as below the mount, e.g. {service.name}/db'
    if secret and (bad := [key for key in secret.keys if not _KEY.fullmatch(key)]):
        return f'"{bad[0]}" is no key of a Secret: use letters, digits, "-", "_" and "."'
    return ""


def files(facts: Facts, service: Service, folder: str) -> Files:
    """The service's files below `folder`. Raises ScaffoldError where no spoke has its store."""
    root = f"{folder}/{service.name}"
    found = {f"{root}/base/{name}": text for name, text in _base(facts, service).items()}
    for environment, protected in facts.environments.items():
        overlay = _overlay(facts, service, environment, protected)
        found |= {f"{root}/overlays/{environment}/{name}": text for name, text in overlay.items()}
    return found


def _base(facts: Facts, service: Service) -> Files:
    name, secret = service.name, service.secret
    workload = "rollout" if service.canary else "deployment"
    pod = rendered(
        "service/pod.yaml",
        service=name,
        image=service.image,
        port=service.port,
        secret_env=_secret_env(secret) if secret else "",
    )
    found = {
        f"{workload}.yaml": rendered(
            f"service/{workload}.yaml", service=name, pod=pod.rstrip("\n")
        ),
        "service.yaml": rendered("service/service.yaml", service=name),
        "hpa.yaml": rendered(
            "service/hpa.yaml",
            service=name,
            api_version="argoproj.io/v1alpha1" if service.canary else "apps/v1",
            kind="Rollout" if service.canary else "Deployment",
        ),
    }
    if service.canary:
        found["analysis-template.yaml"] = rendered("service/analysis-template.yaml")
    if secret:
        store, mount = facts.store(service.store)
        data = "".join(
            rendered("service/remote.yaml", key=key, path=f"{mount}/data/{secret.path}")
            for key in secret.keys
        )
        found["external-secret.yaml"] = rendered(
            "service/external-secret.yaml", secret=secret.name, store=store, data=data.rstrip("\n")
        )
    return {**found, "kustomization.yaml": kustomization(*found)}


def _secret_env(secret: Secret) -> str:
    last = secret.path.rpartition("/")[2]
    return "".join(
        rendered(
            "service/secret-env.yaml",
            variable=re.sub(r"\W+", "_", f"{last}_{key}").upper(),
            secret=secret.name,
            key=key,
        )
        for key in secret.keys
    )


def _overlay(facts: Facts, service: Service, environment: str, protected: bool) -> Files:
    prefix = "rollout-" if service.canary else ""
    change = "resources.yaml" if protected else "env.yaml"
    patches: Files = (
        {"replicas.yaml": rendered("service/replicas.yaml", service=service.name)}
        if protected
        else {}
    )
    patches[change] = rendered(f"service/{prefix}{change}", service=service.name)
    targets = {change: ("Rollout", service.name)} if service.canary else {}
    if service.secret and (moved := _moved(facts, service, service.secret, environment)):
        patches["vault-path.yaml"] = moved
        targets["vault-path.yaml"] = ("ExternalSecret", service.secret.name)
    whose = (
        "Promoted by a pull request, after it was tested elsewhere."
        if protected
        else "CI moves this tag by `fleet promote`, on every build that passes."
    )
    entries = [
        f"path: {name}"
        + (
            f"\n    target: {{kind: {targets[name][0]}, name: {scalar(targets[name][1])}}}"
            if name in targets
            else ""
        )
        for name in patches
    ]
    overlay = rendered(
        "service/overlay.yaml",
        service=service.name,
        patches=listed(entries).rstrip("\n"),
        whose=whose,
        image=service.image,
        tag=service.tags.get(environment, service.tag),
    )
    return {**patches, "kustomization.yaml": overlay}


def _moved(facts: Facts, service: Service, secret: Secret, environment: str) -> str:
    """The patch that names the environment's own path in Vault; empty where it is the base's."""
    store, mount = facts.store(service.store)
    path = facts.paths_in_vault(store, secret.path)[environment]
    if path == secret.path:
        return ""
    return (
        "# What the spokes of this environment may read in Vault begins with its name.\n"
        + "".join(
            f"- op: replace\n  path: /spec/data/{index}/remoteRef/key\n  value: {mount}/data/{path}\n"
            for index in range(len(secret.keys))
        )
    )
