"""The whole program on mocks: what would it register, with which options?"""

from __future__ import annotations

import asyncio
import base64
import json
import runpy
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from pulumi.runtime import mocks, rpc, settings

from stacks import preflight

REPO = Path(__file__).parents[2]
TOKEN = "canary-token-of-the-spoke"
CLUSTERS = ["hub", "prod-us-east-1", "prod-eu-west-1", "staging", "prod-us-west-2"]

INSTALL_MANIFEST = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: applications.argoproj.io}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: argocd-server}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: argocd-server}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: argocd-server}
subjects: [{kind: ServiceAccount, name: argocd-server, namespace: argocd}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm}
"""


@dataclass(frozen=True)
class Registered:
    """One RegisterResource request, as the engine would have got it."""

    type: str
    name: str
    inputs: dict[str, Any]
    request: Any = field(repr=False)

    def is_secret(self, key: str) -> bool:
        """Whether the input `key` is marked secret on the wire, itself or by anything inside of it."""
        return bool(rpc.is_rpc_secret(rpc.deserialize_properties(self.request.object)[key]))


class _Cloud(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        state = dict(args.inputs)
        if state.get("type") == "kubernetes.io/service-account-token":
            state["data"] = {"token": base64.b64encode(TOKEN.encode()).decode()}
        return f"{args.name}-id", state

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"the program calls no provider function, yet called {args.token}")


class _Recorder(mocks.MockMonitor):
    def __init__(self) -> None:
        super().__init__(_Cloud())
        self.seen: list[Registered] = []

    def RegisterResource(self, request: Any) -> Any:
        inputs = rpc.deserialize_properties(request.object)
        self.seen.append(Registered(request.type, request.name, _plain(inputs), request))
        return super().RegisterResource(request)


def _plain(value: Any) -> Any:
    if rpc.is_rpc_secret(value):
        return _plain(rpc.unwrap_rpc_secret(value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


@dataclass(frozen=True)
class Run:
    """What one run of the program registered and exported."""

    resources: list[Registered]
    outputs: dict[str, Any]

    def of(self, type_: str) -> list[Registered]:
        return [one for one in self.resources if one.type == type_]

    def one(self, type_: str, name: str) -> Registered:
        (found,) = [one for one in self.of(type_) if one.name == name]
        return found


RunProgram = Callable[..., Run]


@pytest.fixture
def lab_config() -> dict[str, Any]:
    """The `config:` of stacks/Pulumi.lab.yaml, to be changed by a test."""
    return dict(yaml.safe_load((REPO / "stacks" / "Pulumi.lab.yaml").read_text())["config"])


@pytest.fixture
def run_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunProgram:
    """Run `__main__.py` on mocks with the given stack config."""
    names = {"contexts": [], "clusters": [], "users": [{"name": "admin", "user": {"token": "x"}}]}
    for index, name in enumerate(CLUSTERS):
        server = {"server": f"https://127.0.0.1:{7001 + index}"}
        server["certificate-authority-data"] = base64.b64encode(
            b"the CA of " + name.encode()
        ).decode()
        names["contexts"].append({"name": name, "context": {"cluster": name, "user": "admin"}})
        names["clusters"].append({"name": name, "cluster": server})
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(names))
    (tmp_path / "install.yaml").write_text(INSTALL_MANIFEST)
    (tmp_path / "vault.crt").write_text("the CA of Vault")
    for key, value in {
        "KUBECONFIG": tmp_path / "kubeconfig",
        "VAULT_ADDR": "https://127.0.0.1:8200",
        "VAULT_CACERT": tmp_path / "vault.crt",
        "FLEET_ARGOCD_MANIFEST": tmp_path / "install.yaml",
        "FLEET_GITOPS_REPO": "http://127.0.0.1:3000/platform/gitops-config.git",
        "FLEET_EXTERNAL_SECRETS_CRDS": "crds.yaml",
        "FLEET_EXTERNAL_SECRETS_CHART": "chart",
    }.items():
        monkeypatch.setenv(key, str(value))
    monkeypatch.setattr(preflight, "require_vault", lambda vault, stack: None)
    monkeypatch.setattr(preflight, "silent", lambda clusters: [])

    def run(config: dict[str, Any], *, stack: str = "lab") -> Run:
        recorder = _Recorder()
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        mocks.set_mocks(
            recorder.mocks, project="fleet", stack=stack, preview=False, monitor=recorder
        )
        as_pulumi = {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in config.items()
        }
        pulumi.runtime.set_all_config(as_pulumi)

        @pulumi.runtime.test
        def program() -> None:
            runpy.run_path(str(REPO / "__main__.py"))

        try:
            program()
        finally:
            loop.close()
        return Run(recorder.seen, dict(settings.get_root_resource().outputs))

    return run
