"""Asking a cluster whether an object of a killed run exists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fleet.lookup import Cluster, as_applied, look_up, pulumi_manager
from fleet.pending import Live, Pending
from live.cluster_api import ClusterAPI, NotFound, Unreachable
from live.identity import AnotherCluster


class FakeCluster(ClusterAPI):
    """Answers from a dictionary; anything else is not found."""

    def __init__(self, answers: dict[str, Any]) -> None:
        self.answers = answers

    def json(self, path: str) -> Any:
        answer = self.answers.get(path, NotFound(path))
        if isinstance(answer, Exception):
            raise answer
        return answer


DISCOVERY = {
    "resources": [
        {"name": "deployments/scale", "kind": "Scale"},
        {"name": "deployments", "kind": "Deployment", "namespaced": True},
    ]
}
PATH = "/apis/apps/v1/namespaces/demo/deployments/web"


def deployment(**more: Any) -> Pending:
    inputs = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "demo"},
    }
    return Pending(
        "urn", more.pop("type", "kubernetes:apps/v1:Deployment"), "creating", inputs, "one", **more
    )


def managed(*managers: str) -> dict[str, Any]:
    return {"metadata": {"managedFields": [{"manager": manager} for manager in managers]}}


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (
            {"/apis/apps/v1": DISCOVERY, PATH: managed("kcm", "pulumi-kubernetes-1a")},
            Live(True, "pulumi-kubernetes-1a"),
        ),
        ({"/apis/apps/v1": DISCOVERY, PATH: managed("kubectl")}, Live(True)),
        ({"/apis/apps/v1": DISCOVERY}, Live(False)),
        ({"/apis/apps/v1": {"resources": []}}, Live(False)),
        ({}, Live(False)),
        (
            {"/apis/apps/v1": Unreachable("connection refused")},
            Live(None, reason="one: connection refused; run this again when it answers"),
        ),
    ],
)
def test_look_up(answers: dict[str, Any], expected: Live) -> None:
    assert look_up([deployment()], {"one": Cluster(FakeCluster(answers))}.get) == {"urn": expected}


def test_whose_it_is_and_since_when() -> None:
    item = managed("pulumi-kubernetes-1a")
    item["metadata"] |= {
        "labels": {"fleet_stack": "other"},
        "creationTimestamp": "2026-11-26T09:00:00Z",
    }
    found = look_up(
        [deployment()], {"one": Cluster(FakeCluster({"/apis/apps/v1": DISCOVERY, PATH: item}))}.get
    )
    assert found["urn"].owner == "other"
    assert found["urn"].created == datetime(2026, 11, 26, 9, tzinfo=UTC)


def test_of_several_field_managers_the_last_one_goes_on() -> None:
    """The official plugin before 4.29 takes over, under a new name, what an earlier killed run had made."""
    entries = [("kubectl", "09"), ("pulumi-kubernetes-b", "03"), ("pulumi-kubernetes-a", "02")]
    fields = [
        {"manager": manager, "operation": "Apply", "time": f"2026-11-26T01:00:{second}Z"}
        for manager, second in entries
    ]
    assert pulumi_manager({"metadata": {"managedFields": fields}}) == "pulumi-kubernetes-b"


def test_one_that_the_plugin_created_and_never_applied() -> None:
    """From 4.29 on the official plugin creates as any client does; the entry is an update's."""
    entry = {
        "manager": "pulumi-kubernetes-a",
        "operation": "Update",
        "time": "2026-11-26T01:00:01Z",
    }
    assert pulumi_manager({"metadata": {"managedFields": [entry]}}) == "pulumi-kubernetes-a"


def test_core_and_cluster_scoped_objects() -> None:
    inputs = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "demo"}}
    pending = Pending("urn", "kubernetes:core/v1:Namespace", "creating", inputs, "one")
    answers = {
        "/api/v1": {
            "resources": [{"name": "namespaces", "kind": "Namespace", "namespaced": False}]
        },
        "/api/v1/namespaces/demo": managed("pulumi-kubernetes-1a"),
    }
    assert look_up([pending], {"one": Cluster(FakeCluster(answers))}.get) == {
        "urn": Live(True, "pulumi-kubernetes-1a")
    }


KUBE_SYSTEM = "/api/v1/namespaces/kube-system"


@pytest.mark.parametrize("there", [True, False])
def test_another_cluster_in_its_place_has_nothing_to_say(there: bool) -> None:
    """Else its objects would be taken into the state, or those of the right one forgotten."""
    answers = {
        KUBE_SYSTEM: {"metadata": {"uid": "staging"}},
        "/apis/apps/v1": DISCOVERY,
        **({PATH: managed("pulumi-kubernetes-1a")} if there else {}),
    }
    cluster = FakeCluster(answers)
    with pytest.raises(AnotherCluster, match='"one" is the cluster prod, and its context leads to'):
        look_up([deployment()], {"one": Cluster(cluster, "prod")}.get)
    found = look_up([deployment()], {"one": Cluster(cluster, "staging")}.get)["urn"]
    assert found.exists is there


def test_a_cluster_that_does_not_say_which_one_it_is() -> None:
    answers = {KUBE_SYSTEM: Unreachable("503 busy"), "/apis/apps/v1": DISCOVERY}
    found = look_up([deployment()], {"one": Cluster(FakeCluster(answers), "prod")}.get)["urn"]
    assert found == Live(None, reason="one: 503 busy; run this again when it answers")


def test_what_is_not_asked() -> None:
    cluster = {"one": Cluster(FakeCluster({}))}
    assert look_up([deployment(type="vault:index/policy:Policy")], cluster.get) == {}
    assert look_up([deployment()], {}.get) == {}


def test_an_adopted_object_goes_on_under_the_name_that_it_was_applied_by() -> None:
    def resource(urn: str, named: str) -> dict[str, Any]:
        return {"urn": urn, "outputs": {**managed("pulumi-kubernetes-1a"), "__fieldManager": named}}

    others = [
        resource("urn:not-adopted", "pulumi-kubernetes-2b"),
        {"urn": "urn:stack"},
        {"urn": "urn:vault", "outputs": {"metadata": None}},
    ]
    state = {"deployment": {"resources": [resource("urn:x", "pulumi-kubernetes-2b"), *others]}}
    changed = as_applied(state, ["urn:x", "urn:vault"])
    assert changed == {
        "deployment": {"resources": [resource("urn:x", "pulumi-kubernetes-1a"), *others]}
    }
    assert as_applied(changed, ["urn:x", "urn:vault"]) is None
    assert as_applied({"deployment": {}}, ["urn:x"]) is None
