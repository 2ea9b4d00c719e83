"""Reading the live hub: what is kept of it, and what never is."""

from __future__ import annotations

from typing import Any

import pytest

from live import hub_state
from live.cluster_api import Unreachable
from live.hub_state import LiveApplication
from tests.unit.live_hub import CANARY, KINDS, NAMESPACE, NAMESPACES, SECRETS, LiveHub, a_fleet


def test_an_empty_hub() -> None:
    state = hub_state.read(LiveHub(), NAMESPACE)
    assert (state.installed, state.owner, state.clusters, state.sets) == (False, None, (), ())


def test_whose_argo_cd_is() -> None:
    assert hub_state.read(LiveHub().with_argocd("hub"), NAMESPACE).owner == "hub"
    assert hub_state.read(LiveHub().with_argocd(), NAMESPACE).owner == ""


def test_kinds_may_be_there_without_the_namespace() -> None:
    hub = LiveHub().with_argocd("hub")
    hub.lists[NAMESPACES].clear()
    state = hub_state.read(hub, NAMESPACE)
    assert (state.installed, state.owner) == (True, None)


def test_cluster_secrets() -> None:
    hub = LiveHub()
    hub.cluster("one", " https://one.example.com/\n", {"environment": "dev"}, "dev")
    hub.cluster("two", "https://two.example.com", {}, manager="kubectl-label")
    one, two = hub_state.read(hub, NAMESPACE).clusters
    assert (one.object_name, one.name, one.server) == (
        "cluster-one",
        "one",
        "https://one.example.com",
    )
    assert one.labels["environment"] == "dev"
    assert (one.owner, one.by_pulumi) == ("dev", True)
    assert (two.owner, two.by_pulumi) == ("", False)


def test_only_cluster_secrets_are_asked_for() -> None:
    hub = LiveHub()
    hub.lists[SECRETS].append({"metadata": {"name": "argocd-secret", "labels": {"a": "b"}}})
    assert hub_state.read(hub, NAMESPACE).clusters == ()
    assert (
        f"{SECRETS}?limit=500&labelSelector=argocd.argoproj.io%2Fsecret-type%3Dcluster" in hub.asked
    )


def test_no_credential_is_kept() -> None:
    state = hub_state.read(LiveHub().up(a_fleet(), "lab"), NAMESPACE)
    assert len(state.clusters) == 2
    assert CANARY not in repr(state)


@pytest.mark.parametrize("value", ["!", "/w==", None])
def test_a_secret_of_no_text_names_no_cluster(value: str | None) -> None:
    hub = LiveHub()
    hub.cluster("one", "https://one.example.com", {})
    hub.lists[SECRETS][0]["data"] = {"name": value}
    (one,) = hub_state.read(hub, NAMESPACE).clusters
    assert (one.name, one.server) == ("", "")


@pytest.mark.parametrize("kind", ["matrix", "merge"])
def test_selectors_inside_generators(kind: str) -> None:
    hub = LiveHub().with_argocd("hub")
    inner = {"clusters": {"selector": {"matchLabels": {"a": "b"}}}}
    nested: dict[str, Any] = {"matrix": {"generators": [{"clusters": {}}, {"git": {}}]}}
    hub.set("one", "hub", {kind: {"generators": [inner, nested]}})
    (one,) = hub_state.read(hub, NAMESPACE).sets
    assert one.selectors == ({"matchLabels": {"a": "b"}}, {})


@pytest.mark.parametrize(
    ("policy", "preserve"),
    [
        ({"applicationsSync": "create-update", "preserveResourcesOnDeletion": True}, True),
        ({"applicationsSync": "create-only", "preserveResourcesOnDeletion": True}, True),
        ({"applicationsSync": "create-delete", "preserveResourcesOnDeletion": True}, False),
        ({"applicationsSync": "create-update"}, False),
        (None, False),
    ],
)
def test_preserve(policy: dict[str, object] | None, preserve: bool) -> None:
    hub = LiveHub().with_argocd("hub")
    hub.set("one", "hub", {"clusters": {}})
    hub.lists[f"{KINDS}/applicationsets"][0]["spec"]["syncPolicy"] = policy
    assert hub_state.read(hub, NAMESPACE).sets[0].preserve is preserve


def test_applications_of_some_spokes() -> None:
    hub = LiveHub().up(a_fleet(), "lab")
    hub.lists[f"{KINDS}/applications"].append(
        {"metadata": {"name": "by-hand", "labels": {"cluster_name": "staging"}}}
    )
    assert hub_state.applications(hub, NAMESPACE, ["staging", "gone"]) == (
        LiveApplication("by-hand", "", "staging"),
        LiveApplication("staging-a", "services", "staging", "services", "a"),
        LiveApplication("staging-b", "services", "staging", "services", "b"),
    )


@pytest.mark.parametrize("path", [NAMESPACES, SECRETS, f"{KINDS}/applicationsets"])
def test_what_may_not_be_read_is_no_empty_hub(path: str) -> None:
    hub = LiveHub().up(a_fleet(), "lab")
    hub.failures[path] = Unreachable(f"{path}: 403 forbidden")
    with pytest.raises(Unreachable, match="403"):
        hub_state.read(hub, NAMESPACE)


def test_few_requests_and_no_applications() -> None:
    hub = LiveHub().up(a_fleet(), "lab")
    hub_state.read(hub, NAMESPACE)
    assert len(hub.asked) == 5
    assert not any(path.startswith(f"{KINDS}/applications?") for path in hub.asked)


def test_projects() -> None:
    hub = LiveHub().with_argocd()
    hub.project("platform", "hub")
    (project,) = hub.lists[f"{KINDS}/appprojects"]
    project["spec"] = {
        "sourceRepos": ["https://git.example.com/*"],
        "destinations": [
            {"server": "https://one.example.com", "namespace": "*"},
            {"name": "two", "namespace": "*"},
        ],
    }
    (one,) = hub_state.read(hub, NAMESPACE).projects
    assert one.repos == ("https://git.example.com/*",)
    assert (one.servers, one.names) == (("https://one.example.com",), ("two",))
    del project["spec"]
    (one,) = hub_state.read(hub, NAMESPACE).projects
    assert (one.repos, one.servers, one.names) == ((), (), ())
