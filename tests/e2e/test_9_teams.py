"""From one repo for all to a repo for each team, and back: no Application is made anew on the way, and no Pod."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from fleet.observe import set_error
from lab import forge
from lab.home import LabHome
from live.applications import REFRESH
from tests.e2e import releasing
from tests.e2e.conftest import all_fine
from tests.e2e.fleet_lab import REPO, SPOKES, FleetLab, is_fine, wait_until

TEAMS = {"payments": "payment-service", "identity": "auth-service"}
SERVICES = ("payment-service", "auth-service", "notification-service")
LEDGER = "ledger"
PRODUCTION = "prod-us-east-1"


@pytest.fixture(scope="module")
def before(running_lab: FleetLab) -> Iterator[dict[str, str]]:
    """The UIDs of all that must stay what it is: Applications, and the Pods of the services.

    After the last test the lab is as it was; the Applications too.
    """
    lab = running_lab
    lab.restore_stack_file()
    all_fine(lab, 12)
    head = lab.git("rev-parse", "HEAD").strip()
    yield _uids(lab)
    folder = lab.home / "gitops-config"
    lab.git("pull", "--quiet", "--rebase")
    if lab.git("rev-parse", "HEAD").strip() != head:
        lab.git("rm", "-r", "--quiet", ".")
        lab.git("checkout", head, "--", ".")
        lab.git("commit", "--quiet", "-m", "As it was before the teams")
        lab.git("push", "--quiet")
    assert (folder / "apps").is_dir()
    lab.restore_stack_file()
    lab.run("fleet", "migrate", "teams", "--stack=lab", "--yes", "--timeout=60", check=False)
    lab.up(check=False)
    gone = [name for name in lab.applications() if name.endswith(f"-{LEDGER}")]
    if gone:
        lab.kubectl("hub", "-n", "argocd", "delete", "applications", *gone)
    # Git takes no namespace away.
    newest = lab.git("rev-parse", "HEAD").strip()
    wait_until("the newest commit is everywhere", lambda: _revisions(lab) == {newest}, timeout=240)
    for spoke in SPOKES:
        lab.kubectl(spoke, "delete", "namespace", LEDGER, "--ignore-not-found")
    all_fine(lab, 12)


@pytest.fixture
def work(running_lab: FleetLab) -> Path:
    """Where the split repos are."""
    return running_lab.home / "split"


@pytest.fixture
def lab(running_lab: FleetLab) -> FleetLab:
    """The lab with the stack file as the test before has left it: these tests go on from each other."""
    return running_lab


def _uids(lab: FleetLab) -> dict[str, str]:
    found = {name: one["metadata"]["uid"] for name, one in lab.applications().items()}
    for spoke in SPOKES:
        for service in SERVICES:
            pods = lab.get(spoke, "pods", "-n", service)["items"]
            assert pods, f"{service} runs on {spoke}"
            found |= {
                f"{spoke}/{service}/{one['metadata']['name']}": one["metadata"]["uid"]
                for one in pods
            }
    return found


def _revisions(lab: FleetLab) -> set[str]:
    """The commits that the Applications are synced to."""
    return {
        one.get("status", {}).get("sync", {}).get("revision", "")
        for one in lab.applications().values()
    }


def _teams(lab: FleetLab, *, opened: bool = False, **repos: str) -> None:
    lab.restore_stack_file()

    def change(config: dict[str, Any]) -> None:
        config["fleet:teams"] = [
            {
                "name": team,
                "namespaces": [service, *([LEDGER] if team == "payments" else [])],
                **({"repo": repos[team]} if team in repos else {}),
            }
            for team, service in TEAMS.items()
        ]
        if opened:
            config["fleet:projects"] = {"services": {"namespaces": [*TEAMS.values()]}}

    lab.edit(change)


def _owners(lab: FleetLab) -> dict[str, tuple[str, str]]:
    """Of each service's Application, the set that owns it and its AppProject."""
    return {
        name: (one["metadata"]["ownerReferences"][0]["name"], one["spec"]["project"])
        for name, one in lab.applications().items()
        if not name.endswith("-platform")
    }


def _expected() -> dict[str, tuple[str, str]]:
    teams = {service: team for team, service in TEAMS.items()}
    return {
        f"{spoke}-{service}": (
            (f"services-{teams[service]}", f"team-{teams[service]}")
            if service in teams
            else ("services", "services")
        )
        for spoke in SPOKES
        for service in SERVICES
    }


def _repo(lab: FleetLab, team: str) -> str:
    return lab.run("fleet", "lab", "add-repo", f"{team}-config", cwd=REPO).output.strip()


def _git(lab: FleetLab, folder: Path, *words: str) -> str:
    helper = f"store --file={lab.home}/git-credentials"
    given = ("-c", "credential.helper=", "-c", f"credential.helper={helper}")
    return lab.run("git", *given, *words, cwd=folder).output


def _push(lab: FleetLab, folder: Path, message: str) -> str:
    _git(lab, folder, "add", "--all")
    _git(lab, folder, "commit", "--quiet", "-m", message)
    _git(lab, folder, "push", "--quiet", "origin", "HEAD:main")
    return _git(lab, folder, "rev-parse", "HEAD").strip()


def test_services_go_to_their_teams_as_they_are(lab: FleetLab, before: dict[str, str]) -> None:
    _teams(lab)
    refused = lab.up(check=False)
    assert refused.code != 0
    assert 'AppProject "services" would be shut to auth-service, payment-service' in refused.output
    _teams(lab, opened=True)
    early = lab.run("fleet", "migrate", "teams", "--stack", "lab", "--yes", check=False)
    assert early.code == 2
    assert "run `pulumi up` of stack lab first; nothing was changed" in early.output
    lab.up()
    done = lab.run("fleet", "migrate", "teams", "--stack", "lab", "--yes")
    assert "6 Applications handed over; none was made anew" in done.output
    assert _owners(lab) == _expected()
    _teams(lab)
    lab.up()
    all_fine(lab, 12)
    assert _uids(lab) == before
    again = lab.run("fleet", "migrate", "teams", "--stack", "lab", "--yes")
    assert "every Application is of the set" in again.output
    lab.nothing_to_change()


def test_each_team_gets_a_repo_with_its_history(
    lab: FleetLab, before: dict[str, str], work: Path
) -> None:
    clone = lab.home / "gitops-config"
    urls = {team: _repo(lab, team) for team in TEAMS}
    given = [f"--team={team}={url}" for team, url in urls.items()]
    split = ["fleet", "migrate", "mono-to-multi", str(clone), f"--into={work}", "--stack=lab"]
    told = lab.run(*split, *given)
    assert "proved: the same 12 Applications with the same objects, 6 of them" in told.output

    lab.env |= {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "credential.helper",
        "GIT_CONFIG_VALUE_0": f"store --file={lab.home}/git-credentials",
    }
    try:
        lab.run("fleet", "migrate", "push", str(work))
    finally:
        for name in ("COUNT", "KEY_0", "VALUE_0"):
            del lab.env[f"GIT_CONFIG_{name}"]
    verify = ["fleet", "migrate", "verify", str(work), "--stack=lab", f"--from={clone}"]
    assert lab.run(*verify, check=False).code == 1, "nothing deploys from there yet"
    _teams(lab, **urls)
    lab.up()
    done = lab.run(*verify, "--wait")
    assert "all 12 Applications are those of before, Synced and Healthy; 6 from" in done.output
    assert _uids(lab) == before
    assert _owners(lab) == _expected()
    for team, service in TEAMS.items():
        source = lab.applications()[f"{PRODUCTION}-{service}"]["spec"]["source"]
        assert source["repoURL"] == urls[team]
        history = _git(lab, work / f"{team}-config", "log", "--format=%s", "--", "apps")
        assert "Start of the gitops-config repo" in history
    lab.git("rm", "-r", "--quiet", *(f"apps/{service}" for service in TEAMS.values()))
    lab.git("commit", "--quiet", "-m", "The teams have repos of their own")
    lab.git("push", "--quiet")


def test_a_new_service_of_a_team(lab: FleetLab, before: dict[str, str], work: Path) -> None:
    """The platform's part in its repo, the team's in its own; both written by `fleet scaffold`."""
    central, own = lab.home / "gitops-config", work / "payments-config"
    lab.run("fleet", "scaffold", str(central), "--stack=lab", "--yes")
    lab.git("add", "--all")
    lab.git("commit", "--quiet", "-m", "The namespace of ledger")
    lab.git("push", "--quiet")
    _git(lab, own, "remote", "add", "origin", _repo(lab, "payments"))
    new = ["fleet", "scaffold", "service", LEDGER, "--team=payments", f"--in={own}", "--stack=lab"]
    lab.run(*new, "--image=registry.example.com/ledger:v1.0.0")
    _push(lab, own, "A new service")
    wait_until(
        "the new service is there, Synced and Healthy",
        lambda: all(is_fine(lab.applications().get(f"{one}-{LEDGER}", {})) for one in SPOKES),
        timeout=240,
    )
    assert lab.image(PRODUCTION, LEDGER, LEDGER) == "registry.example.com/ledger:v1.0.0"
    lint = ["fleet", "lint", str(central), "--stack=lab"]
    lint += [f"--team={team}={work / f'{team}-config'}" for team in TEAMS]
    assert ": ok" in lab.run(*lint).output.splitlines()[-1]


def test_a_release_in_a_team_s_repo(lab: FleetLab, before: dict[str, str], work: Path) -> None:
    """The same commands as with one repo for all: which one it is, the stack file says."""
    its = releasing.Forge(lab, "payments-config")
    image = "registry.example.com/payment-service:v2.4.0"
    words = ("promote", "payment-service")
    ci = (f"--image={image}", "--to=staging", "--build=https://ci.example.com/1")
    releasing.fleet(lab, its.token, *words, *ci)
    end = time.monotonic() + 90
    go_on = (*words, "--from=staging", "--to=production", "--tested=https://ci.example.com/2")
    while (
        done := releasing.fleet(lab, its.token, *go_on, check=False)
    ).code and time.monotonic() < end:
        assert "refused: staging-payment-service: " in done.output, done.output
    pull = releasing.number(done.output)
    its.approve(pull)
    assert its.merges(pull, "rebase")
    wait_until(
        "production runs it",
        lambda: lab.image(PRODUCTION, "payment-service", "payment-service") == image,
    )
    wait_until(
        "the chain is whole",
        lambda: (
            releasing.fleet(
                lab, its.token, "audit", "payment-service", "-e", "production", check=False
            ).code
            == 0
        ),
    )
    releasing.fleet(lab, its.token, "rollback", "payment-service", "-e", "production", "--now")
    wait_until(
        "production is back",
        lambda: lab.image(PRODUCTION, "payment-service", "payment-service").endswith(":v2.3.0"),
    )
    _git(lab, work / "payments-config", "pull", "--quiet", "--rebase", "origin", "main")


def test_a_team_s_mistakes_are_its_own(lab: FleetLab, before: dict[str, str], work: Path) -> None:
    """A directory that doesn't build, objects for another team's namespace, a service of another team's name."""
    own = work / "identity-config"
    _git(lab, own, "remote", "add", "origin", _repo(lab, "identity"))
    overlays = own / "apps" / "auth-service" / "overlays"
    (overlays / "production" / "kustomization.yaml").write_text("resources: [gone.yaml]\n")
    theirs = {"apiVersion": "v1", "kind": "ConfigMap"}
    theirs |= {"metadata": {"name": "intruder", "namespace": "payment-service"}}
    (overlays / "staging" / "theirs.yaml").write_text(yaml.safe_dump(theirs))
    # A namespace that the overlay sets would be its own again.
    (overlays / "staging" / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": ["../../base", "theirs.yaml"]})
    )
    shutil.copytree(
        work / "payments-config" / "apps" / "payment-service", own / "apps" / "payment-service"
    )
    lint = ["fleet", "lint", f"--team=identity={own}", "--stack=lab"]
    told = lab.run(*lint, check=False).output
    assert "gone.yaml" in told
    assert 'AppProject "team-identity" keeps the namespace "payment-service" shut' in told
    assert 'it belongs to team "payments"' in told
    _push(lab, own, "Some mistakes")

    def _broken() -> bool:
        found = lab.applications()
        conditions = found[f"{PRODUCTION}-auth-service"]["status"].get("conditions") or []
        result = found["staging-auth-service"]["status"].get("operationState", {})
        return any(one["type"] == "ComparisonError" for one in conditions) and (
            "namespace payment-service is not permitted in project 'team-identity'"
            in json.dumps(result)
        )

    wait_until("Argo CD has met the mistakes", _broken, timeout=240)
    payments = work / "payments-config"
    overlay = payments / "apps/payment-service/overlays/production/kustomization.yaml"
    overlay.write_text(overlay.read_text().replace("v2.3.0", "v2.3.1"))
    _push(lab, payments, "Release v2.3.1")
    wait_until(
        "the other team releases all the same",
        lambda: lab.image(PRODUCTION, "payment-service", "payment-service").endswith(":v2.3.1"),
        timeout=120,
    )
    assert lab.get("staging", "configmap", "-n", "payment-service", "intruder") is None
    sources = {one["spec"]["source"]["repoURL"] for name, one in lab.applications().items()
               if name.endswith("-payment-service")}  # fmt: skip
    assert sources == {_repo(lab, "payments")}, "nobody took them"
    _repo_that_nobody_may_read(lab)
    _git(lab, own, "revert", "--no-edit", "HEAD")
    _git(lab, own, "push", "--quiet", "origin", "HEAD:main")
    _git(lab, payments, "revert", "--no-edit", "HEAD")
    _git(lab, payments, "push", "--quiet", "origin", "HEAD:main")
    all_fine(lab, 15)


def _repo_that_nobody_may_read(lab: FleetLab) -> None:
    """Its set says so, the others' don't, and no Application goes."""
    there = {*lab.applications()}
    with forge.client(LabHome(lab.home)) as api:
        path = f"/repos/{forge.ORGANIZATION}/identity-config"
        assert api.patch(path, json={"private": True}).is_success
        try:
            for team in TEAMS:
                refresh = ("annotate", "applicationset", f"services-{team}", "--overwrite")
                lab.kubectl("hub", "-n", "argocd", *refresh, f"{REFRESH}=true")
            wait_until("the team's set says it", lambda: bool(_error(lab, "identity")))
            assert not _error(lab, "payments")
            assert {*lab.applications()} == there
        finally:
            assert api.patch(path, json={"private": False}).is_success


def _error(lab: FleetLab, team: str) -> str:
    return set_error(lab.get("hub", "applicationset", "-n", "argocd", f"services-{team}"))


def test_and_back_to_one_repo_without_teams(lab: FleetLab, before: dict[str, str]) -> None:
    lab.git("pull", "--quiet", "--rebase")
    lab.git("revert", "--no-edit", "HEAD~1")
    lab.git("push", "--quiet")
    _teams(lab)
    # What has never been in the one repo stays, of a set that doesn't make it any more.
    lab.up()
    all_fine(lab, 15)
    lab.restore_stack_file()
    refused = lab.up(check=False)
    assert refused.code != 0
    assert 'ApplicationSet "services-payments" would be gone' in refused.output
    told = lab.run("fleet", "migrate", "teams", "--stack", "lab", "--yes")
    assert "now run `pulumi up` of stack lab" in told.output
    lab.up()
    wait_until(
        "the other services' set has taken them",
        lambda: {*_owners_of(lab, *SERVICES).values()} == {("services", "services")},
        timeout=120,
    )
    now = lab.applications()
    assert {name: now[name]["metadata"]["uid"] for name in before if name in now} == {
        name: uid for name, uid in before.items() if "/" not in name
    }
    wait_until(
        "all are fine",
        lambda: all(is_fine(one) for name, one in lab.applications().items() if LEDGER not in name),
        timeout=180,
    )
    lab.nothing_to_change()


def _owners_of(lab: FleetLab, *services: str) -> dict[str, tuple[str, str]]:
    """Of the Applications of these services, the set that owns each, "" for none, and its AppProject."""
    return {
        name: (
            (one["metadata"].get("ownerReferences") or [{"name": ""}])[0]["name"],
            one["spec"]["project"],
        )
        for name, one in lab.applications().items()
        if name.endswith(tuple(f"-{service}" for service in services))
    }
