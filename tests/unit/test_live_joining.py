"""What a stack needs of the Argo CD that it joins: the AppProjects, and that they let it in."""

from __future__ import annotations

from typing import Any

import pytest

from live import hub_state, joining
from stacks.desired import projects
from stacks.model.fleet import Fleet
from tests.unit.live_hub import KINDS, NAMESPACE, LiveHub, a_fleet

REPO = "https://git.example.com/gitops-config.git"


SETS = [{"name": "platform", "layout": "platform"}]


def _joining(**changes: Any) -> Fleet:
    return a_fleet(**{"argocd": {}, "applicationSets": SETS, **changes})


def _problems(hub: LiveHub, fleet: Fleet | None = None) -> list[tuple[str, str]]:
    state = hub_state.read(hub, NAMESPACE)
    return [(one.path, one.message) for one in joining.problems(fleet or _joining(), "dev", state)]


def _hub(owner: str = "hub", **project: str) -> LiveHub:
    hub = LiveHub().with_argocd(owner)
    hub.lists[f"{KINDS}/appprojects"].clear()
    hub.project("platform", owner, **project)
    return hub


def test_a_hub_that_lets_the_stack_in() -> None:
    assert _problems(_hub()) == []
    assert _problems(_hub(repo=REPO, server="https://*.example.com")) == []


@pytest.mark.parametrize(
    ("owner", "todo"),
    [
        ("hub", 'run `up` of stack "hub", which owns the hub, first'),
        (
            "",
            "make it there by hand, as docs/topologies.md#an-argo-cd-that-is-there-already has it",
        ),
    ],
)
def test_a_project_that_is_not_there(owner: str, todo: str) -> None:
    hub = _hub(owner)
    hub.lists[f"{KINDS}/appprojects"].clear()
    assert _problems(hub) == [
        (
            "fleet:argocd",
            'Argo CD in namespace "argocd" of the hub (hub) has no AppProject "platform", which this stack\'s sets '
            f"deploy through: {todo}; or, if this is not the Argo CD that you mean, write its `namespace`",
        )
    ]
    assert _problems(hub, _joining(applicationSets=[])) == [], "nothing deploys through it"


def test_a_project_of_another_repo() -> None:
    ((path, message),) = _problems(_hub(repo="https://git.example.com/other.git"))
    assert path == "fleet:gitops.repo"
    assert message == (
        'AppProject "platform" on the hub lets in https://git.example.com/other.git, and not '
        f"{REPO}: no Application of this stack would sync; write the same repo, or widen that project in stack "
        '"hub", which made it'
    )


@pytest.mark.parametrize(
    ("pattern", "fits"),
    [
        ("*", True),
        ("https://git.example.com/*", True),
        ("https://GIT.example.com/gitops-config/", True),
        ("https://git.example.com/{gitops-config,x}", True),  # not for us to say
        ("https://git.example.org/*", False),
        (f"!{REPO}", False),
        ("!https://git.example.org/*", True),
    ],
)
def test_patterns_of_repos(pattern: str, fits: bool) -> None:
    assert (_problems(_hub(repo=pattern)) == []) is fits


def test_a_cluster_that_the_project_keeps_off() -> None:
    found = _problems(_hub(server="https://prod-1.example.com"))
    assert found == [
        (
            "fleet:spokes[1]",
            'AppProject "platform" on the hub lets nothing deploy to "staging" (https://staging.example.com); widen '
            'that project in stack "hub", which made it',
        )
    ]


def test_a_cluster_may_be_let_in_by_name_and_kept_off_by_server() -> None:
    hub = _hub()
    (project,) = hub.lists[f"{KINDS}/appprojects"]
    project["spec"]["destinations"] = [{"name": "prod-*", "namespace": "*"}]
    assert [path for path, _ in _problems(hub)] == ["fleet:spokes[1]"]
    project["spec"]["destinations"] = [
        {"server": "*", "namespace": "*"},
        {"server": "!https://prod-*", "namespace": "*"},
    ]
    assert [path for path, _ in _problems(hub)] == ["fleet:spokes[0]"]


@pytest.mark.parametrize(("known", "found"), [({"name": {}}, []), ({}, ["fleet:argocd"])])
def test_an_argo_cd_before_3_3(known: dict[str, Any], found: list[str]) -> None:
    hub = _hub()
    fields = {"group": {}, "kind": {}, **known}
    blacklist = {"items": {"properties": fields}}
    spec = {"properties": {"clusterResourceBlacklist": blacklist}}
    version = {"schema": {"openAPIV3Schema": {"properties": {"spec": spec}}}}
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/appprojects.argoproj.io"
    hub.has(path, "kubectl", kind="CustomResourceDefinition", spec={"versions": [version]})
    problems = _problems(hub)
    assert [path for path, _ in problems] == found
    assert not problems or "upgrade it first" in problems[0][1]


def test_a_crd_that_tells_nothing() -> None:
    hub = _hub()
    path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/appprojects.argoproj.io"
    hub.has(path, "kubectl", kind="CustomResourceDefinition", spec={"versions": []})
    assert _problems(hub) == []


def test_each_set_has_its_project() -> None:
    both = _joining(
        applicationSets=[
            {"name": "platform", "layout": "platform", "selector": {"environment": "production"}},
            {"name": "services", "layout": "services"},
        ]
    )
    hub = _hub(server="https://staging.example.com")
    assert [message.split(",")[0] for _, message in _problems(hub, both)] == [
        'Argo CD in namespace "argocd" of the hub (hub) has no AppProject "services"',
        'AppProject "platform" on the hub lets nothing deploy to "prod-1" (https://prod-1.example.com); widen that '
        'project in stack "hub"',
    ]
    hub.project("services", "hub", server="https://prod-1.example.com")
    assert [path for path, _ in _problems(hub, both)] == ["fleet:spokes[0]", "fleet:spokes[1]"]


def test_the_projects_that_fleet_makes_let_the_stack_in() -> None:
    hub = _hub()
    made = projects.of_hub(a_fleet())
    for one in hub.lists[f"{KINDS}/appprojects"]:
        one["spec"] = made[one["metadata"]["name"]]
    assert _problems(hub) == []


def test_what_is_told_elsewhere() -> None:
    assert _problems(LiveHub()) == [], "no Argo CD"
    assert _problems(_hub(repo="x"), a_fleet()) == [], "the owner makes the project"


def test_a_pattern_that_only_argo_cd_knows_to_read_is_left_to_it() -> None:
    assert _problems(_hub(server="!https://prod-[0-9].example.com")) == []
    assert _problems(_hub(server="!https://prod-*.example.com")) != []
