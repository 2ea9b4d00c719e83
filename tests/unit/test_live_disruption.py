"""What a change of the stack file would take away, held against a live hub."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from live import disruption, hub_state, losses, ownership
from stacks.model.fleet import Fleet
from tests.unit.live_hub import CANARY, KINDS, NAMESPACE, LiveHub, a_fleet, a_spoke

PROD, STAGING = a_spoke("prod-1"), a_spoke("staging", environment="staging")
PLATFORM = {
    "name": "platform-services",
    "layout": "platform",
    "selector": {"environment": "production"},
}
SERVICES = {"name": "services", "layout": "services"}
DELETES = {**SERVICES, "preserve": False}
ADDON = {"name": "addon", "layout": "directory", "path": "addons"}
ARGOCD = {"chart": "chart", "delivery": "argocd"}


def problems(hub: LiveHub, fleet: Fleet) -> list[tuple[str, str]]:
    """Place and message of everything that the stack `lab` is refused for."""
    state = ownership.claimed(fleet, "lab", hub_state.read(hub, NAMESPACE))
    if state.installed:
        names = [cluster.name for cluster in state.clusters]
        state = replace(state, applications=hub_state.applications(hub, NAMESPACE, names))
    found = ownership.problems(fleet, "lab", state) + disruption.problems(fleet, "lab", state)
    assert CANARY not in str(found), "no credential in a message"
    return [(problem.path, problem.message) for problem in found]


LOSSES: dict[str, tuple[Mapping[str, Any], Mapping[str, Any], list[tuple[str, str]]]] = {
    "a block is dropped": (
        {},
        {"spokes": [PROD]},
        [
            (
                "fleet:spokes",
                '"staging" has no block any more: Argo CD would forget the cluster. Its 2 Applications (staging-a, '
                "staging-b) would stay on the hub, unable to sync, and nothing would manage the workloads. If that is "
                "what you want, write `fleet:allowDeletion: [staging]` for one `up`; see docs/remove-a-cluster.md",
            )
        ],
    ),
    "a credential goes to Vault, and a set deletes": (
        {"applicationSets": [DELETES, PLATFORM]},
        {
            "applicationSets": [DELETES, PLATFORM],
            "spokes": [a_spoke("prod-1", auth={"kind": "vault"}), STAGING],
        },
        [
            (
                "fleet:spokes[0].auth.kind",
                'the cluster Secret of "prod-1" would change hands, from Pulumi to External Secrets, and not be there '
                "for a moment. Its 2 Applications (prod-1-a, prod-1-b) would be deleted, and the workloads with them.",
            ),
            ("fleet:spokes[0].auth.kind", "and it is protected"),
        ],
    ),
    "a block is dropped, and a set deletes": (
        {"applicationSets": [DELETES]},
        {"applicationSets": [DELETES], "spokes": [PROD]},
        [
            (
                "fleet:spokes",
                '"staging" has no block any more: Argo CD would forget the cluster. Its 2 Applications (staging-a, '
                "staging-b) would be deleted, and nothing would manage the workloads.",
            )
        ],
    ),
    "a spoke that no set takes is dropped": (
        {"applicationSets": [PLATFORM]},
        {"applicationSets": [PLATFORM], "spokes": [PROD]},
        [("fleet:spokes", '"staging" has no block any more: Argo CD would forget the cluster.')],
    ),
    "a spoke is renamed": (
        {},
        {"spokes": [{**PROD, "name": "prod-use1"}, STAGING]},
        [
            (
                "fleet:spokes[0].name",
                '"prod-1" would be renamed to "prod-use1", which has its server; names never change: take "prod-1" out '
                'first, Applications and all, then add "prod-use1". Its 3 Applications (prod-1-a, prod-1-b, '
                'prod-1-platform) would stay on the hub and contend with those of "prod-use1" for the same workloads.',
            )
        ],
    ),
    "a spoke is renamed, and a set deletes": (
        {"applicationSets": [DELETES]},
        {"applicationSets": [DELETES], "spokes": [{**PROD, "name": "prod-use1"}, STAGING]},
        [
            (
                "fleet:spokes[0].name",
                "Its 2 Applications (prod-1-a, prod-1-b) would be deleted, and the workloads with them. If that is",
            )
        ],
    ),
    "the environment, which one set selects on and the other deploys": (
        {},
        {"spokes": [{**PROD, "environment": "staging"}, STAGING]},
        [
            (
                "fleet:spokes[0].environment",
                'label environment of "prod-1" would change from "production" to "staging": ApplicationSet '
                '"platform-services" would not take "prod-1" any more. Its Application prod-1-platform would stay on '
                "the hub, updated by no set.",
            ),
            (
                "fleet:spokes[0].environment",
                'environment of "prod-1" would change from "production" to "staging": ApplicationSet "services" would '
                "deploy overlays/staging there. Its 2 Applications (prod-1-a, prod-1-b) would change at once; those of "
                "services without such an overlay would stay as they are.",
            ),
        ],
    ),
    "a label of the spoke's own": (
        {
            "spokes": [a_spoke("one", labels={"team": "a"})],
            "applicationSets": [{**ADDON, "selector": {"team": "a"}, "preserve": False}],
        },
        {
            "spokes": [a_spoke("one", labels={"team": "b"})],
            "applicationSets": [{**ADDON, "selector": {"team": "a"}, "preserve": False}],
        },
        [
            (
                "fleet:spokes[0].labels.team",
                'label team of "one" would change from "a" to "b": ApplicationSet "addon" would not take "one" any '
                "more. Its Application one-addon would be deleted, and the workloads with them.",
            )
        ],
    ),
    "an addon goes": (
        {
            "spokes": [a_spoke("one", addons=["mesh"])],
            "applicationSets": [{**ADDON, "selector": {"enable_mesh": "true"}}],
        },
        {
            "spokes": [a_spoke("one")],
            "applicationSets": [{**ADDON, "selector": {"enable_mesh": "true"}}],
        },
        [
            (
                "fleet:spokes[0].addons",
                'label enable_mesh of "one" would change from "true" to none',
            )
        ],
    ),
    "a selector": (
        {},
        {"applicationSets": [{**PLATFORM, "selector": {"region": "eu-west-1"}}, SERVICES]},
        [
            (
                "fleet:applicationSets[0].selector",
                'ApplicationSet "platform-services" would not take "prod-1" any more. Its Application prod-1-platform',
            )
        ],
    ),
    "an environment of the stack": (
        {},
        {"environments": ["production"], "spokes": [PROD, STAGING]},
        [
            (
                "fleet:applicationSets[1].selector",
                'ApplicationSet "services" would not take "staging" any more',
            )
        ],
    ),
    "a set goes": (
        {},
        {"applicationSets": [SERVICES]},
        [
            (
                "fleet:applicationSets",
                'ApplicationSet "platform-services" would be gone. Its Application prod-1-platform would be deleted '
                "with the set, and nothing would manage the workloads.",
            )
        ],
    ),
    "a set that deletes goes": (
        {"applicationSets": [PLATFORM, DELETES], "spokes": [STAGING]},
        {"applicationSets": [PLATFORM], "spokes": [STAGING]},
        [("fleet:applicationSets", "would be deleted, and the workloads with them.")],
    ),
    "a label and the selector at once, and the set deletes": (
        {
            "spokes": [a_spoke("one", labels={"team": "a"})],
            "applicationSets": [{**ADDON, "selector": {"team": "a"}, "preserve": False}],
        },
        {
            "spokes": [a_spoke("one", labels={"team": "b"})],
            "applicationSets": [{**ADDON, "selector": {"team": "b"}, "preserve": False}],
        },
        [
            (
                "fleet:applicationSets[0].selector",
                'the selector of ApplicationSet "addon" and the labels of "one" would change in one `up`, and not '
                "match in between: widen the selector first, change the labels with the next `up`. Its Application "
                "one-addon would be deleted, and the workloads with them.",
            )
        ],
    ),
    "a label goes and the selector no longer asks for it, and the set deletes": (
        {
            "spokes": [a_spoke("one", labels={"team": "a"})],
            "applicationSets": [{**ADDON, "selector": {"team": "a"}, "preserve": False}],
        },
        {
            "spokes": [a_spoke("one")],
            "applicationSets": [{**ADDON, "selector": {"region": "us-east-1"}}],
        },
        [
            (
                "fleet:applicationSets[0].selector",
                "would change in one `up`, and not match in between",
            )
        ],
    ),
    "a set of another layout": (
        {"applicationSets": [PLATFORM]},
        {"applicationSets": [{**PLATFORM, "layout": "services"}]},
        [
            (
                "fleet:applicationSets[0].layout",
                'ApplicationSet "platform-services" would make other Applications for "prod-1". Its Application '
                "prod-1-platform would stay on the hub beside the new ones, for the same workloads.",
            )
        ],
    ),
    "from services to one directory": (
        {"applicationSets": [SERVICES], "spokes": [PROD]},
        {"applicationSets": [{**ADDON, "name": "services"}], "spokes": [PROD]},
        [
            (
                "fleet:applicationSets[0].application",
                'ApplicationSet "services" would make other Applications for "prod-1". Its 2 Applications',
            )
        ],
    ),
    "an Application of another name": (
        {"applicationSets": [ADDON], "spokes": [PROD]},
        {
            "applicationSets": [{**ADDON, "application": "mesh", "preserve": False}],
            "spokes": [PROD],
        },
        [
            (
                "fleet:applicationSets[0].application",
                "Its Application prod-1-addon would be deleted, and the workloads with them.",
            )
        ],
    ),
    "services go to a team, and the set deletes": (
        {"applicationSets": [DELETES], "spokes": [PROD]},
        {
            "applicationSets": [DELETES],
            "spokes": [PROD],
            "teams": [{"name": "first", "namespaces": ["a"]}],
        },
        [
            (
                "fleet:applicationSets[0]",
                'ApplicationSet "services" would take no apps/a/overlays/* any more. Its 2 Applications (prod-1-a, '
                "prod-1-b) would be deleted, and the workloads with them.",
            )
        ],
    ),
    "services move to another repo, and the set deletes": (
        {
            "applicationSets": [DELETES],
            "spokes": [PROD],
            "teams": [{"name": "first", "namespaces": ["c"]}],
        },
        {
            "applicationSets": [DELETES],
            "spokes": [PROD],
            "teams": [
                {"name": "first", "namespaces": ["c"], "repo": "https://git.example.com/empty.git"}
            ],
        },
        [
            (
                "fleet:teams[0]",
                'ApplicationSet "services-first" would deploy from https://git.example.com/empty.git. Its Application '
                "prod-1-c would be deleted, and the workloads with them, where they are not there; with `preserve: "
                "true` none is.",
            )
        ],
    ),
    "a team is gone": (
        {
            "applicationSets": [SERVICES],
            "spokes": [PROD],
            "teams": [{"name": "first", "namespaces": ["c"]}],
        },
        {"applicationSets": [SERVICES], "spokes": [PROD]},
        [
            (
                "fleet:applicationSets",
                'ApplicationSet "services-first" would be gone. Its Application prod-1-c would be deleted with the set',
            )
        ],
    ),
    "External Secrets of one spoke": (
        {"externalSecrets": ARGOCD, "applicationSets": []},
        {
            "externalSecrets": ARGOCD,
            "applicationSets": [],
            "spokes": [PROD, {**STAGING, "delivery": "pulumi"}],
        },
        [
            (
                "fleet:spokes[1].delivery",
                'label external_secrets_delivery of "staging" would change from "argocd" to "pulumi": ApplicationSet '
                '"external-secrets-lab" would not take "staging" any more. Its Applications would stay',
            )
        ],
    ),
    "External Secrets of every spoke": (
        {"externalSecrets": ARGOCD, "applicationSets": [], "spokes": [PROD]},
        {"applicationSets": [], "spokes": [PROD]},
        [
            (
                "fleet:externalSecrets.delivery",
                'ApplicationSet "external-secrets-lab" would be gone: Argo CD would deliver External Secrets to no '
                "spoke any more. Its Applications would be deleted with the set",
            )
        ],
    ),
}


@pytest.mark.parametrize("case", LOSSES)
def test_refused(case: str) -> None:
    before, after, expected = LOSSES[case]
    found = problems(LiveHub().up(a_fleet(**before), "lab"), a_fleet(**after))
    assert [path for path, _ in found] == [path for path, _ in expected]
    for (_, message), (_, words) in zip(found, expected, strict=True):
        assert words in message


@pytest.mark.parametrize("case", LOSSES)
def test_allowed_for_these_spokes_only(case: str) -> None:
    before, after, _ = LOSSES[case]
    fleet = a_fleet(**after)
    state = hub_state.read(LiveHub().up(a_fleet(**before), "lab"), NAMESPACE)
    losing = sorted({loss.spoke for loss in losses.losses(fleet, "lab", state)})
    assert losing
    # What is protected has been let go by an `up` before.
    hub = LiveHub().up(a_fleet(**before, allowDeletion=losing), "lab")
    allowed = a_fleet(**after, allowDeletion=losing)
    assert problems(hub, allowed) == []
    assert problems(hub, a_fleet(**after, allowDeletion=["another"])) == problems(hub, fleet)
    for line in disruption.notes(allowed, "lab", state):
        assert line.startswith("allowed by fleet:allowDeletion: ")


@pytest.mark.parametrize("case", LOSSES)
def test_an_unchanged_fleet_loses_nothing(case: str) -> None:
    before, after, _ = LOSSES[case]
    for fleet in (a_fleet(**before), a_fleet(**after)):
        assert problems(LiveHub().up(fleet, "lab"), fleet) == []


def test_a_hub_from_before_the_stack_label() -> None:
    hub = LiveHub().up(a_fleet(), "lab").unlabelled()
    assert problems(hub, a_fleet()) == []
    assert [path for path, _ in problems(hub, a_fleet(spokes=[PROD]))] == ["fleet:spokes"]
    ((_, message),) = problems(
        hub, a_fleet(applicationSets=[SERVICES, {**PLATFORM, "selector": {"region": "x"}}])
    )
    assert 'ApplicationSet "platform-services" would not take "prod-1" any more' in message


@pytest.mark.parametrize(
    "more",
    [
        {"spokes": [PROD, STAGING, a_spoke("prod-2")]},
        {"spokes": [a_spoke("prod-2"), STAGING, PROD]},
        {"applicationSets": [ADDON, PLATFORM, SERVICES]},
        {"spokes": [{**PROD, "labels": {"team": "a"}, "tier": "gold"}, STAGING]},
        {"spokes": [{**PROD, "server": "https://elsewhere.example.com"}, STAGING]},
        {"spokes": [{**PROD, "quarantine": "its disk is being replaced"}, STAGING]},
        {"externalSecrets": ARGOCD},
        {"gitops": {"repo": "https://git.example.com/other.git"}},
    ],
)
def test_what_takes_nothing_away(more: dict[str, Any]) -> None:
    assert problems(LiveHub().up(a_fleet(), "lab"), a_fleet(**more)) == []


def test_a_label_and_the_selector_at_once_where_the_set_never_deletes() -> None:
    before, after = (
        a_fleet(
            spokes=[a_spoke("one", labels={"team": team})],
            applicationSets=[{**ADDON, "selector": {"team": team}}],
        )
        for team in ("a", "b")
    )
    assert problems(LiveHub().up(before, "lab"), after) == []


def test_a_wider_selector_first() -> None:
    narrow, wide = ({**ADDON, "selector": one, "preserve": False} for one in ({"team": "a"}, {}))
    spokes = [a_spoke("one", labels={"team": "a"})]
    hub = LiveHub().up(a_fleet(spokes=spokes, applicationSets=[narrow]), "lab")
    assert problems(hub, a_fleet(spokes=spokes, applicationSets=[wide])) == []
    hub = LiveHub().up(a_fleet(spokes=spokes, applicationSets=[wide]), "lab")
    assert problems(hub, a_fleet(spokes=[a_spoke("one")], applicationSets=[wide])) == []


def test_the_first_up() -> None:
    assert problems(LiveHub(), a_fleet()) == []
    assert problems(LiveHub().with_argocd(), a_fleet()) == [], "Argo CD that was installed by hand"


def test_many_applications_are_counted() -> None:
    hub = LiveHub().up(a_fleet(), "lab")
    for index in range(5):
        hub.application(f"staging-c{index}", "services", "staging")
    ((_, message),) = problems(hub, a_fleet(spokes=[PROD]))
    assert (
        "Its 7 Applications (staging-a, staging-b, staging-c0, staging-c1, staging-c2 and 2 more)"
        in message
    )


def test_a_cluster_registered_by_hand_that_a_set_takes() -> None:
    hub = LiveHub().up(a_fleet(), "lab")
    hub.cluster("by-hand", "https://by-hand.example.com", {"environment": "production"})
    assert problems(hub, a_fleet()) == []
    found = problems(hub, a_fleet(applicationSets=[SERVICES]))
    assert len(found) == 2
    assert "`fleet:allowDeletion: [by-hand]`" in found[0][1]


def test_a_cluster_with_a_name_that_no_spoke_may_have() -> None:
    name = "arn:aws:eks:eu-west-1:111111111111:cluster/By_Hand"
    hub = LiveHub().up(a_fleet(), "lab")
    hub.cluster(name, "https://by-hand.example.com", {"environment": "production"})
    fleet = a_fleet(applicationSets=[SERVICES], allowDeletion=["prod-1", name])
    assert problems(hub, fleet) == []


def test_a_live_set_changed_by_hand() -> None:
    hub = LiveHub().up(a_fleet(), "lab")
    for item in hub.lists[f"{KINDS}/applicationsets"]:
        item["spec"]["generators"] = [
            {"clusters": {"selector": {"matchExpressions": [{"key": "a", "operator": "Odd"}]}}}
        ]
    assert problems(hub, a_fleet(applicationSets=[])) == [], "such a selector takes nothing"


def test_one_of_two_with_the_same_server_goes() -> None:
    hub = LiveHub().up(a_fleet(), "lab")
    fleet = a_fleet(spokes=[{**PROD, "server": STAGING["server"]}])
    assert [path for path, _ in problems(hub, fleet)] == ["fleet:spokes"], "no new name"


def test_any_set_that_deletes_counts() -> None:
    sets = [{**PLATFORM, "preserve": False}, SERVICES]
    hub = LiveHub().up(a_fleet(applicationSets=sets), "lab")
    ((_, message),) = problems(hub, a_fleet(applicationSets=sets, spokes=[STAGING]))
    assert "would be deleted, and nothing would manage" in message
    ((_, message),) = problems(hub, a_fleet(spokes=[STAGING]))
    assert "would stay on the hub, unable to sync" in message, "as the sets will be"


def test_the_environment_says_nothing_to_a_set_of_one_directory() -> None:
    sets = [{**PLATFORM, "selector": {"region": "us-east-1"}}]
    hub = LiveHub().up(a_fleet(applicationSets=sets), "lab")
    moved = [{**PROD, "environment": "staging"}, STAGING]
    assert problems(hub, a_fleet(applicationSets=sets, spokes=moved)) == []


def test_another_stack_s_sets_are_not_this_one_s_to_lose() -> None:
    hub = LiveHub().up(a_fleet(), "lab")
    hub.cluster("by-hand", "https://by-hand.example.com", {"tier": "x"})
    hub.set("theirs", "other", {"clusters": {"selector": {"matchLabels": {"tier": "x"}}}})
    assert problems(hub, a_fleet()) == []


def test_names_that_allow_nothing() -> None:
    state = hub_state.read(LiveHub().up(a_fleet(), "lab"), NAMESPACE)
    fleet = a_fleet(spokes=[PROD], allowDeletion=["staging", "prod-1", "prod-11"])
    assert [line.split(". ")[0] for line in disruption.notes(fleet, "lab", state)] == [
        'allowed by fleet:allowDeletion: "staging" has no block any more: Argo CD would forget the cluster',
        'fleet:allowDeletion: "prod-1" is not protected from this `up` on',
        'fleet:allowDeletion: "prod-11" would lose nothing; take it out, so that it allows nothing later; '
        "no spoke has this name",
    ]
    assert disruption.notes(a_fleet(), "lab", state) == []
