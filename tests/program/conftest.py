"""The whole program on mocks: what would it register for a stack, with which options?"""

from __future__ import annotations

import asyncio
import base64
import datetime
import json
import runpy
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import pulumi
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pulumi.runtime import mocks, resource, rpc, settings
from pulumi.runtime.proto import callback_pb2

from live.cluster_api import ClusterAPI
from tests.unit.live_hub import LiveHub

REPO = Path(__file__).parents[2]
EXAMPLES = ("lab", "hub", "production", "staging", "dev")
"""The stacks that have an example stack file."""
SPLIT = ("hub", "production", "staging", "dev")
"""Those that share one hub."""
JOINING = SPLIT[1:]

CLUSTERS = ("hub", "prod-us-east-1", "prod-eu-west-1", "staging", "prod-us-west-2", "dev", "spare")
TOKEN = "canary-token-of-the-spoke"
"""What the API server writes into the token Secret of `argocd-manager`."""


def certificate(subject: str) -> tuple[str, str]:
    """A certificate signed by itself, and its key; both as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)])
    now = datetime.datetime.now(datetime.UTC)
    made = x509.CertificateBuilder(
        name, name, key.public_key(), 1, now, now + datetime.timedelta(hours=1)
    ).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    plain = serialization.PrivateFormat.PKCS8
    own = key.private_bytes(pem, plain, serialization.NoEncryption())
    return made.public_bytes(pem).decode(), own.decode()


CLIENT_CERTIFICATE, _client_key = certificate("argocd")
CANARIES = {
    "token": "canary-token-of-the-context",
    "client-key-data": base64.b64encode(_client_key.encode()).decode(),
    "password": "canary-password",
}
"""What the kubeconfig's users hold, by their key there."""
VAULT_TOKEN = "canary-token-of-vault"

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
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: argocd-application-controller}
spec:
  replicas: 1
  template:
    spec:
      containers:
        - name: argocd-application-controller
          env: [{name: ARGOCD_CONTROLLER_REPLICAS, value: "1"}]
---
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm}
"""

ARGO_ROLLOUTS_MANIFEST = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rollouts.argoproj.io}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: argo-rollouts}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: argo-rollouts}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: argo-rollouts}
subjects: [{kind: ServiceAccount, name: argo-rollouts, namespace: argo-rollouts}]
---
apiVersion: v1
kind: Service
metadata: {name: argo-rollouts-metrics}
"""

EXTERNAL_SECRETS_CRDS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: externalsecrets.external-secrets.io}
"""


@dataclass(frozen=True)
class Registered:
    """One RegisterResource request, as the engine would have got it."""

    type: str
    name: str
    inputs: dict[str, Any]
    request: Any = field(repr=False)
    maker: str
    """The name of the provider that makes it; of a chart or manifest, the one that works out its objects."""

    def is_secret(self, key: str) -> bool:
        """Whether the input `key` is marked secret on the wire, itself or by anything inside of it."""
        return bool(rpc.is_rpc_secret(rpc.deserialize_properties(self.request.object)[key]))

    def in_clear(self) -> str:
        """Every input that is not marked secret on the wire, as one text."""
        inputs = rpc.deserialize_properties(self.request.object)
        return json.dumps(
            {key: value for key, value in inputs.items() if not rpc.is_rpc_secret(value)}
        )

    @property
    def providers(self) -> set[str]:
        """The names of the providers that make it and, where it is a component, its children."""
        given = [self.request.provider, *dict(self.request.providers).values()]
        return {_provider_name(reference) for reference in given if reference}

    def objects(self) -> Iterator[Mapping[str, Any]]:
        """The Kubernetes objects that are spelt out in it, by apiVersion, kind and metadata."""
        if self.type.startswith("kubernetes:yaml/"):
            yield from self.inputs.get("objs", [])
        elif "metadata" in self.inputs:
            yield {"kind": self.type.rsplit(":", 1)[-1], **self.inputs}


class Refusal(Exception):
    """The program has refused to run: what it said, and what it had registered by then."""

    def __init__(self, said: str, registered: list[Registered]) -> None:
        super().__init__(said)
        self.registered = registered


class _Cloud(mocks.Mocks):
    def __init__(self, outputs: Mapping[str, Any]) -> None:
        self.outputs = outputs

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        state = dict(args.inputs)
        if state.get("type") == "kubernetes.io/service-account-token":
            state["data"] = {"token": base64.b64encode(TOKEN.encode()).decode()}
        return f"{args.name}-id", state

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        if args.token == "pulumi:pulumi:readStackOutputs":
            return {"outputs": self.outputs}
        raise AssertionError(f"the program calls no provider function, yet called {args.token}")


class _Callbacks:
    """Stands in for the server by which the engine calls a program's transforms and hooks: the mocks have none."""

    def __init__(self) -> None:
        self.known: list[pulumi.ResourceTransform] = []
        self.hooks: dict[str, pulumi.ResourceHook] = {}

    def register_transform(self, transform: pulumi.ResourceTransform) -> callback_pb2.Callback:
        self.known.append(transform)
        return callback_pb2.Callback(token=str(len(self.known) - 1), target="tests")

    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        assert hook.name not in self.hooks, "the engine knows a hook by its name"
        self.hooks[hook.name] = hook

    def provider(self, request: Any) -> str | None:
        """The name of the provider that the transforms of a request choose, if any does."""
        for callback in request.transforms:
            args = pulumi.ResourceTransformArgs(
                request.custom, request.type, request.name, {}, pulumi.ResourceOptions()
            )
            result: Any = self.known[int(callback.token)](args)
            if result and result.opts.provider:
                return str(result.opts.provider._name)
        return None


class _Recorder(mocks.MockMonitor):
    def __init__(self, outputs: Mapping[str, Any]) -> None:
        super().__init__(_Cloud(outputs))
        self.seen: list[Registered] = []
        self.callbacks = _Callbacks()

    def RegisterResource(self, request: Any) -> Any:
        inputs = rpc.deserialize_properties(request.object)
        own = _provider_name(request.provider or dict(request.providers).get("kubernetes", ""))
        maker = self.callbacks.provider(request) or own
        one = Registered(request.type, request.name, _plain(inputs), request, maker)
        # The mocks make the stack's own resource once, for the first run of all.
        if one.type != "pulumi:pulumi:Stack":
            self.seen.append(one)
        return super().RegisterResource(request)


def _provider_name(reference: str) -> str:
    return reference.split("::")[-2] if reference else ""


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
    hooks: dict[str, pulumi.ResourceHook]
    """What the engine is to call before it makes or changes something, by name."""

    def of(self, type_: str) -> list[Registered]:
        """Those whose type ends in `type_`."""
        return [one for one in self.resources if one.type.endswith(type_)]

    def one(self, type_: str, name: str) -> Registered:
        """The one whose type ends in `type_` and whose own name in the engine is `name`."""
        (found,) = [one for one in self.of(type_) if one.name == name]
        return found

    def object(self, kind: str, name: str, cluster: str) -> Registered:
        """The one Kubernetes object of that kind and name on `cluster`."""
        (found,) = [
            one
            for one in self.resources
            if one.type.endswith(f":{kind}")
            and cluster in one.providers
            and one.inputs["metadata"]["name"] == name
        ]
        return found

    def on(self, cluster: str) -> list[Registered]:
        """Everything that is made through the provider of `cluster`."""
        return [one for one in self.resources if cluster in one.providers]

    def keyed(self) -> dict[tuple[str, str, str], Registered]:
        """By what makes a resource's URN: parent, type and name."""
        return {(one.request.parent, one.type, one.name): one for one in self.resources}


Config = dict[str, Any]
RunProgram = Callable[..., Run]


def example(stack: str) -> Config:
    """The `config:` of the example stack file of `stack`, to be changed by a test."""
    path = REPO / "examples" / f"Pulumi.{stack}.yaml"
    return dict(yaml.safe_load(path.read_text())["config"])


def spoke_of(config: Config, name: str) -> dict[str, Any]:
    """The block of a spoke, to be changed by a test."""
    found: dict[str, Any]
    (found,) = [one for one in config["fleet:spokes"] if one["name"] == name]
    return found


def kubeconfig(users: Mapping[str, Mapping[str, str]]) -> str:
    """A kubeconfig with a context per cluster; each user has a token unless `users` says otherwise."""
    contexts, clusters, found = [], [], []
    for index, name in enumerate(CLUSTERS):
        authority = base64.b64encode(ca_of(name).encode()).decode()
        server = {
            "server": f"https://127.0.0.1:{7001 + index}",
            "certificate-authority-data": authority,
        }
        contexts.append({"name": name, "context": {"cluster": name, "user": name}})
        clusters.append({"name": name, "cluster": server})
        user = users.get(name, {"token": CANARIES["token"]})
        found.append({"name": name, "user": dict(user)})
    return yaml.safe_dump({"contexts": contexts, "clusters": clusters, "users": found})


@cache
def ca_of(cluster: str) -> str:
    """The CA of a cluster in the kubeconfig of these tests, as PEM."""
    return certificate(f"the CA of {cluster}")[0]


def identity_of(cluster: str) -> str:
    """The UID of the namespace kube-system on a cluster in the kubeconfig of these tests."""
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, cluster))


def server_of(cluster: str) -> str:
    """The address of a cluster in the kubeconfig of these tests."""
    return f"https://127.0.0.1:{7001 + CLUSTERS.index(cluster)}"


@pytest.fixture(scope="session")
def pem_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `ca.crt`, a certificate, and `sa.pub`, a public key; both as PEM."""
    folder = tmp_path_factory.mktemp("pem")
    authority, own = certificate("the CA of Vault")
    (folder / "ca.crt").write_text(authority)
    key = serialization.load_pem_private_key(own.encode(), None)
    pem = serialization.Encoding.PEM
    (folder / "sa.pub").write_bytes(
        key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return folder


@pytest.fixture
def run_program(tmp_path: Path, pem_files: Path, monkeypatch: pytest.MonkeyPatch) -> RunProgram:
    """Run `__main__.py` on mocks, with an example's stack config or one that a test made of it.

    Only what talks to the network is replaced: the hub is empty, or has stack `hub`'s Argo CD for a stack that joins;
    Vault and every spoke answer: as themselves, or as `leads_to` has it by context. `recorded` is the outputs of the
    last run. Raises Refusal where the program refuses to run, with what it has registered by then.
    """
    (tmp_path / "install.yaml").write_text(INSTALL_MANIFEST)
    (tmp_path / "crds.yaml").write_text(EXTERNAL_SECRETS_CRDS)
    (tmp_path / "rollouts.yaml").write_text(ARGO_ROLLOUTS_MANIFEST)
    (tmp_path / "chart").mkdir()
    for key, value in {
        "KUBECONFIG": tmp_path / "kubeconfig",
        "VAULT_ADDR": "https://127.0.0.1:8200",
        "VAULT_TOKEN": VAULT_TOKEN,
        "VAULT_CACERT": pem_files / "ca.crt",
        "FLEET_ARGOCD_MANIFEST": tmp_path / "install.yaml",
        "FLEET_ARGO_ROLLOUTS_MANIFEST": tmp_path / "rollouts.yaml",
        "FLEET_GITOPS_REPO": "http://127.0.0.1:3000/platform/gitops-config.git",
        "FLEET_EXTERNAL_SECRETS_CRDS": tmp_path / "crds.yaml",
        "FLEET_EXTERNAL_SECRETS_CHART": tmp_path / "chart",
        "FLEET_EXTERNAL_SECRETS_VERSION": "0.19.2",
        "FLEET_CHART_REPO": "https://127.0.0.1:3001/charts",
    }.items():
        monkeypatch.setenv(key, str(value))
    empty, shared = LiveHub(), LiveHub().with_argocd("hub")
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "error", lambda text: said.append(text))
    monkeypatch.delenv("VAULT_NAMESPACE", raising=False)
    monkeypatch.setattr(
        httpx, "get", lambda url, **_: httpx.Response(200, json={"data": {"policies": ["root"]}})
    )

    def run(
        stack: str,
        config: Config | None = None,
        *,
        users: Mapping[str, Mapping[str, str]] | None = None,
        leads_to: Mapping[str, str] | None = None,
        recorded: Mapping[str, Any] | None = None,
    ) -> Run:
        (tmp_path / "kubeconfig").write_text(kubeconfig(users or {}))
        recorder = _Recorder(recorded or {})
        found = config or example(stack)
        hub = empty if (found.get("fleet:argocd") or {}).get("manifest") else shared

        def answer(api: ClusterAPI, path: str) -> Any:
            if path == "/api/v1/namespaces/kube-system":
                context = api._context
                return {"metadata": {"uid": identity_of((leads_to or {}).get(context, context))}}
            return hub.json(path)

        monkeypatch.setattr(ClusterAPI, "json", answer)
        monkeypatch.setattr(ClusterAPI, "metadata", lambda _, path: hub.metadata(path))

        async def callbacks() -> _Callbacks:
            return recorder.callbacks

        monkeypatch.setattr(resource, "_get_callbacks", callbacks)
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        mocks.set_mocks(
            recorder.mocks, project="fleet", stack=stack, preview=False, monitor=recorder
        )
        as_pulumi = {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in found.items()
        }
        pulumi.runtime.set_all_config(as_pulumi)

        outputs: dict[str, Any] = {}

        @pulumi.runtime.test
        def program() -> pulumi.Output[Any]:
            try:
                runpy.run_path(str(REPO / "__main__.py"))
            except SystemExit as ended:
                # Else Pulumi's language host adds "an unhandled error occurred".
                if ended.code != 32:
                    raise
                raise Refusal("\n".join(said), recorder.seen) from None
            exported = settings.get_root_resource().outputs
            return pulumi.Output.from_input(dict(exported)).apply(outputs.update)

        try:
            program()
        finally:
            loop.close()
        return Run(recorder.seen, outputs, recorder.callbacks.hooks)

    return run
