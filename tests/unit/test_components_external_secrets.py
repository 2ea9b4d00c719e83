"""External Secrets on a cluster, on mocks: each way of installing it, and what outlives the stack."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes
import pytest
from pulumi.runtime import mocks, resource, rpc

from components.external_secrets import ExternalSecrets, ExternalSecretsArgs
from stacks.desired import vault_identity
from stacks.desired.crds import Manifest
from stacks.model.access import ClusterAccess
from stacks.model.fleet import Fleet

CRD = {"kind": "CustomResourceDefinition", "metadata": {"name": "externalsecrets"}}
MANIFEST = [
    {"kind": "Namespace", "metadata": {"name": "external-secrets"}},
    CRD,
    {"kind": "Deployment", "metadata": {"name": "external-secrets"}},
]
ROLES = {
    "spoke-fleet-external-secrets",
    "spoke-fleet-external-secrets-token",
    "spoke-fleet-external-secrets-view",
    "spoke-fleet-external-secrets-edit",
}
ACCESS = ClusterAccess("spoke", "https://spoke.example.com", "", "a kubeconfig")
Made = dict[tuple[str, str], Any]


class _Cluster(mocks.Mocks):
    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        return f"{args.name}-id", dict(args.inputs)

    def call(self, args: mocks.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"called {args.token}")


class _Recorder(mocks.MockMonitor):
    def __init__(self) -> None:
        super().__init__(_Cluster())
        self.made: Made = {}

    def RegisterResource(self, request: Any) -> Any:
        key = (request.type.rpartition(":")[2], request.name)
        assert key not in self.made
        self.made[key] = request
        return super().RegisterResource(request)


class _NoHooks:
    def register_resource_hook(self, hook: pulumi.ResourceHook) -> None:
        """The engine would be told."""


async def _no_hooks() -> _NoHooks:
    return _NoHooks()


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Made]:
    def run(
        external_secrets: dict[str, Any],
        *,
        quarantine: bool = False,
        stores: tuple[str, ...] = ("vault-backend",),
        **args: Any,
    ) -> Made:
        fleet = Fleet.model_validate(
            {
                "hub": {"context": "hub"},
                "gitops": {"repo": "https://git.example.com/gitops-config.git"},
                "vault": {"address": "https://vault.example.com"},
                "externalSecrets": external_secrets,
                "secretStores": [{"name": name} for name in stores],
                "spokes": [{"name": "spoke", "environment": "production", "region": "eu"}],
            }
        )
        recorder = _Recorder()
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        mocks.set_mocks(recorder.mocks, monitor=recorder)
        # The mocks know no hooks; tests/program shows what they do.
        monkeypatch.setattr(resource, "_get_callbacks", _no_hooks)

        @pulumi.runtime.test
        def program() -> None:
            hub, spoke = (
                kubernetes.Provider(name, kubeconfig="kubeconfig") for name in ("hub", "spoke")
            )
            # The mocks take no chart apart.
            part = kubernetes.core.v1.ServiceAccount(
                "of-the-chart", opts=pulumi.ResourceOptions(provider=spoke)
            )
            parts = pulumi.Output.from_input([part])
            monkeypatch.setattr(kubernetes.helm.v4.Chart, "resources", property(lambda _: parts))
            ExternalSecrets(
                "spoke",
                ExternalSecretsArgs(
                    fleet=fleet,
                    identity=vault_identity.of_spoke(fleet, fleet.spokes[0]),
                    access=ACCESS,
                    renderer=hub if quarantine else None,
                    **args,
                ),
                pulumi.ResourceOptions(providers=[spoke]),
            )

        try:
            program()
        finally:
            loop.close()
        return recorder.made

    return run


def _inputs(request: Any) -> dict[str, Any]:
    found: dict[str, Any] = rpc.deserialize_properties(request.object)
    return found


def _depends_on(request: Any) -> set[str]:
    return {urn.rpartition("::")[2] for urn in request.dependencies}


def test_a_chart_of_a_repository_waits_for_its_crds_and_rights(make: Callable[..., Made]) -> None:
    repo = "https://charts.external-secrets.io"
    made = make(
        {"chart": "external-secrets", "repo": repo, "version": "0.19.2", "crds": "c.yaml"},
        manifest=Manifest((CRD,)),
    )
    chart = made[("Chart", "spoke-external-secrets")]
    assert _inputs(chart)["repositoryOpts"]["repo"] == repo
    assert _inputs(chart)["version"] == "0.19.2"
    assert _inputs(chart)["values"]["rbac"] == {"create": False}
    assert _inputs(chart)["values"]["installCRDs"] is False
    assert ("ConfigMap", "spoke-external-secrets-crds") in made
    assert not chart.retainOnDelete
    assert {name for kind, name in made if kind in ("ClusterRole", "Role")} == ROLES
    namespace = "spoke-external-secrets-namespace"
    assert {namespace, "spoke-external-secrets-crds", *ROLES} <= _depends_on(chart)
    store = _depends_on(made[("ClusterSecretStore", "spoke-store")])
    assert {"spoke-external-secrets", "of-the-chart"} <= store, "`destroy` goes by the objects"


def test_manifests_are_parted_from_their_crds(make: Callable[..., Made]) -> None:
    made = make({"manifests": "eso.yaml"}, manifest=Manifest(tuple(MANIFEST)))
    crds = made[("ConfigMap", "spoke-external-secrets-crds")]
    assert list(_inputs(crds)["data"]) == ["externalsecrets"]
    rest = made[("ConfigGroup", "spoke-external-secrets")]
    # The namespace is made already.
    assert [one["kind"] for one in _inputs(rest)["objs"]] == ["Deployment"]
    assert not rest.retainOnDelete
    assert ("Namespace", "spoke-external-secrets-namespace") in made
    assert not {kind for kind, _ in made} & {"Chart", "ClusterRole", "Role"}


@pytest.mark.parametrize(
    ("external_secrets", "args"),
    [({"installed": True}, {}), ({"chart": "chart"}, {"install": False})],
)
def test_where_it_is_there_already_only_the_stores_are_made(
    make: Callable[..., Made], external_secrets: dict[str, Any], args: dict[str, Any]
) -> None:
    made = make(external_secrets, stores=("vault-backend", "payments"), **args)
    others = ("kubernetes", "Stack", "ServiceAccount")
    assert {key for key in made if key[0] not in others} == {
        ("ExternalSecrets", "spoke"),
        ("ClusterSecretStore", "spoke-store"),
        ("ClusterSecretStore", "spoke-store-payments"),
    }


def test_it_takes_over_from_the_component_that_it_was_part_of(make: Callable[..., Made]) -> None:
    made = make({"chart": "chart"})
    (alias,) = made[("ExternalSecrets", "spoke")].aliases
    assert alias.spec.type == "fleet:index:SecretStore"


def test_in_quarantine_the_hub_takes_charts_apart_and_nothing_less_is_registered(
    make: Callable[..., Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = make({"chart": "chart", "crds": "crds.yaml"}, manifest=Manifest((CRD,)))
    renderers = []

    # The real one uses a transform, and mocks know none; tests/plugins/kubernetes shows it at work.
    def rendered_by(parent: pulumi.Resource, renderer: Any) -> pulumi.ResourceOptions:
        renderers.append(renderer._name)
        return pulumi.ResourceOptions(parent=parent)

    monkeypatch.setattr("components.external_secrets.rendered_by", rendered_by)
    quarantined = make(
        {"chart": "chart", "crds": "crds.yaml"}, manifest=Manifest((CRD,)), quarantine=True
    )
    assert usual.keys() == quarantined.keys(), "what is not registered would be deleted"
    assert renderers == ["hub"], "the chart"
