"""The verdict over a fleet: strict, and precise about what is missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from fleet.expected import Expected, ExpectedSet, ExpectedSpoke, expected_of
from fleet.facts import Application, Hub, Readiness, Registration, Spoke
from fleet.handover import Verdict, judge
from stacks.model.fleet import Fleet

EXPECTED = Expected(
    spokes=(ExpectedSpoke("prod-1", "production"), ExpectedSpoke("staging", "staging")),
    sets=(
        ExpectedSet("platform-services", {"prod-1": "prod-1-platform"}),
        ExpectedSet("services", {"prod-1": None, "staging": None}),
    ),
    stores=("vault-backend",),
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
    name: Spoke(
        name,
        True,
        "v1.36.3",
        stores=(Readiness("vault-backend", True),),
        secrets=(Readiness("payment/db", True),),
    )
    for name in ("prod-1", "staging")
}


def verdict(hub: Hub = HUB, expected: Expected = EXPECTED, **spokes: Spoke) -> Verdict:
    return judge(expected, hub, {**SPOKES, **spokes})


def problems(judged: Verdict) -> list[str]:
    return [f"{problem.where}: {problem.message}" for problem in judged.findings]


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
    assert len(verdict(replace(HUB, applications=())).findings) == 3


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


def test_a_spoke_that_this_machine_does_not_talk_to_is_judged_by_its_applications() -> None:
    remote = Spoke("staging", reachable=False, asked=False)
    judged = verdict(staging=remote)
    assert judged.good
    assert judged.spokes[1].good
    assert judged.counts["spokes reachable"] == (1, 1)
    assert judged.counts["stores ready"] == (1, 1)
    judged = verdict(with_application(2, health="Degraded"), staging=remote)
    assert problems(judged) == ["staging-payment-service: on staging: Synced, Degraded"]
    assert not judged.spokes[1].good


NOW = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
LET_IN = Registration(changed=NOW - timedelta(minutes=1), tried=True)


def by_argocd(registration: Registration | None, ago: float, within: float = 180) -> list[str]:
    """The problems where staging is registered like this, and was compared so many seconds ago."""
    applications = tuple(
        replace(one, reconciled=NOW - timedelta(seconds=ago if one.spoke == "staging" else 1))
        for one in APPLICATIONS
    )
    registrations = {"prod-1": LET_IN} | ({"staging": registration} if registration else {})
    hub = replace(
        HUB, applications=applications, registrations=registrations, reconciles_within=within
    )
    return problems(judge(EXPECTED, hub, SPOKES, NOW))


def test_argo_cd_is_let_in_and_compares() -> None:
    assert by_argocd(LET_IN, ago=100) == []


def test_a_spoke_that_refuses_argo_cd_is_not_good_though_all_else_looks_so() -> None:
    refused = replace(LET_IN, trouble="/apis: 401 Unauthorized")
    assert by_argocd(refused, ago=1) == [
        "staging: it refuses Argo CD's credential: /apis: 401 Unauthorized; see docs/rotate.md"
    ]
    hub = replace(HUB, registrations={"prod-1": LET_IN, "staging": refused})
    assert [row.good for row in verdict(hub).spokes] == [True, False]


def test_a_spoke_that_argo_cd_does_not_know() -> None:
    assert by_argocd(None, ago=1) == ["staging: Argo CD has no cluster Secret for it"]


def test_cluster_secrets_that_may_not_be_read_are_no_problem() -> None:
    assert verdict(replace(HUB, registrations=None)).good


def test_a_credential_that_could_not_be_tried_counts_once_argo_cd_has_compared_since() -> None:
    untried = replace(LET_IN, tried=False)
    assert by_argocd(untried, ago=30) == []
    (problem,) = by_argocd(untried, ago=90)
    assert "compared nothing there since its cluster Secret changed at 2026-01-02T11:59:00Z" in (
        problem
    )


def test_an_argo_cd_that_compares_no_more() -> None:
    (problem,) = by_argocd(LET_IN, ago=601)
    assert problem.startswith(
        "staging: Argo CD last compared it with its commit at 2026-01-02T11:4"
    )
    assert by_argocd(LET_IN, ago=601, within=0) == [], "it was told to do so only when asked"
    assert by_argocd(LET_IN, ago=601, within=3600) == []


def test_argo_cd_need_not_know_a_spoke_in_quarantine() -> None:
    dead = Spoke("staging", reachable=False, error="connection refused")
    assert verdict(replace(HUB, registrations={"prod-1": LET_IN}), QUARANTINED, staging=dead).good


QUARANTINED = replace(
    EXPECTED,
    spokes=(EXPECTED.spokes[0], ExpectedSpoke("staging", "staging", "its disks died")),
)


def test_a_spoke_in_quarantine_does_not_count_whatever_is_wrong_with_it() -> None:
    dead = Spoke("staging", reachable=False, error="connection refused")
    judged = verdict(with_application(2, sync="Unknown"), QUARANTINED, staging=dead)
    assert judged.good
    assert judged.exit_code == 0
    assert [row.good for row in judged.spokes] == [True, False]
    assert judged.counts["spokes reachable"] == (1, 1)
    assert judged.counts["applications good"] == (2, 2)
    assert verdict(replace(HUB, applications=APPLICATIONS[:2]), QUARANTINED, staging=dead).good


def test_quarantine_of_one_spoke_hides_nothing_of_another() -> None:
    dead = Spoke("prod-1", reachable=False, error="connection refused")
    assert problems(verdict(HUB, QUARANTINED, **{"prod-1": dead})) == ["prod-1: connection refused"]


def test_a_hub_without_spokes() -> None:
    judged = judge(Expected((), ()), replace(HUB, applications=(), application_sets={}), {})
    assert judged.good
    assert judged.exit_code == 0
    gone = judge(Expected((), ()), Hub("hub", True, error="Argo CD is not installed"), {})
    assert problems(gone) == ["hub: Argo CD is not installed"]


def test_what_others_have_on_the_hub_does_not_count() -> None:
    theirs = application("dev-platform", "https://dev:6443", "dev-platform", sync="OutOfSync")
    sets = {**(HUB.application_sets or {}), "dev-platform": "no such repo"}
    judged = verdict(replace(HUB, applications=(*APPLICATIONS, theirs), application_sets=sets))
    assert judged.good


def test_the_hubs_stores_and_credentials_must_be_ready() -> None:
    hub = replace(
        HUB,
        stores=(Readiness("fleet-clusters", False, "Vault is sealed"),),
        credentials=(Readiness("argocd/cluster-prod-1", False, "no such key"),),
    )
    assert problems(verdict(hub)) == [
        "hub: ClusterSecretStore fleet-clusters: Vault is sealed",
        "hub: ExternalSecret argocd/cluster-prod-1: no such key",
    ]


def test_every_store_must_be_ready() -> None:
    expected = replace(EXPECTED, stores=("vault-backend", "team-a"))
    stores = (Readiness("vault-backend", True), Readiness("team-a", False))
    spokes = {name: replace(spoke, stores=stores) for name, spoke in SPOKES.items()}
    judged = verdict(HUB, expected, **spokes)
    assert problems(judged) == [
        "prod-1: ClusterSecretStore team-a: not Ready yet",
        "staging: ClusterSecretStore team-a: not Ready yet",
    ]
    assert judged.counts["stores ready"] == (2, 4)


def test_a_store_that_is_not_ready() -> None:
    sealed = replace(
        SPOKES["staging"], stores=(Readiness("vault-backend", False, "Vault is sealed"),)
    )
    assert problems(verdict(staging=sealed)) == [
        "staging: ClusterSecretStore vault-backend: Vault is sealed"
    ]


def test_the_first_failing_external_secret_is_named() -> None:
    secrets = (
        Readiness("a/ok", True),
        Readiness("b/bad", False, "permission denied"),
        Readiness("c/bad", False),
    )
    judged = verdict(staging=replace(SPOKES["staging"], secrets=secrets))
    assert problems(judged) == ["staging: ExternalSecret b/bad: permission denied (and 1 more)"]
    assert judged.spokes[1].secrets_ready == 1


def a_fleet(**sections: object) -> Fleet:
    return Fleet.model_validate(
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
            **sections,
        }
    )


def test_what_is_expected_follows_the_selectors() -> None:
    fleet = a_fleet(
        applicationSets=[
            {"name": "everywhere", "layout": "services"},
            {"name": "prod", "layout": "platform", "selector": {"environment": "production"}},
            {
                "name": "metrics",
                "layout": "directory",
                "path": "addons/metrics",
                "selector": {"team": "a", "region": "r1"},
            },
            {"name": "nobody", "layout": "services", "selector": {"team": "b"}},
        ]
    )
    expected = expected_of(fleet, "all")
    assert expected.spokes == (
        ExpectedSpoke("prod-1", "production"),
        ExpectedSpoke("staging", "staging"),
    )
    assert expected.sets == (
        ExpectedSet("everywhere", {"prod-1": None, "staging": None}),
        ExpectedSet("prod", {"prod-1": "prod-1-platform"}),
        ExpectedSet("metrics", {"prod-1": "prod-1-metrics"}),
        ExpectedSet("nobody", {}),
    )
    assert (expected.stores, expected.hub_stores) == (("vault-backend",), ())


def test_the_set_that_delivers_external_secrets_is_expected_of_its_spokes() -> None:
    spokes = [
        {"name": "near", "environment": "dev", "region": "r1"},
        {
            "name": "far",
            "environment": "dev",
            "region": "r1",
            "server": "https://far:6443",
            "delivery": "argocd",
            "auth": {"kind": "vault", "store": "credentials"},
            "quarantine": "its disks died",
        },
    ]
    expected = expected_of(a_fleet(spokes=spokes), "dev")
    assert expected.sets == (ExpectedSet("external-secrets-dev", {"far": "far-external-secrets"}),)
    assert expected.spokes[1] == ExpectedSpoke("far", "dev", "its disks died")
    assert expected.hub_stores == ("credentials",)


def test_nothing_is_expected_of_a_hub_alone() -> None:
    fleet = a_fleet(spokes=[], hub={"context": "hub", "secretStore": {"name": "fleet-clusters"}})
    expected = expected_of(fleet, "hub")
    assert (expected.spokes, expected.sets) == ((), ())
    assert expected.hub_stores == ("fleet-clusters",)
