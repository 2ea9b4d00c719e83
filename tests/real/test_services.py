"""What `fleet services`, `fleet audit` and `fleet lint --base` say of what the pipeline did, on a real forge."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

from live import versions
from tests.real.release_project import IMAGE, NEW, OLD, SERVICE, Release


@pytest.fixture
def promoted(built: Release, request: pytest.FixtureRequest) -> Release:
    """Promoted with all gates green, approved by bert, merged by the administrator."""
    done = built.promote("--tested", "https://ci.example.com/2", "--soak", "5m")
    assert done.exit_code == 0, (done.output, done.stderr)
    (pull,) = built.pulls("open")
    built.gitea.review(built.repo, int(str(pull["number"])), built.people["bert"])
    built.gitea.merge(built.repo, int(str(pull["number"])), getattr(request, "param", "merge"))
    built.pull()
    return built


def _links(release: Release, *more: str) -> tuple[int, dict[str, dict[str, Any]]]:
    done = release.fleet("audit", SERVICE, "-e", "production", "--json", *more)
    document = json.loads(done.output)
    assert document["whole"] == (done.exit_code == 0)
    return done.exit_code, {one["link"]: one for one in document["links"]}


@pytest.mark.parametrize("promoted", ["merge", "squash", "rebase"], indirect=True)
def test_the_chain_of_a_promotion_is_whole(promoted: Release) -> None:
    code, links = _links(promoted)
    assert [*links] == [
        "pods", "application", "revision", "commit", "pipeline", "pull request", "approval", "gates", "build", "tests",
    ]  # fmt: skip
    assert code == 0, [one for one in links.values() if not one["holds"]]
    assert links["pods"]["found"] == f"3 with {NEW}"
    assert links["approval"]["found"] == "bert"
    assert "/pulls/1 by ci, merged by fleet" in links["pull request"]["found"]
    assert links["build"]["found"] == "https://ci.example.com/1"
    assert "promotion/soak success" in links["gates"]["found"]
    done = promoted.fleet("audit", SERVICE, "-e", "production", "--csv")
    rows = [*csv.DictReader(io.StringIO(done.output))]
    assert {row["holds"] for row in rows} == {"true"}
    done = promoted.fleet("audit", SERVICE, "-e", "staging")
    assert "pushed by CI" in done.output


def test_a_hand_on_the_tag_breaks_it(promoted: Release) -> None:
    text = promoted.overlay("production").read_text()
    promoted.overlay("production").write_text(text.replace("v2.3.1-rc.1", "v9-by-hand"))
    base = promoted.git("rev-parse", "HEAD")
    promoted.push("Just this once")
    code, links = _links(promoted)
    assert code == 1
    assert "a hand on the tag" in links["pipeline"]["why"]
    assert "it was pushed" in links["pull request"]["why"]
    done = promoted.fleet("lint", str(promoted.checkout), "--base", base)
    assert done.exit_code == 1
    assert (
        "apps/payment-service/overlays/production/kustomization.yaml: promotion: "
        f"{IMAGE} goes from v2.3.1-rc.1 to v9-by-hand by a hand on the tag" in done.output
    )
    assert "--base" in promoted.fleet("lint", str(promoted.checkout), "--base", "gone").stderr
    # What the pipeline did before passes.
    promoted.git("checkout", "--quiet", base)
    start = promoted.git("rev-list", "--max-parents=0", "HEAD")
    assert "promotion" not in promoted.fleet("lint", str(promoted.checkout), "--base", start).output


def test_forged_trailers_are_told(promoted: Release) -> None:
    text = promoted.overlay("production").read_text()
    message = promoted.git("log", "-1", "--format=%B", "HEAD^2")
    promoted.overlay("production").write_text(text.replace("v2.3.1-rc.1", "v9"))
    message = message.replace("-> v2.3.1-rc.1", "-> v9")
    promoted.push(message)
    code, links = _links(promoted)
    assert code == 1
    assert links["pipeline"]["holds"], "anybody can write them"
    assert not links["pull request"]["holds"]


def test_a_pull_request_beside_the_pipeline_has_no_gates(built: Release) -> None:
    """With trailers copied, approved and merged: without the gates that is no promotion."""
    built.pull()
    built.git("checkout", "--quiet", "-b", "mine")
    text = built.overlay("production").read_text()
    built.overlay("production").write_text(text.replace("v2.3.0", "v2.3.1-rc.1"))
    message = built.git("log", "-1", "--format=%B", "origin/main").replace("staging", "production")
    built.git("commit", "--quiet", "-am", message)
    built.git("push", "--quiet", "origin", "mine")
    body = {"head": "mine", "base": "main", "title": "Mine"}
    token = built.people["anna"]
    pull = built.gitea.ask("POST", f"/repos/{built.repo}/pulls", body, token=token)
    built.gitea.review(built.repo, pull["number"], built.people["bert"])
    built.gitea.merge(built.repo, pull["number"])
    built.git("checkout", "--quiet", "main")
    code, links = _links(built)
    assert code == 1
    assert links["pipeline"]["holds"]
    assert links["approval"]["holds"]
    assert not links["gates"]["holds"]


def test_forged_as_a_push_of_ci(promoted: Release) -> None:
    """Trailers as CI's own push has them: to a protected environment there is no such push."""
    text = promoted.overlay("production").read_text()
    message = promoted.git("log", "-1", "--format=%B", "HEAD^2").replace("-> v2.3.1-rc.1", "-> v9")
    promoted.overlay("production").write_text(text.replace("v2.3.1-rc.1", "v9"))
    promoted.push("\n".join(line for line in message.split("\n") if "Source" not in line) + "\x01")
    code, links = _links(promoted)
    assert code == 1
    assert not links["pull request"]["holds"]


def test_something_else_runs(promoted: Release, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "pods", lambda *_: [("a", NEW, ""), ("b", OLD, "")])
    code, links = _links(promoted)
    assert code == 1
    assert links["pods"]["why"] == f"{OLD} runs too"
    one, other = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
    monkeypatch.setattr(versions, "pods", lambda *_: [("a", NEW, one), ("b", NEW, other)])
    assert "several images under this tag" in _links(promoted)[1]["pods"]["why"]
    assert promoted.fleet("audit", SERVICE, "-e", "production", "--cluster", "x").exit_code == 2


def test_an_approval_of_an_older_commit_is_none(built: Release) -> None:
    assert built.promote().exit_code == 0
    (pull,) = built.pulls("open")
    number = int(str(pull["number"]))
    built.gitea.review(built.repo, number, built.people["bert"])
    built.gitea.commit(built.repo, str(pull["head"]["ref"]), "late.txt", "x")
    built.gitea.merge(built.repo, number)
    code, links = _links(built)
    assert code == 1
    assert "approved an older commit" in links["approval"]["why"]
    assert "wasn't set" in links["gates"]["why"], "they were on the older one"


def test_the_matrix(built: Release) -> None:
    done = built.fleet("services", "--json")
    assert done.exit_code == 0, done.stderr
    cells = {(one["service"], one["cluster"]): one for one in json.loads(done.output)}
    production, staging = cells[SERVICE, "prod-1"], cells[SERVICE, "staging"]
    assert (production["version"], production["behind"], production["source"]) == (
        "v2.3.0",
        1,
        "staging",
    )
    assert (staging["version"], staging["by"], staging["sync"]) == ("v2.3.1-rc.1", "ci", "Synced")
    assert cells["auth-service", "prod-1"]["behind"] == 0
    offline = json.loads(
        built.fleet("services", SERVICE, "-e", "staging", "--offline", "--json").output
    )
    assert [(one["cluster"], one["sync"]) for one in offline] == [("staging", "")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KUBECONFIG", "none")
        done = built.fleet("services", SERVICE, "-e", "staging", "--json")
        assert done.exit_code == 0
        assert "the hub isn't asked" in done.stderr
        assert [one["sync"] for one in json.loads(done.stdout)] == [""]
    built.hub = {"sync": "OutOfSync", "health": "Degraded", "images": (OLD,)}
    page = built.checkout.parent / "services.html"
    assert built.fleet("services", "--html", str(page)).exit_code == 0
    assert "OutOfSync" in page.read_text()
    table = built.fleet("services").output
    assert "v2.3.1-rc.1" in table
    assert "\x1b" not in table
