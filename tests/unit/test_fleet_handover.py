"""The verdict over a fleet: strict, and precise about what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fleet.facts import Application, ExternalSecret, Hub, Spoke
from fleet.handover import Expected, ExpectedSet, Verdict, expected_of, judge
from stacks import Fleet

EXPECTED = Expected(
    environments={"prod-1": "production", "staging": "staging"},
    sets=(
        ExpectedSet("platform-services", "platform", ("prod-1",)),
        ExpectedSet("services", "services", ("prod-1", "staging")),
    ),
)


def application(name: str, spoke: str, owner: str, **fields: str) -> Application:
    values = {"sync": "Synced", "health": "Healthy", "revision": "abc123", **fields}
    return Application(name, spoke, owner, **values)


APPLICATIONS = (
    application("prod-1-platform", "prod-1", "platform-services"),
    application("prod-1-payment-service", "prod-1", "services"),
    application("staging-payment-service", "staging", "services"),
)
HUB = Hub("hub", True, "v1.36.3", "", APPLICATIONS, {"platform-services": "", "services": ""})
SPOKES = {
    name: Spoke(name, True, "v1.36.3", "", True, "", (ExternalSecret("payment/db", True),))
    for name in ("prod-1", "staging")
}


def verdict(hub: Hub = HUB, **spokes: Spoke) -> Verdict:
    return judge(EXPECTED, hub, {**SPOKES, **spokes})


def problems(judged: Verdict) -> list[str]:
    return [f"{problem.where}: {problem.message}" for problem in judged.problems]


def with_application(index: int, **fields: str) -> Hub:
    changed = list(APPLICATIONS)
    changed[index] = replace(changed[index], **fields)
    return replace(HUB, applications=tuple(changed))


def test_all_good() -> None:
    judged = verdict()
    assert problems(judged) == []
    assert judged.good
    assert judged.exit_code == 0
    assert all(row.good for row in judged.spokes)
    assert judged.counts == {
        "spokes reachable": (2, 2),
        "stores ready": (2, 2),
        "secrets synced": (2, 2),
        "applications good": (3, 3),
    }


def test_a_spoke_without_external_secrets_is_good() -> None:
    assert verdict(staging=replace(SPOKES["staging"], secrets=())).good


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"sync": "OutOfSync"}, "prod-1-platform: on prod-1: OutOfSync, Healthy"),
        ({"sync": "Unknown"}, "prod-1-platform: on prod-1: Unknown, Healthy"),
        ({"health": "Progressing"}, "prod-1-platform: on prod-1: Synced, Progressing"),
        ({"revision": ""}, "prod-1-platform: on prod-1: Synced, Healthy, no revision"),
        (
            {"sync": "OutOfSync", "message": "no such path"},
            "prod-1-platform: on prod-1: OutOfSync, Healthy: no such path",
        ),
    ],
)
def test_an_application_that_is_not_good(fields: dict[str, str], message: str) -> None:
    judged = verdict(with_application(0, **fields))
    assert problems(judged) == [message]
    assert judged.exit_code == 1
    assert [row.good for row in judged.spokes] == [False, True]


def test_a_platform_application_must_bear_the_spokes_name() -> None:
    judged = verdict(with_application(0, name="prod-1-base"))
    assert problems(judged) == [
        'prod-1: Application "prod-1-platform" of ApplicationSet "platform-services" does not exist'
    ]
    assert (judged.spokes[0].applications_good, judged.spokes[0].applications_total) == (2, 3)


def test_a_spoke_without_a_service() -> None:
    judged = verdict(replace(HUB, applications=APPLICATIONS[:2]))
    assert problems(judged) == [
        'staging: no Application of ApplicationSet "services" exists; it makes one per '
        "apps/<service>/overlays/staging of the gitops-config repo"
    ]
    assert (judged.spokes[1].applications_good, judged.spokes[1].applications_total) == (0, 1)


def test_no_applications_at_all_is_not_good() -> None:
    assert len(verdict(replace(HUB, applications=())).problems) == 3


def test_applications_of_other_people_do_not_count() -> None:
    theirs = application("blog", "https://elsewhere:6443", "", sync="OutOfSync")
    judged = verdict(replace(HUB, applications=(*APPLICATIONS, theirs)))
    assert judged.good
    assert theirs not in judged.applications


def test_an_application_left_behind_by_a_removed_spoke_counts() -> None:
    orphan = application("old-platform", "https://old:6443", "platform-services", sync="Unknown")
    judged = verdict(replace(HUB, applications=(*APPLICATIONS, orphan)))
    assert problems(judged) == ["old-platform: on https://old:6443: Unknown, Healthy"]


def test_an_application_on_our_spoke_counts_whoever_made_it() -> None:
    theirs = application("blog", "staging", "", health="Degraded")
    assert problems(verdict(replace(HUB, applications=(*APPLICATIONS, theirs)))) == [
        "blog: on staging: Synced, Degraded"
    ]


def test_an_unreachable_hub_is_the_one_thing_said_of_it() -> None:
    judged = verdict(Hub("hub", reachable=False, error="connection refused"))
    assert problems(judged) == ["hub: connection refused"]
    assert judged.exit_code == 2


def test_a_hub_without_argo_cd() -> None:
    judged = verdict(Hub("hub", reachable=True, error="Argo CD is not installed"))
    assert problems(judged) == ["hub: Argo CD is not installed"]
    assert judged.exit_code == 1


def test_application_sets_must_exist_and_report_no_error() -> None:
    judged = verdict(replace(HUB, application_sets={"services": "no such repo"}))
    assert problems(judged) == [
        'hub: ApplicationSet "platform-services" does not exist',
        'hub: ApplicationSet "services": no such repo',
    ]


def test_an_unreachable_spoke_is_not_good_though_its_applications_look_healthy() -> None:
    judged = verdict(staging=Spoke("staging", reachable=False, error="connection refused"))
    assert problems(judged) == ["staging: connection refused"]
    assert judged.exit_code == 1


def test_a_spoke_nobody_asked_is_not_good() -> None:
    assert problems(judge(EXPECTED, HUB, {"prod-1": SPOKES["prod-1"]})) == ["staging: not asked"]


def test_a_store_that_is_not_ready() -> None:
    sealed = replace(
        SPOKES["staging"],
        store_ready=False,
        store_message="ClusterSecretStore vault-backend: Vault is sealed",
    )
    assert problems(verdict(staging=sealed)) == [
        "staging: ClusterSecretStore vault-backend: Vault is sealed"
    ]


def test_the_first_failing_external_secret_is_named() -> None:
    secrets = (
        ExternalSecret("a/ok", True),
        ExternalSecret("b/bad", False, "permission denied"),
        ExternalSecret("c/bad", False),
    )
    judged = verdict(staging=replace(SPOKES["staging"], secrets=secrets))
    assert problems(judged) == ["staging: ExternalSecret b/bad: permission denied (and 1 more)"]
    assert judged.spokes[1].secrets_ready == 1


def test_what_is_expected_follows_the_selectors() -> None:
    fleet = Fleet.model_validate(
        {
            "hub": {"context": "hub"},
            "argocd": {"manifest": "install.yaml"},
            "gitops": {"repo": "https://git.example/gitops-config"},
            "vault": {"address": "https://vault.example"},
            "externalSecrets": {"crds": "crds.yaml", "chart": "chart"},
            "spokes": [
                {
                    "name": "prod-1",
                    "environment": "production",
                    "region": "r1",
                    "labels": {"team": "a"},
                },
                {"name": "staging", "environment": "staging", "region": "r1"},
            ],
            "applicationSets": [
                {"name": "everywhere", "layout": "services"},
                {"name": "prod", "layout": "platform", "selector": {"environment": "production"}},
                {"name": "team-a", "layout": "services", "selector": {"team": "a", "region": "r1"}},
                {"name": "nobody", "layout": "services", "selector": {"team": "b"}},
            ],
        }
    )
    expected = expected_of(fleet)
    assert expected.environments == {"prod-1": "production", "staging": "staging"}
    assert [(entry.name, entry.spokes) for entry in expected.sets] == [
        ("everywhere", ("prod-1", "staging")),
        ("prod", ("prod-1",)),
        ("team-a", ("prod-1",)),
        ("nobody", ()),
    ]
