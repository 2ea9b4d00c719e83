"""Teams: the sets and AppProjects that they get, and what stacks that share a hub must agree on."""

from __future__ import annotations

from typing import Any

import pytest

from live import applications, handing_over, hub_state, joining
from stacks.checks import neighbours, teams
from stacks.desired import projects, sets
from stacks.desired.application_sets import left_out, set_spec
from stacks.model.fleet import Fleet
from tests.unit.live_hub import KINDS, NAMESPACE, LiveHub, a_fleet, a_spoke
from tests.unit.test_checks_neighbours import a_stack, said, spoke

REPO = "https://git.example.com/gitops-config.git"
OWN = "https://git.example.com/payments-config.git"
SERVICES = {"name": "services", "layout": "services"}
PAYMENTS = {"name": "payments", "namespaces": ["payment-service", "payment-api"]}
CHECKOUT = {"name": "checkout", "namespaces": ["checkout-*"], "repo": OWN, "path": "deploy/apps"}


def _fleet(*its: dict[str, Any], **changes: Any) -> Fleet:
    return a_fleet(**{"applicationSets": [SERVICES], "teams": [*its], **changes})


def _spec(fleet: Fleet, name: str) -> dict[str, Any]:
    (one,) = [one for one in sets.every(fleet) if one.name == name]
    return set_spec(fleet, "lab", one)


def _git(spec: dict[str, Any]) -> dict[str, Any]:
    return dict(spec["generators"][0]["matrix"]["generators"][1]["git"])


def test_a_team_has_a_set_of_its_own_behind_each_set_of_services() -> None:
    fleet = _fleet(PAYMENTS, CHECKOUT)
    assert [(where, one.name) for where, one in sets.placed(fleet)] == [
        ("fleet:applicationSets[0]", "services"),
        ("fleet:teams[0]", "services-payments"),
        ("fleet:teams[1]", "services-checkout"),
    ]
    platform = _fleet(PAYMENTS, applicationSets=[{"name": "platform", "layout": "platform"}])
    assert [one.name for one in sets.every(platform)] == ["platform"]


def test_a_team_in_the_gitops_config_repo() -> None:
    spec = _spec(_fleet(PAYMENTS), "services-payments")
    assert _git(spec) == {
        "repoURL": REPO,
        "revision": "main",
        "directories": [
            {"path": 'apps/payment-service/overlays/{{index .metadata.labels "environment"}}'},
            {"path": 'apps/payment-api/overlays/{{index .metadata.labels "environment"}}'},
        ],
    }
    assert spec["template"]["metadata"]["name"] == "{{.name}}-{{index .path.segments 1}}"
    assert spec["template"]["metadata"]["labels"]["team"] == "payments"
    assert spec["template"]["spec"]["project"] == "team-payments"


def test_a_team_with_a_repo_of_its_own() -> None:
    spec = _spec(_fleet(CHECKOUT), "services-checkout")
    assert _git(spec)["repoURL"] == OWN
    assert _git(spec)["directories"] == [
        {"path": 'deploy/apps/checkout-*/overlays/{{index .metadata.labels "environment"}}'}
    ]
    template = spec["template"]
    assert template["metadata"]["name"] == "{{.name}}-{{index .path.segments 2}}"
    assert template["spec"]["destination"]["namespace"] == "{{index .path.segments 2}}"
    assert template["spec"]["source"] == {
        "repoURL": OWN,
        "targetRevision": "main",
        "path": "{{.path.path}}",
    }


@pytest.mark.parametrize(
    ("team", "of_set", "followed"),
    [
        ({}, None, "v1"),
        ({}, "canary", "canary"),
        ({"revision": "v9"}, "canary", "v9"),
        ({"repo": OWN}, "canary", "main"),
        ({"repo": OWN, "revision": "v9"}, None, "v9"),
    ],
)
def test_the_revision_that_a_team_follows(
    team: dict[str, str], of_set: str | None, followed: str
) -> None:
    fleet = _fleet(
        {**PAYMENTS, **team},
        gitops={"repo": REPO, "revision": "v1"},
        applicationSets=[{**SERVICES, **({"revision": of_set} if of_set else {})}],
    )
    spec = _spec(fleet, "services-payments")
    assert _git(spec)["revision"] == followed
    assert spec["template"]["spec"]["source"]["targetRevision"] == followed


def test_the_services_of_teams_are_left_out_by_the_others() -> None:
    fleet = _fleet(PAYMENTS, CHECKOUT)
    (services, *_) = sets.every(fleet)
    assert {"payment-service", "payment-api", "checkout-*"} <= {*left_out(fleet, "lab", services)}
    assert "labels" in _spec(fleet, "services")["template"]["metadata"]
    assert "team" not in _spec(fleet, "services")["template"]["metadata"]["labels"]


def test_a_team_takes_no_application_of_another_set() -> None:
    """`eu-metrics` on `prod` would be the metrics of `prod-eu`."""
    fleet = _fleet(
        {"name": "eu", "namespaces": ["eu-*"]},
        spokes=[a_spoke("prod"), a_spoke("prod-eu")],
        applicationSets=[SERVICES, {"name": "metrics", "layout": "directory", "path": "metrics"}],
    )
    directories = _git(_spec(fleet, "services-eu"))["directories"]
    assert {"path": "apps/eu-metrics/overlays/*", "exclude": True} in directories


def test_the_hub_as_a_spoke_has_a_project_for_each_team() -> None:
    hub = a_spoke("management", server="https://kubernetes.default.svc", auth={"kind": "inCluster"})
    fleet = _fleet(PAYMENTS, spokes=[a_spoke("prod-1"), hub])
    made = projects.of_hub(fleet)
    assert {"team-payments", "team-payments-hub"} < {*made}
    (_, one) = sets.every(fleet)
    assert sets.projects_of(fleet, "lab", one) == ["team-payments", "team-payments-hub"]
    assert sets.project(fleet, "lab", one) == (
        '{{if eq .server "https://kubernetes.default.svc"}}team-payments-hub{{else}}team-payments{{end}}'
    )


def test_two_that_may_be_one_application() -> None:
    """Told for patterns too; not for one team, whose own affair that is."""
    spokes = [a_spoke("prod"), a_spoke("prod-eu")]

    def found(*its: dict[str, Any]) -> list[str]:
        return [one.path for one in teams.problems(_fleet(*its, spokes=spokes))]

    eu, shop = {"name": "eu", "namespaces": ["eu-*"]}, {"name": "shop", "namespaces": ["shop"]}
    assert found(eu, shop) == ["fleet:teams[0].namespaces[0]"]
    assert found(shop, eu) == ["fleet:teams[1].namespaces[0]"]
    assert found({"name": "eu", "namespaces": ["us-*"]}, shop) == []
    assert found({"name": "both", "namespaces": ["eu-*", "shop"]}) == []


def _hub(*its: dict[str, Any], **more: Any) -> Fleet:
    owner = {"argocd": {"manifest": "install.yaml"}, "applicationSets": []}
    return a_stack("production", teams=[*its], **owner, **more)


def _prod(*its: dict[str, Any]) -> Fleet:
    return a_stack("production", spoke("prod-1", "production"), teams=[*its])


def test_teams_are_the_same_in_all_stacks_of_a_hub() -> None:
    assert said(hub=_hub(PAYMENTS, CHECKOUT), production=_prod(PAYMENTS, CHECKOUT)) == []
    assert said(hub=_hub(), production=_prod(PAYMENTS)) == [
        'production: fleet:teams[0]: stack "hub", which owns hub "hub", has no team "payments"; write it there too'
    ]
    assert said(hub=_hub(PAYMENTS), production=_prod()) == [
        'production: fleet:teams: stack "hub", which owns hub "hub", has a team "payments"; write it here too'
    ]
    assert said(hub=_hub(PAYMENTS), production=_prod({**PAYMENTS, "namespaces": ["other"]})) == [
        'production: fleet:teams[0].namespaces: stack "hub", which owns hub "hub", has others for "payments": '
        "payment-service, payment-api; write the same in both"
    ]


def test_a_team_s_repo_moves_in_the_hub_s_stack_first() -> None:
    moved = {**PAYMENTS, "repo": OWN}
    assert said(hub=_hub(moved), production=_prod(PAYMENTS)) == []
    assert said(hub=_hub(PAYMENTS), production=_prod(moved)) == [
        'production: fleet:teams[0].repo: stack "hub", which owns hub "hub", lets "payments" deploy from '
        "https://git.example/gitops-config only; write the same in both, there first"
    ]


def test_a_set_s_name_that_a_team_makes_in_another_stack() -> None:
    other = a_stack(
        "staging",
        spoke("staging-1", "staging"),
        teams=[PAYMENTS],
        applicationSets=[
            {"name": "production-services-payments", "layout": "directory", "path": "x"}
        ],
    )
    told = neighbours.problems({"production": _prod(PAYMENTS), "staging": other})
    assert [one.path for one in told["staging"]] == ["fleet:applicationSets[0].name"]


def _joining(fleet: Fleet, hub: LiveHub) -> list[tuple[str, str]]:
    state = hub_state.read(hub, NAMESPACE)
    return [(one.path, one.message) for one in joining.problems(fleet, "dev", state)]


def test_the_hub_must_have_the_teams_projects_and_they_the_repos() -> None:
    joins = _fleet(CHECKOUT, argocd={})
    hub = LiveHub().with_argocd("hub")
    ((path, message),) = _joining(joins, hub)
    assert path == "fleet:argocd"
    assert 'has no AppProject "team-checkout"' in message
    hub.project("team-checkout", "hub", repo=REPO)
    ((path, message),) = _joining(joins, hub)
    assert path == "fleet:teams[0].repo"
    assert f"lets in {REPO}, and not {OWN}" in message
    assert _joining(_fleet(CHECKOUT, argocd={}), LiveHub().up(_fleet(CHECKOUT), "hub")) == []


def _handing(hub: LiveHub, fleet: Fleet) -> list[str]:
    state = hub_state.read(hub, NAMESPACE)
    names = [cluster.name for cluster in state.clusters]
    known = hub_state.HubState(
        **{
            **{name: getattr(state, name) for name in state.__dataclass_fields__},
            "applications": hub_state.applications(hub, NAMESPACE, names),
        }
    )
    return [one.message for one in handing_over.problems(fleet, "lab", known)]


def _handover(hub: LiveHub, fleet: Fleet) -> handing_over.Handover:
    for number, item in enumerate(hub.lists[f"{KINDS}/applications"]):
        item["metadata"].setdefault("uid", str(number))
        for owner in item["metadata"].get("ownerReferences") or ():
            owner["uid"] = owner["name"]
    state, known = hub_state.read(hub, NAMESPACE), applications.read(hub, NAMESPACE)
    return handing_over.handover(fleet, "lab", state, known)


def _moves(plan: handing_over.Handover) -> list[tuple[str, str, str]]:
    return [(one.application.name, one.application.set, one.to) for one in plan.moves]


def test_what_is_handed_over() -> None:
    """The set on the hub must leave it out before: else it would take it back."""
    hub, then = LiveHub().up(_fleet(spokes=ONE), "lab"), _fleet(A, spokes=ONE)
    plan = _handover(hub, then)
    assert _moves(plan) == [("prod-1-a", "services", "services-first")]
    assert plan.wrong == (
        'ApplicationSet "services" on the hub is not yet as the stack file has it',
        'the hub has no ApplicationSet "services-first" of this stack yet',
    )
    after = LiveHub().up(then, "lab")
    after.lists[f"{KINDS}/applications"].clear()
    after.application("prod-1-a", "services", "prod-1")
    after.application("prod-1-b", "services", "prod-1")
    after.application("prod-1-addon", "somebody-s", "prod-1")
    after.application("other-a", "services", "other")
    plan = _handover(after, then)
    assert _moves(plan) == [("prod-1-a", "services", "services-first")]
    assert plan.wrong == plan.leaving == ()


def test_what_was_let_go_is_on_its_way() -> None:
    then = _fleet(A, spokes=ONE)
    hub = LiveHub().up(then, "lab")
    hub.lists[f"{KINDS}/applications"].clear()
    hub.application("prod-1-a", "services", "prod-1")
    hub.lists[f"{KINDS}/applications"][0]["metadata"]["ownerReferences"] = []
    assert _moves(_handover(hub, then)) == [("prod-1-a", "", "services-first")]


def test_a_set_that_goes_lets_its_applications_go_first() -> None:
    hub = LiveHub().up(_fleet(A, {"name": "second", "namespaces": ["c"]}, spokes=ONE), "lab")
    plan = _handover(hub, _fleet(A, spokes=ONE))
    assert plan.leaving == ("services-second",)
    assert plan.wrong == ()
    assert _moves(plan) == [("prod-1-c", "services-second", "services")]


def test_another_stack_s_sets_are_left_alone() -> None:
    hub = LiveHub().up(_fleet(spokes=ONE), "other")
    plan = _handover(hub, _fleet(A, spokes=ONE, argocd={}))
    assert plan.moves == ()


ONE = [a_spoke("prod-1")]
A = {"name": "first", "namespaces": ["a"]}


def test_services_are_not_shut_out_before_they_are_handed_over() -> None:
    hub = LiveHub().up(_fleet(spokes=ONE), "lab")
    assert _handing(hub, _fleet(A, spokes=ONE)) == [
        'AppProject "services" would be shut to a, where prod-1-a deploys by it, and would sync nothing any more; '
        "write `fleet:projects.services.namespaces: [a]` until they are handed over to the team: docs/teams.md"
    ]
    opened = {"services": {"namespaces": ["a"]}}
    assert _handing(hub, _fleet(A, spokes=ONE, projects=opened)) == []
    shut = {"systemNamespaces": ["a"]}
    assert _handing(hub, _fleet(spokes=ONE, projects=shut)) == [], "that is what it is for"


def test_what_is_being_handed_over_is_not_held_up() -> None:
    """An Application that no set has: with the next `up` another takes it, and gives it its AppProject."""
    hub = LiveHub().up(_fleet(A, spokes=ONE), "lab")
    for item in hub.lists[f"{KINDS}/applications"]:
        item["metadata"]["ownerReferences"] = []
    assert _handing(hub, _fleet(spokes=ONE)) == []


def test_a_team_does_not_lose_what_it_still_deploys() -> None:
    hub = LiveHub().up(_fleet(A, spokes=ONE), "lab")
    assert _handing(hub, _fleet(A, spokes=ONE)) == []
    for left in (_fleet(spokes=ONE), _fleet({**A, "namespaces": ["c"]}, spokes=ONE)):
        (message,) = _handing(hub, left)
        assert 'AppProject "team-first" would be shut to a, where prod-1-a deploys by it' in message
