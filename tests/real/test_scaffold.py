"""`fleet scaffold`: what it writes builds and passes lint, and what people have written stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from gitops.scaffold.pipelines import KUSTOMIZE
from lab.toolchain import catalogue, ensure
from tests.real.scaffold_project import (
    CENTRAL,
    IDENTITY,
    OWN,
    PAYMENTS,
    SPOKES,
    Project,
    commit,
    contents,
    git,
)

KUSTOMIZATION = "base/namespaces/kustomization.yaml"


@pytest.fixture(scope="session")
def rollouts() -> Path:
    """The install manifest of Argo Rollouts, with its CRDs."""
    return (
        ensure(["argo-rollouts"], console=Console(stderr=True)).share("argo-rollouts")
        / "install.yaml"
    )


@pytest.fixture
def project(gitops_project: Project) -> Project:
    return gitops_project


@pytest.fixture
def repo(project: Project) -> Path:
    """A repo with one service, committed."""
    project.ok("scaffold", "repo")
    commit(project.folder / "repo", "start")
    project.ok("scaffold", "service", "shop", "--in", "repo", "--yes")
    commit(project.folder / "repo", "shop")
    return project.folder / "repo"


def built(folder: Path, path: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        ["kustomize", "build", str(folder / path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def test_a_new_repo_has_nothing_wrong_with_it(project: Project, repo: Path) -> None:
    assert project.ok("lint", "repo") == "repo: ok\n"
    assert sorted(one.name for one in repo.iterdir() if one.name != ".git") == [
        ".fleet", ".github", ".gitlab-ci.yml", "CODEOWNERS", "README.md", "apps", "base", "clusters",
    ]  # fmt: skip
    assert project.ok("scaffold", "repo") == "repo: nothing to write\n"


@pytest.mark.parametrize("canary", [False, True])
def test_a_service_with_all_that_it_may_have(
    rollouts: Path, project: Project, repo: Path, canary: bool
) -> None:
    """The default policy lets a spoke read below its environment's name only: the paths follow that."""
    if canary:
        spokes = [{**one, "addons": ["argo_rollouts"]} for one in SPOKES]
        project.stack(argoRollouts={"manifest": str(rollouts)}, spokes=spokes)
    said = project.ok(
        "scaffold", "service", "payment-service", "--in", "repo", "--yes", "--port", "9000",
        "--image", "ghcr.io/acme/payment:v2.3.0", "--tag", "staging=v2.3.1-rc.1",
        "--secret", "payment-db-credentials=payment-service/db:username,password",
        *(["--canary"] if canary else []),
    )  # fmt: skip
    assert "note:" not in said
    assert project.ok("lint", "repo") == "repo: ok\n"
    for environment, tag in (("staging", "v2.3.1-rc.1"), ("production", "v2.3.0")):
        objects = built(repo, f"apps/payment-service/overlays/{environment}")
        found = {one["kind"]: one for one in objects}
        workload = found["Rollout" if canary else "Deployment"]
        (container,) = workload["spec"]["template"]["spec"]["containers"]
        assert container["image"] == f"ghcr.io/acme/payment:{tag}"
        assert container["ports"][0]["containerPort"] == 9000
        assert [one["name"] for one in container["env"]] == [
            "LOG_LEVEL",
            "DB_USERNAME",
            "DB_PASSWORD",
        ]
        debug = {"name": "LOG_LEVEL", "value": "debug"}
        assert (debug in container["env"]) is (environment == "staging")
        assert ("1Gi" in json.dumps(container)) is (environment == "production")
        keys = {one["remoteRef"]["key"] for one in found["ExternalSecret"]["spec"]["data"]}
        assert keys == {f"secret/data/{environment}/payment-service/db"}
        assert (
            found["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]["kind"] == workload["kind"]
        )
        if canary:
            steps = workload["spec"]["strategy"]["canary"]["steps"]
            weights = [one["setWeight"] for one in steps if "setWeight" in one]
            pauses = [one["pause"]["duration"] for one in steps if "pause" in one]
            assert (weights, pauses) == ([10, 30, 60], ["5m", "5m", "10m"])
            template = found["AnalysisTemplate"]
            assert template["metadata"]["name"] == "success-rate"
            assert template["spec"]["args"] == [{"name": "service-name"}]


def test_a_canary_needs_argo_rollouts(rollouts: Path, project: Project, repo: Path) -> None:
    """It is told when it is written, and by `fleet lint` as long as it is so."""
    half = [{**SPOKES[0], "addons": ["argo_rollouts"]}, SPOKES[1]]
    project.stack(argoRollouts={"manifest": str(rollouts)}, spokes=half)
    said = project.ok("scaffold", "service", "ads", "--in", "repo", "--yes", "--canary")
    assert "which these stacks do not install on staging" in said
    assert "`addons: [argo_rollouts]`" in said
    refused = project.run("lint", "repo").output
    assert "argocd-manager may not get, list, watch, create" in refused
    assert "rollouts of argoproj.io" in refused
    assert "prod-1" not in refused


def test_teams(project: Project) -> None:
    project.stack(teams=[PAYMENTS, IDENTITY])
    project.ok("scaffold", "repo")
    repo = project.folder / "repo"
    assert project.ok("lint", "repo") == "repo: ok\n"
    assert {one.name for one in (repo / "apps").iterdir()} == {"payment-service", "auth-service"}
    objects = built(repo, "clusters/prod-1/platform")
    teams = {
        one["metadata"]["name"]: one["metadata"]["labels"]["team"]
        for one in objects
        if one["kind"] == "Namespace"
    }
    assert teams == {
        "payment-service": "payments",
        "auth-service": "identity",
        "platform": "platform",
    }
    bound = {
        one["metadata"]["namespace"]: one["subjects"][0]["name"]
        for one in objects
        if one["kind"] == "RoleBinding"
    }
    assert bound == {"payment-service": "payments-team", "auth-service": "identity-team"}
    assert (repo / "CODEOWNERS").read_text().splitlines()[1:] == [
        "* @acme/platform",
        "/apps/payment-service/ @acme/payments",
        "/apps/auth-service/ @acme/identity",
    ]


def test_a_repo_for_each_team(project: Project) -> None:
    project.stack(teams=[{**PAYMENTS, "repo": OWN, "path": "deploy"}, IDENTITY])
    said = project.ok("scaffold", "repo")
    assert f"team payments, {OWN}: fleet scaffold <its checkout> --team payments" in said
    project.ok("scaffold", "own", "--team", "payments")
    repo, own = project.folder / "repo", project.folder / "own"
    assert {one.name for one in (repo / "apps").iterdir()} == {"auth-service"}
    assert (repo / "base/namespaces/payment-service.yaml").exists(), "the platform's part"
    assert {one.name for one in own.iterdir()} >= {"deploy", "CODEOWNERS", "README.md"}
    assert not (own / "base").exists()
    assert "* @acme/payments" in (own / "CODEOWNERS").read_text()
    assert project.ok("lint", "repo", "--team", "payments=own") == "repo, own: ok\n"
    assert project.ok("lint", "--team", "payments=own") == "own: ok\n"
    for checkout in (repo, own):
        commit(checkout)
    assert "is the gitops-config repo, it has clusters/" in project.refused(
        "scaffold", "repo", "--team", "payments"
    )
    assert "say which by --team" in project.refused("scaffold", "own")


def test_the_layout_is_what_the_stack_files_say(project: Project) -> None:
    assert "the stack files have no teams" in project.refused("scaffold", "x", "--layout", "multi")
    project.stack(teams=[{**PAYMENTS, "repo": OWN}, IDENTITY])
    assert "identity has no `repo:`" in project.refused("scaffold", "x", "--layout", "multi")
    assert "payments has a repo of its own" in project.refused("scaffold", "x", "--layout", "mono")
    assert "write mono or multi" in project.refused("scaffold", "x", "--layout", "both")
    project.stack(teams=[{**PAYMENTS, "repo": OWN}])
    project.ok("scaffold", "x", "--layout", "multi")


def test_many_in_one_repo_is_told(project: Project) -> None:
    project.stack(teams=[{"name": f"t{n}", "namespaces": [f"s{n}"]} for n in range(6)])
    assert "note: 6 services and 6 teams in one repo" in project.ok("scaffold", "repo")


def test_what_people_have_written_stays(project: Project, repo: Path) -> None:
    """Their lines beside Fleet's: git merges the two, again and again."""
    file = repo / KUSTOMIZATION
    file.write_text(
        file.read_text().replace("resources:\n", "resources:\n  - ours.yaml\n", 1) + "# theirs\n"
    )
    (repo / "base/namespaces/ours.yaml").write_text(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: ours}\n"
    )
    (repo / "apps/shop/base/service.yaml").write_text("# all theirs\n")
    commit(repo, "theirs")
    for number, name in enumerate(("ads", "zoo", "mail")):
        service = ("scaffold", "service", name, "--in", "repo")
        asked = project.run(*service)
        assert asked.exit_code == 2, "nobody is there to ask"
        assert "say --yes, or --dry-run" in asked.stderr
        assert f"+  - {name}.yaml" in asked.output, "the diff is shown"
        assert not (repo / "apps" / name).exists()
        project.ok(*service, "--yes")
        if number != 1:  # The copy beside the record tells as well as git does.
            commit(repo, name)
    text = file.read_text()
    assert "  - ours.yaml\n" in text
    assert text.endswith("# theirs\n")
    assert all(f"  - {name}.yaml\n" in text for name in ("ads", "mail", "shop", "zoo"))
    assert (repo / "apps/shop/base/service.yaml").read_text() == "# all theirs\n"
    assert project.ok("scaffold", "repo") == "repo: nothing to write\n"


def test_where_both_have_changed_the_same_lines(project: Project, repo: Path) -> None:
    file = repo / KUSTOMIZATION
    mine = file.read_text().replace("  - shop.yaml\n  - platform.yaml\n", "  - all.yaml\n")
    file.write_text(mine)
    commit(repo)
    done = project.run("scaffold", "service", "ads", "--in", "repo", "--yes")
    assert done.exit_code == 1, "something is left to do"
    assert (
        f"! {KUSTOMIZATION} was changed where Fleet would change it too; left alone" in done.output
    )
    assert "+  - ads.yaml" in done.output
    assert file.read_text() == mine
    assert (repo / "apps/ads/base/kustomization.yaml").exists()


def test_what_people_have_deleted_stays_deleted(project: Project, repo: Path) -> None:
    (repo / "README.md").unlink()
    git(repo, "rm", "-r", "--quiet", "apps/shop")
    commit(repo)
    said = project.ok("scaffold", "repo", "--yes")
    assert "! README.md was deleted, and stays so" in said
    assert not (repo / "README.md").exists()
    assert not (repo / "apps").exists()
    project.ok("scaffold", "service", "shop", "--in", "repo", "--yes")
    assert (repo / "apps/shop/base/kustomization.yaml").exists(), (
        "asked for by name, it comes again"
    )


def test_a_service_that_its_team_has_deleted_is_not_spoken_of(project: Project) -> None:
    project.stack(teams=[PAYMENTS])
    project.ok("scaffold", "repo")
    repo = project.folder / "repo"
    commit(repo)
    git(repo, "rm", "-r", "--quiet", "apps/payment-service")
    commit(repo)
    assert project.ok("scaffold", "repo") == "repo: nothing to write\n"


def test_a_cluster_more_and_one_less(project: Project, repo: Path) -> None:
    more = {
        "name": "prod-2",
        "environment": "production",
        "region": "us",
        "server": "https://prod-2",
    }
    project.stack(spokes=[*project.config["fleet:spokes"][:1], more])
    said = project.ok("scaffold", "repo", "--yes")
    assert "+ clusters/prod-2/platform/kustomization.yaml" in said
    assert (
        "! clusters/staging/platform/kustomization.yaml is nothing that the stack files ask for"
        in said
    )
    assert (repo / "clusters/staging/platform/kustomization.yaml").exists()


def test_a_repo_that_people_made_themselves(project: Project) -> None:
    """Nothing of it is written over, whatever it has in the places of ours."""
    repo = project.folder / "repo"
    theirs = {
        "README.md": "ours\n",
        KUSTOMIZATION: "resources: []\n",
        "apps/shop/deploy.yaml": "x: 1\n",
    }
    for path, text in theirs.items():
        (repo / path).parent.mkdir(parents=True, exist_ok=True)
        (repo / path).write_text(text)
    commit(repo)
    done = project.run("scaffold", "repo", "--yes")
    assert done.exit_code == 1
    for path in ("README.md", KUSTOMIZATION):
        assert f"! {path} was changed where Fleet would change it too" in done.output
    assert {path: (repo / path).read_text() for path in theirs} == theirs


def test_windows_line_ends(project: Project, repo: Path) -> None:
    """A checkout of git for Windows: nothing to do is nothing to do, and a change keeps the file's line ends."""
    for path in [path for path in repo.rglob("*.yaml") if ".git" not in path.parts]:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert project.ok("scaffold", "repo") == "repo: nothing to write\n"
    project.ok("scaffold", "service", "ads", "--in", "repo", "--yes")
    content = (repo / KUSTOMIZATION).read_bytes()
    assert b"  - ads.yaml\r\n" in content
    assert content.count(b"\n") == content.count(b"\r\n")


def _elsewhere(project: Project, repo: Path, path: str) -> Path:
    place = project.folder / "elsewhere"
    place.mkdir()
    (repo / path).rename(place / "kept")
    (repo / path).symlink_to(place / "kept")
    return place


@pytest.mark.parametrize("path", ["base", "base/namespaces", KUSTOMIZATION, ".fleet", "CODEOWNERS"])
def test_links_are_not_written_through(project: Project, repo: Path, path: str) -> None:
    _elsewhere(project, repo, path)
    said = project.refused("scaffold", "service", "ads", "--in", "repo", "--yes")
    assert said.startswith(f"{path} is a link")


@pytest.mark.parametrize("path", ["apps", "base/rbac", "clusters"])
def test_a_file_in_the_place_of_a_directory(project: Project, path: str) -> None:
    repo = project.folder / "repo"
    (repo / path).parent.mkdir(parents=True)
    (repo / path).write_text("a file")
    commit(repo)
    project.stack(teams=[PAYMENTS])
    assert project.refused("scaffold", "repo").startswith(f"{path} is a file")


def test_a_directory_in_the_place_of_a_file(project: Project) -> None:
    repo = project.folder / "repo"
    (repo / "CODEOWNERS" / "x").mkdir(parents=True)
    (repo / "CODEOWNERS" / "x" / "y").touch()
    commit(repo)
    assert project.refused("scaffold", "repo").startswith("CODEOWNERS is a directory")


def test_a_submodule_is_another_repo(project: Project, repo: Path) -> None:
    other = project.folder / "other"
    other.mkdir()
    commit(other)
    git(repo, "rm", "-r", "--quiet", "base/rbac")
    git(
        repo,
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "--quiet",
        str(other),
        "base/rbac",
    )
    commit(repo)
    assert project.refused("scaffold", "repo", "--yes").startswith("base/rbac is a repo of its own")


def test_where_it_does_not_write(project: Project, repo: Path) -> None:
    full = project.folder / "full"
    full.mkdir()
    (full / "letters.txt").touch()
    assert "has files in it and is no git repo" in project.refused("scaffold", "full")
    assert "Argo CD reads a gitops-config repo from its root" in project.refused(
        "scaffold", "repo/base"
    )
    (project.folder / "file").touch()
    assert "is no directory" in project.refused("scaffold", "file")
    (project.folder / "link").symlink_to(repo)
    assert "is no directory" in project.refused("scaffold", "link")
    (project.folder / "empty").mkdir()
    project.ok("scaffold", "empty")


def test_two_at_once(project: Project, repo: Path) -> None:
    """Each is whole: the second waits for nobody, and is told."""
    words = [sys.executable, "-m", "fleet", "scaffold", "service"]
    runs = [
        subprocess.Popen(
            [*words, name, "--in", "repo", "--yes"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for name in ("one", "two", "three", "four")
    ]
    ended = [(run.communicate()[1].decode(), run.returncode) for run in runs]
    assert any(code == 0 for _, code in ended)
    for said, code in ended:
        assert code == 0 or "another `fleet scaffold` is at work" in said, said
    there = {one.name for one in (repo / "apps").iterdir()}
    assert len(there) == 1 + sum(code == 0 for _, code in ended)
    assert project.ok("lint", "repo") == "repo: ok\n"


def test_two_branches_that_each_add_a_service(project: Project, repo: Path) -> None:
    for name in ("alpha", "zulu"):
        git(repo, "checkout", "--quiet", "-b", name, "main")
        project.ok("scaffold", "service", name, "--in", "repo", "--yes")
        commit(repo, name)
    git(repo, "merge", "--quiet", "--no-edit", "alpha")
    assert project.ok("lint", "repo") == "repo: ok\n"
    assert project.ok("scaffold", "repo", "--yes").endswith("nothing to write\n")
    assert git(repo, "status", "--short") == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("Shop",), "is no name of a namespace"),
        (("a_b",), "is no name of a namespace"),
        (("x" * 64,), "is no name of a namespace"),
        (("../x",), "is no name of a namespace"),
        (("kube-system",), "is a namespace of the system or the platform"),
        (("platform",), "is a namespace of the system or the platform"),
        (("shop",), "apps/shop is there already; nothing was changed"),
        (("payment-service",), 'belongs to team "payments": say --team payments'),
        (("auth-service", "--team", "payments"), '"auth-service" belongs to team "identity" by fleet:teams'),
        (("ledger", "--team", "payments"), "under fleet:teams, `namespaces: [payment-service, ledger]`"),
        (("ledger", "--team", "payment"), 'no team "payment"; did you mean "payments"?'),
        (("ads", "--image", "x y"), "is no image"),
        (("ads", "--image", "x\ny"), "is no image"),
        (("ads", "--image", "ghcr.io/x:latest"), "is no tag that stays what it is"),
        (("ads", "--tag", "production=v 1"), "is no tag that stays what it is"),
        (("ads", "--tag", "prod=v1"), 'no service is deployed to "prod"'),
        (("ads", "--secret", "x"), "write NAME=PATH:KEY,KEY"),
        (("ads", "--secret", "A b=x:y"), "is no name of a Secret"),
        (("ads", "--secret", "a=../x:y"), "is no path in Vault"),
        (("ads", "--secret", "a=x:y z"), "is no key of a Secret"),
        (("ads", "--secret", "a=x:y", "--store", "gone"), 'no spoke of these stacks has a store "gone"'),
    ],
)  # fmt: skip
def test_a_service_that_can_not_be(
    project: Project, repo: Path, words: tuple[str, ...], said: str
) -> None:
    project.stack(teams=[PAYMENTS, IDENTITY])
    assert said in project.refused("scaffold", "service", *words, "--in", "repo", "--yes")


@pytest.mark.parametrize("name", ["123", "on", "no", "1e3", "null", "0x1f"])
def test_names_that_yaml_takes_for_something_else(project: Project, name: str) -> None:
    project.stack(
        teams=[{"name": name, "namespaces": [name]}],
        spokes=[{"name": name, "environment": "production", "region": name, "server": "https://p"}],
    )
    project.ok("scaffold", "repo")
    assert project.ok("lint", "repo") == "repo: ok\n"


def test_stacks_that_say_too_little(project: Project) -> None:
    project.stack(applicationSets=[{"name": "platform", "layout": "platform"}])
    assert "no set of these stacks deploys services" in project.refused("scaffold", "repo")
    project.stack(spokes=[], applicationSets=[])
    assert "none of these stacks has spokes" in project.refused("scaffold", "repo")


def test_a_run_that_is_killed_is_finished_by_the_next(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gitops.scaffold import writing

    whole, written = Path.replace, []

    def replace(self: Path, target: Path) -> Path:
        written.append(target)
        if len(written) == 9:
            raise KeyboardInterrupt
        return whole(self, target)

    monkeypatch.setattr(writing.Path, "replace", replace)
    assert project.run("scaffold", "repo").exit_code
    monkeypatch.undo()
    repo = project.folder / "repo"
    assert not list(repo.rglob(".fleet-*")), "no half of a file is left"
    os.chdir(project.folder)
    git(repo, "init", "--quiet")
    project.ok("scaffold", "repo", "--yes")
    assert project.ok("scaffold", "repo") == "repo: nothing to write\n"


def test_what_somebody_writes_while_it_asks_is_not_lost(project: Project, repo: Path) -> None:
    from fleet.lint import stack_fleets
    from gitops.scaffold import run, service
    from gitops.scaffold.facts import ScaffoldError

    ads = service.Service(name="ads", image="x/ads")
    plan = run.service(stack_fleets(["all"]), repo, ads, None)
    (repo / KUSTOMIZATION).write_text("# theirs\n")
    before = contents(repo)
    with pytest.raises(ScaffoldError, match=f"{KUSTOMIZATION} was changed meanwhile"):
        plan.write()
    assert contents(repo) == before


def test_for_programs(project: Project, repo: Path) -> None:
    command = ("scaffold", "service", "ads", "--in", "repo", "--json")
    planned = json.loads(project.ok(*command, "--dry-run"))
    assert planned["written"] == []
    assert "apps/ads/base/service.yaml" in planned["wouldWrite"]
    assert not (repo / "apps/ads").exists()
    done = json.loads(project.ok(*command, "--yes"))
    assert {*done["written"]} == {*planned["wouldWrite"]}
    assert done["left"] == []
    assert "say --yes" in project.refused("scaffold", "service", "mail", "--in", "repo", "--json")


def test_the_pipelines_run_what_they_say(project: Project, repo: Path) -> None:
    """Their last step, by a shell, with the project where they check it out."""
    (repo / ".fleet-project").symlink_to(project.folder)
    github = yaml.safe_load((repo / ".github/workflows/lint.yaml").read_text())
    assert github[True] == {"pull_request": None, "push": {"branches": ["main"]}}, (
        "never pull_request_target"
    )
    assert github["permissions"] == {"contents": "read"}
    jobs = yaml.safe_load((repo / ".gitlab-ci.yml").read_text())
    gitlab = jobs["lint"]
    steps = github["jobs"]["lint"]["steps"]
    assert all(one.get("with", {}).get("persist-credentials", False) is False for one in steps)
    last = [
        one for one in gitlab["script"] if "fleet lint" in one or one.startswith(("export", "cd"))
    ]
    here = Path(sys.executable).parent
    for script in (steps[-1]["run"], "\n".join(last).replace("/tmp/venv/bin/", f"{here}/")):
        env = {**os.environ, "PATH": f"{here}:{os.environ['PATH']}", "GITHUB_BASE_REF": ""}
        done = subprocess.run(["bash", "-ec", script.replace("$(go env GOPATH)", "/none")], cwd=repo, env=env,
                              capture_output=True, text=True, check=False)  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout.endswith(": ok\n")
    assert (
        f"v{next(one.version for one in catalogue.TOOLS if one.name == 'kustomize')}" == KUSTOMIZE
    )
    assert all(KUSTOMIZE in json.dumps(one) for one in (github, jobs))


def test_what_is_recorded_is_what_git_calls_it(repo: Path) -> None:
    for line in (repo / ".fleet/scaffold").read_text().splitlines()[1:]:
        blob, path = line.split("  ")
        assert git(repo, "hash-object", path) == blob


def test_nothing_of_it_names_this_fleet(repo: Path) -> None:
    assert not [path for path, content in contents(repo).items() if CENTRAL.encode() in content]
