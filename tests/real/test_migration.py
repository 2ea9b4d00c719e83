"""`fleet migrate mono-to-multi`, offline: the split, its proof, and what may have happened to the repos since."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from fleet.lint import stack_fleets
from gitops.migration import proof
from gitops.migration.record import MigrationError
from gitops.migration.split import moved
from gitops.tree import Tree
from tests.real.scaffold_project import (
    CENTRAL,
    IDENTITY,
    PAYMENTS,
    Project,
    commit,
    contents,
    git,
)

BOTH = {**PAYMENTS, "namespaces": ["payment-service", "payment-api"]}


@pytest.fixture
def project(gitops_project: Project) -> Project:
    return gitops_project


@pytest.fixture
def repo(project: Project) -> Path:
    """A repo of two teams and one service of none, with some history."""
    project.stack(teams=[BOTH, IDENTITY])
    project.ok("scaffold", "repo")
    repo = project.folder / "repo"
    commit(repo, "start")
    project.ok("scaffold", "service", "shop", "--in", "repo", "--yes")
    commit(repo, "shop")
    for service, tag in (
        ("payment-service", "v2"),
        ("auth-service", "v3"),
        ("payment-service", "v4"),
    ):
        release(repo, service, tag)
    return repo


def release(repo: Path, service: str, tag: str) -> str:
    overlay = repo / "apps" / service / "overlays/production/kustomization.yaml"
    document = yaml.safe_load(overlay.read_text())
    document["images"][0]["newTag"] = tag
    overlay.write_text(yaml.safe_dump(document))
    return commit(repo, f"{service} {tag}")


def bare(project: Project, name: str) -> str:
    """An empty repo, as a forge has it."""
    folder = project.folder / "forge" / f"{name}.git"
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--bare", "--initial-branch=main")
    return f"file://{folder}"


def split(project: Project, **repos: str) -> tuple[str, ...]:
    teams = (f"--team={team}={url}" for team, url in repos.items())
    return ("migrate", "mono-to-multi", "repo", "--into", "split", "--offline", *teams)


def _subjects(folder: Path) -> list[str]:
    return git(folder, "log", "--format=%s").splitlines()


def test_each_team_gets_its_services_with_their_history(project: Project, repo: Path) -> None:
    before = contents(repo)
    said = project.ok(
        *split(project, payments=bare(project, "payments"), identity=bare(project, "auth-config"))
    )
    assert (
        "proved: the same 10 Applications with the same objects, 6 of them from another repo"
        in said
    )
    assert "git rm -r apps/auth-service apps/payment-api apps/payment-service" in said
    payments, identity = project.folder / "split/payments", project.folder / "split/auth-config"
    assert _subjects(payments) == [
        "Start of the repo of team payments",
        "payment-service v4",
        "payment-service v2",
        "start",
    ]
    assert _subjects(identity)[1:] == ["auth-service v3", "start"]
    assert {one.name for one in (payments / "apps").iterdir()} == {"payment-api", "payment-service"}
    assert "* @" in (payments / "CODEOWNERS").read_text()
    assert contents(repo) == before
    assert git(repo, "status", "--short") == ""
    project.stack(teams=[{**BOTH, "repo": "https://git.example.com/p.git"}, IDENTITY])
    assert "ok" in project.ok("lint", "repo", "--team", "payments=split/payments").splitlines()[-1]


def test_a_service_that_is_not_there_yet_is_not_made(project: Project, repo: Path) -> None:
    project.stack(teams=[{**BOTH, "namespaces": [*BOTH["namespaces"], "later"]}, IDENTITY])
    assert "the same 10 Applications" in project.ok(*split(project, payments=bare(project, "p")))
    assert not (project.folder / "split/p/apps/later").exists()


def test_one_team_after_the_other(project: Project, repo: Path) -> None:
    said = project.ok(*split(project, identity=bare(project, "identity")))
    assert "2 of them from another repo" in said
    record = json.loads((project.folder / "split/migration.json").read_text())
    assert [one["team"] for one in record["teams"]] == ["identity"]
    assert record["repo"] == CENTRAL
    assert record["revision"] == git(repo, "rev-parse", "HEAD")


def test_what_services_share_goes_along(project: Project, repo: Path) -> None:
    """A component that both teams use: each gets a copy, and the objects stay the same."""
    component = repo / "components/labels"
    component.mkdir(parents=True)
    (component / "kustomization.yaml").write_text(
        yaml.safe_dump({"kind": "Component", "apiVersion": "kustomize.config.k8s.io/v1alpha1",
                        "commonLabels": {"tier": "one"}})
    )  # fmt: skip
    for service in ("payment-service", "auth-service"):
        overlay = repo / "apps" / service / "overlays/production/kustomization.yaml"
        overlay.write_text(overlay.read_text() + "components: [../../../../components/labels]\n")
    commit(repo, "labels")
    said = project.ok(*split(project, payments=bare(project, "payments")))
    assert "with a copy of components/labels/kustomization.yaml" in said
    assert (project.folder / "split/payments/components/labels/kustomization.yaml").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("tag", "what apps/payment-service/overlays/production makes would change"),
        ("gone", "prod-1-payment-service: would be gone"),
        ("new", "prod-1-payment-new: would be new"),
        ("chart", "the files of apps/payment-api/overlays/staging would change"),
    ],
)
def test_the_proof_finds_what_differs(project: Project, repo: Path, change: str, said: str) -> None:
    project.stack(teams=[{**BOTH, "namespaces": [*BOTH["namespaces"], "payment-new"]}, IDENTITY])
    urls = {"payments": bare(project, "payments")}
    _chart(repo)
    project.ok(*split(project, **urls))
    own = project.folder / "split/payments"
    if change == "tag":
        release(own, "payment-service", "v9")
    elif change == "gone":
        shutil.rmtree(own / "apps/payment-service/overlays/production")
    elif change == "chart":
        (own / "apps/payment-api/overlays/staging/values.yaml").write_text("a: 2\n")
    else:
        shutil.copytree(own / "apps/payment-api", own / "apps/payment-new")
    stacks = stack_fleets(["all"])
    before, after = Tree.at(repo), Tree.of_team(own, "payments", "apps")
    with pytest.raises(MigrationError, match=re.escape(said)):
        proof.same(stacks, moved(stacks, urls), before, {"payments": after}, None)


def test_an_overlay_that_does_not_build_is_told_first(project: Project, repo: Path) -> None:
    (repo / "apps/payment-api/overlays/staging/kustomization.yaml").write_text(
        "resources: [gone.yaml]\n"
    )
    commit(repo)
    said = project.refused(*split(project, payments=bare(project, "payments")))
    assert (
        "staging-payment-api: apps/payment-api/overlays/staging doesn't build in the one repo"
        in said
    )


def _chart(repo: Path) -> None:
    """In the place of an overlay, what only Argo CD builds."""
    folder = repo / "apps/payment-api/overlays/staging"
    for one in folder.iterdir():
        one.unlink()
    (folder / "Chart.yaml").write_text("name: x\nversion: 1.0.0\n")
    (folder / "values.yaml").write_text("a: 1\n")
    commit(repo)


def test_a_chart_goes_along(project: Project, repo: Path) -> None:
    _chart(repo)
    assert "proved" in project.ok(*split(project, payments=bare(project, "payments")))
    assert (
        project.folder / "split/payments/apps/payment-api/overlays/staging/values.yaml"
    ).exists()


def test_what_is_not_committed_is_not_split(project: Project, repo: Path) -> None:
    (repo / "apps/payment-service/base/note.yaml").write_text("half done")
    project.ok(*split(project, payments=bare(project, "payments")))
    assert not (project.folder / "split/payments/apps/payment-service/base/note.yaml").exists()
    assert (repo / "apps/payment-service/base/note.yaml").exists()


def test_bad_input(project: Project, repo: Path) -> None:
    url = bare(project, "payments")

    def refused(**repos: str) -> str:
        return project.refused(*split(project, **repos))

    assert 'no team "payment"; did you mean "payments"?' in refused(payment=url)
    assert "two teams can't have one repo" in refused(payments=url, identity=url)
    assert "is the gitops-config repo itself" in refused(payments=CENTRAL)
    assert "is no repo as Argo CD clones it" in refused(payments="nowhere")
    assert "write NAME=URL" in project.refused(*split(project), "--team", "payments")
    (project.folder / "split").mkdir()
    (project.folder / "split/letter").touch()
    assert "has something in it already" in refused(payments=url)
    project.stack(teams=[])
    assert "these stacks have no teams" in refused(payments=url)
    project.stack(teams=[{**BOTH, "repo": url}])
    assert "has a repo of its own already" in refused(payments=url)
    project.stack(teams=[{"name": "payments", "namespaces": ["none"]}])
    (project.folder / "split/letter").unlink()
    assert "has no service in apps/ of the repo" in refused(payments=url)


def test_a_checkout_that_is_not_what_argo_cd_deploys(project: Project, repo: Path) -> None:
    url = bare(project, "payments")
    origin = bare(project, "central")
    git(repo, "remote", "add", "origin", origin)
    git(repo, "push", "--quiet", "origin", "main")
    project.ok(*split(project, payments=url))
    (project.folder / "split/migration.json").unlink()
    (project.folder / "split").rename(project.folder / "before")
    release(repo, "payment-service", "v9")
    assert "pull, or push, first" in project.refused(*split(project, payments=url))
    git(repo, "reset", "--quiet", "--hard", "HEAD~1")
    git(repo, "checkout", "--quiet", "-b", "mine")
    said = project.refused(*split(project, payments=url))
    assert 'follows "main"' in said
    assert 'has "mine" checked out' in said
    git(repo, "checkout", "--quiet", "--detach")
    assert "has no branch checked out" in project.refused(*split(project, payments=url))
    git(repo, "remote", "set-url", "origin", f"file://{project.folder}/gone.git")
    git(repo, "checkout", "--quiet", "main")
    assert project.refused(*split(project, payments=url)).startswith("git fetch: ")
    said = project.refused(
        "migrate",
        "mono-to-multi",
        "repo/apps",
        "--into",
        "x",
        "--offline",
        f"--team=payments={url}",
    )
    assert "is not the root of a git checkout" in said


def test_a_submodule_is_not_split(project: Project, repo: Path) -> None:
    other = project.folder / "other"
    other.mkdir()
    commit(other)
    git(
        repo,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "--quiet",
        str(other),
        "apps/payment-service/lib",
    )
    commit(repo)
    said = project.refused(*split(project, payments=bare(project, "payments")))
    assert said.startswith("apps/payment-service/lib is a submodule")


def test_pushing(project: Project, repo: Path) -> None:
    urls = {"payments": bare(project, "payments"), "identity": bare(project, "identity")}
    project.ok(*split(project, **urls))
    said = project.ok("migrate", "push", "split")
    assert said.splitlines() == [f"{team}: pushed to {url}" for team, url in urls.items()]
    assert "has it already" in project.ok("migrate", "push", "split")
    head = git(project.folder / "split/payments", "rev-parse", "HEAD")
    assert git(project.folder, "ls-remote", urls["payments"], "main").split()[0] == head


def test_nothing_is_pushed_over_anything(project: Project, repo: Path) -> None:
    """One repo has something of its own: nothing at all is pushed, and nothing there is lost."""
    urls = {"payments": bare(project, "payments"), "identity": bare(project, "identity")}
    project.ok(*split(project, **urls))
    own = project.folder / "own"
    own.mkdir()
    head = commit(own, "somebody's")
    git(own, "push", "--quiet", urls["identity"], "main")
    said = project.run("migrate", "push", "split")
    assert said.exit_code == 2
    assert f"team identity has commits of its own on main ({head[:8]})" in said.stderr
    assert git(project.folder, "ls-remote", urls["identity"], "main").split()[0] == head
    assert git(project.folder, "ls-remote", urls["payments"]) == ""


def test_a_repo_that_is_gone_or_private(project: Project, repo: Path) -> None:
    url = f"file://{project.folder}/nowhere.git"
    project.ok(*split(project, payments=url))
    said = project.run("migrate", "push", "split")
    assert said.exit_code == 2
    assert f"{url} of team payments can't be read: git ls-remote" in said.stderr
    assert "is it made, and may you read it?" in said.stderr


def _problems(project: Project, *words: str) -> list[str]:
    from gitops.migration import remotes
    from gitops.migration.record import Migration

    folder = project.folder / "split"
    source = project.folder / "repo" if "from" in words else None
    return remotes.problems(folder, source, Migration.read(folder))


def test_a_force_push_during_the_migration(project: Project, repo: Path) -> None:
    url = bare(project, "payments")
    project.ok(*split(project, payments=url))
    assert "has no branch main: push it" in _problems(project)[0]
    project.ok("migrate", "push", "split")
    assert _problems(project) == []
    mine = project.folder / "split/payments"
    (mine / "more").touch()
    later = commit(mine, "more")
    git(mine, "push", "--quiet", url, "main")
    assert _problems(project) == [], "what comes after it is as it should be"
    git(mine, "reset", "--quiet", "--hard", f"{later}~2")
    git(mine, "push", "--quiet", "--force", url, "main")
    (said,) = _problems(project)
    assert "somebody has pushed by force; push that commit again, or split anew" in said


def test_the_one_repo_has_gone_on(project: Project, repo: Path) -> None:
    url = bare(project, "payments")
    project.ok(*split(project, payments=url))
    project.ok("migrate", "push", "split")
    release(repo, "auth-service", "v5")
    assert _problems(project, "from") == [], "that one stays"
    release(repo, "payment-service", "v5")
    (said,) = _problems(project, "from")
    assert "has newer commits (1) on services of team payments" in said
    git(repo, "reset", "--quiet", "--hard", "HEAD~1")
    git(repo, "rm", "-r", "--quiet", "apps/payment-service", "apps/payment-api")
    commit(repo, "moved")
    assert _problems(project, "from") == [], "taken out after the move"
    git(repo, "reset", "--quiet", "--hard", "HEAD~4")
    assert "somebody has pushed by force; split anew" in _problems(project, "from")[0]


def test_a_record_that_is_none(project: Project, repo: Path) -> None:
    assert "has no migration.json" in project.refused("migrate", "push", "repo")
    (project.folder / "x").mkdir()
    for text in ("", "[]", "{}", '{"teams": [{}]}'):
        (project.folder / "x/migration.json").write_text(text)
        assert "is no record of a migration" in project.refused("migrate", "push", "x")


def test_with_no_hub_to_ask(project: Project, repo: Path) -> None:
    words = [
        word for word in split(project, payments=bare(project, "payments")) if word != "--offline"
    ]
    assert "--offline does without" in project.refused(*words)
