"""A hub that stacks share: what one may not touch."""

from __future__ import annotations

from typing import Any

import pytest

from live import disruption, hub_state, ownership
from stacks.model.fleet import Fleet
from tests.unit.live_hub import CANARY, NAMESPACE, NAMESPACES, SECRETS, LiveHub, a_fleet, a_spoke

PLATFORM = {
    "name": "platform-services",
    "layout": "platform",
    "selector": {"environment": "production"},
}
SERVICES = {"name": "services", "layout": "services"}
ARGOCD = {"chart": "chart", "delivery": "argocd"}


def joining(**changes: Any) -> Fleet:
    """A stack of the environment dev, on a hub that another stack owns."""
    return a_fleet(
        **{
            "environments": ["dev"],
            "argocd": {},
            "spokes": [a_spoke("dev", environment="dev")],
            "applicationSets": [{**SERVICES, "name": "services-dev"}],
            **changes,
        }
    )


def shared() -> LiveHub:
    """A hub of the stack `hub`, with the spokes and sets of `production` on it."""
    fleet = a_fleet(argocd={}, spokes=[a_spoke("prod-1")], environments=["production"])
    return LiveHub().with_argocd("hub").up(fleet, "production")


def problems(hub: LiveHub, fleet: Fleet, stack: str = "dev") -> list[tuple[str, str]]:
    state = ownership.claimed(fleet, stack, hub_state.read(hub, NAMESPACE))
    found = ownership.problems(fleet, stack, state)
    assert CANARY not in str(found), "no credential in a message"
    return [(problem.path, problem.message) for problem in found]


def test_stacks_side_by_side() -> None:
    assert problems(shared(), joining()) == []
    assert problems(shared().up(joining(), "dev"), joining()) == []
    delivered = joining(externalSecrets=ARGOCD)
    assert problems(shared().up(delivered, "dev"), delivered) == []


@pytest.mark.parametrize("kinds", [False, True])
def test_no_hub_to_join(kinds: bool) -> None:
    hub = LiveHub()
    if kinds:  # CRDs outlive the stack that made them.
        hub.with_argocd("hub").lists[NAMESPACES].clear()
    assert problems(hub, joining()) == [
        (
            "fleet:argocd",
            'no Argo CD in namespace "argocd" of the hub (hub): run the stack that owns the hub first, or give '
            "`manifest` if this one shall",
        )
    ]


def test_an_empty_namespace_is_no_argo_cd() -> None:
    hub = LiveHub()
    hub.lists[NAMESPACES].append({"metadata": {"name": NAMESPACE}})
    assert [path for path, _ in problems(hub, joining())] == ["fleet:argocd"]
    assert problems(hub, a_fleet(), "lab") == []


def test_the_owner_may_not_let_go_of_argo_cd() -> None:
    ((path, message),) = problems(shared(), joining(spokes=[], applicationSets=[]), "hub")
    assert path == "fleet:argocd.manifest"
    assert message.startswith('is gone, but this stack installed Argo CD in namespace "argocd"')
    assert "would delete Argo CD with every ApplicationSet and Application" in message


def test_a_second_owner() -> None:
    found = problems(shared(), joining(argocd={"manifest": "install.yaml"}))
    assert found[0] == (
        "fleet:argocd.manifest",
        'Argo CD in namespace "argocd" belongs to stack "hub"; take `manifest` out, and this stack joins it',
    )


def test_argo_cd_may_not_move() -> None:
    hub = LiveHub().up(a_fleet(), "lab")
    hub.lists |= {
        path.replace("/argocd/", "/argo/"): [] for path in hub.lists if "/argocd/" in path
    }
    fleet = a_fleet(argocd={"manifest": "install.yaml", "namespace": "argo"})
    state = hub_state.read(hub, "argo")
    (problem,) = ownership.problems(fleet, "lab", state)
    assert problem.path == "fleet:argocd.namespace"
    assert problem.message.endswith("Application; write `namespace: argocd`")


def test_a_cluster_secret_of_external_secrets_goes_with_it() -> None:
    by_vault = joining(spokes=[a_spoke("dev", environment="dev", auth={"kind": "vault"})])
    hub = shared().up(by_vault, "dev")
    secret = hub.lists[SECRETS][-1]
    secret["metadata"]["ownerReferences"] = [{"kind": "ExternalSecret", "name": "cluster-dev"}]
    assert problems(hub, by_vault) == []
    ((path, message),) = problems(hub, joining())
    assert path == "fleet:spokes[0].auth.kind"
    assert "delete externalsecret cluster-dev --cascade=orphan`" in message
    del secret["metadata"]["ownerReferences"]
    assert problems(hub, joining()) == []


def test_another_stack_s_spoke() -> None:
    assert problems(shared(), joining(spokes=[a_spoke("prod-1", environment="dev")])) == [
        (
            "fleet:spokes[0].name",
            'the hub has a cluster "prod-1" already, which belongs to stack "production"; give this spoke another '
            "name, or take it out there first. Only if that stack is this one under its former name: `kubectl "
            "--context hub -n argocd label secret cluster-prod-1 fleet_stack=dev --overwrite`",
        )
    ]


def test_another_stack_s_server() -> None:
    spoke = a_spoke("dev", environment="dev", server="https://prod-1.example.com")
    ((path, message),) = problems(shared(), joining(spokes=[spoke]))
    assert path == "fleet:spokes[0].server"
    assert message.startswith(
        '"dev" has the server of "prod-1" (https://prod-1.example.com), which belongs to stack "production"'
    )


def test_another_stack_s_server_written_another_way() -> None:
    spoke = a_spoke("dev", environment="dev", server="https://Prod-1.example.com:443")
    ((path, _),) = problems(shared(), joining(spokes=[spoke]))
    assert path == "fleet:spokes[0].server"


def test_another_stack_s_set() -> None:
    sets = [{**SERVICES, "name": "platform-services"}]
    ((path, message),) = problems(shared(), joining(applicationSets=sets))
    assert path == "fleet:applicationSets[0].name"
    assert message.startswith(
        'the hub has an ApplicationSet "platform-services" already, which belongs to stack "production"'
    )


def test_a_set_that_would_take_another_stack_s_spokes() -> None:
    sets = [{**PLATFORM, "name": "mine", "selector": {"environment": "production"}}]
    assert problems(shared(), joining(applicationSets=sets)) == [
        (
            "fleet:applicationSets[0].selector",
            'ApplicationSet "mine" would take "prod-1" of stack "production"; narrow it, e.g. by `environment`',
        )
    ]


def test_a_spoke_that_another_stack_s_set_would_take() -> None:
    spokes = [a_spoke("prod-2")]
    found = problems(
        shared(), joining(spokes=spokes, environments=["dev", "production"], applicationSets=[])
    )
    assert [path for path, _ in found] == ["fleet:spokes[0]", "fleet:spokes[0]"], "by two sets"
    assert found[0][1] == (
        'ApplicationSet "platform-services" of stack "production" would take "prod-2"; narrow that set first, or '
        "change what it selects on"
    )


def test_made_by_hand() -> None:
    hub = shared()
    hub.cluster("dev", "https://dev.example.com", {})
    hub.set("services-dev", "", {"clusters": {}})
    fleet = joining(externalSecrets=ARGOCD)
    hub.project("external-secrets-dev", "")
    found = dict(problems(hub, fleet))
    assert found["fleet:spokes[0].name"] == (
        'the hub has a cluster "dev" already, which belongs to no stack; give this spoke another name, or let this '
        "stack take it over: `kubectl --context hub -n argocd label secret cluster-dev fleet_stack=dev`, then one "
        "`up` with PULUMI_K8S_UPSERT_EXISTING_OBJECTS=true"
    )
    assert "label applicationset services-dev" in found["fleet:applicationSets[0].name"]
    assert "label appproject external-secrets-dev" in found["fleet:externalSecrets.delivery"]


def test_a_server_registered_by_hand() -> None:
    hub = shared()
    hub.cluster("by-hand", "https://dev.example.com/", {})
    ((path, message),) = problems(hub, joining())
    assert path == "fleet:spokes[0].server"
    assert "which belongs to no stack; Argo CD takes one cluster Secret per server" in message


def test_a_secret_of_the_name_counts_whatever_it_holds() -> None:
    hub = shared()
    hub.cluster("dev", "https://x.example.com", {}, "production")
    hub.lists[SECRETS][-1]["data"]["name"] = ""
    assert [path for path, _ in problems(hub, joining())] == ["fleet:spokes[0].name"]


def test_a_set_made_by_hand_may_take_what_it_likes() -> None:
    hub = shared()
    hub.set("by-hand", "", {"clusters": {}})
    assert problems(hub, joining()) == []


def test_what_pulumi_made_without_a_label_is_the_owner_s() -> None:
    hub = LiveHub().up(a_fleet(), "lab").unlabelled()
    assert problems(hub, a_fleet(), "lab") == []
    joins = joining(environments=["production"], spokes=[a_spoke("prod-1")])
    assert [path for path, _ in problems(hub, joins)] == ["fleet:spokes[0].name"]
    hub.lists[NAMESPACES][0]["metadata"]["labels"] = {"fleet_stack": "hub"}
    assert "fleet:spokes[0].name" in dict(problems(hub, a_fleet(), "lab"))


def test_a_set_without_a_label_may_be_another_program_s() -> None:
    hub = LiveHub().up(a_fleet(), "lab").unlabelled()
    fleet = a_fleet(applicationSets=[PLATFORM])
    state = ownership.claimed(fleet, "lab", hub_state.read(hub, NAMESPACE))
    assert {one.object_name: one.owner for one in state.sets} == {
        "platform-services": "lab",
        "services": "",
    }
    assert disruption.problems(fleet, "lab", state) == []


@pytest.mark.parametrize(("owner", "manager"), [("", "kubectl"), ("other", "pulumi-kubernetes-9")])
def test_what_the_owner_did_not_make(owner: str, manager: str) -> None:
    hub = LiveHub().with_argocd()
    hub.set("services", owner, {"git": {}}, manager=manager)
    hub.project("platform", owner, manager)
    found = problems(hub, a_fleet(), "lab")
    assert [path for path, _ in found] == ["fleet:applicationSets[1].name", "fleet:argocd.manifest"]
    assert "give this set another name" in found[0][1]
    assert "another name" not in found[1][1], "the names of AppProjects aren't in the stack file"


@pytest.mark.parametrize("name", ["platform", "services", "hub"])
def test_an_app_project_of_somebody_s_own(name: str) -> None:
    hub = LiveHub().with_argocd()
    hub.project(name, "")
    ((path, message),) = problems(hub, a_fleet(), "lab")
    assert path == "fleet:argocd.manifest"
    assert (
        f'an AppProject "{name}" already, which belongs to no stack; let this stack take it over'
        in message
    )


def test_what_pulumi_made_for_something_else_is_nobody_s() -> None:
    hub = LiveHub().with_argocd()
    labels = {"cluster_name": "other"}
    hub.cluster("other", "https://other.example.com", labels, manager="pulumi-kubernetes-9")
    state = ownership.claimed(a_fleet(), "lab", hub_state.read(hub, NAMESPACE))
    assert [one.owner for one in state.clusters] == [""]


@pytest.mark.parametrize("owner", ["", "other"])
def test_what_has_a_name_of_fleet_s_own_can_t_be_given_another(owner: str) -> None:
    hub = LiveHub().with_argocd()
    hub.project("platform", owner)
    hub.set("external-secrets-lab", owner, {"git": {}})
    found = problems(hub, a_fleet(externalSecrets=ARGOCD), "lab")
    assert [path for path, _ in found] == [
        "fleet:externalSecrets.delivery", "fleet:argocd.manifest",
    ]  # fmt: skip
    for _, message in found:
        assert "another name" not in message
        assert "give this" not in message
        assert "; take it out there first" in message or "; let this stack take it over" in message
    assert "label appproject platform fleet_stack=lab" in found[1][1]
