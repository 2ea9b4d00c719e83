"""The scaffolded pipelines: actionlint finds nothing, and what an event says reaches `fleet` as words, no shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from rich.console import Console

from lab.toolchain import ensure
from lab.toolchain.catalogue import TOOLS
from tests.real.scaffold_project import IDENTITY, OWN, PAYMENTS, Project, commit, git

HOSTILE = (
    "$(touch x)", '"; touch x; "', "'; touch x; '", "`touch x`", "a\ntouch x", "--help", "a b *", "${PWD}", "\\",
)  # fmt: skip
RECORDER = """#!/bin/sh
for one in "$@"; do printf '%s\\0' "$one"; done >>"$RECORD"
"""
BINARIES = "/tmp/venv/bin/"  # where GitLab's jobs have `fleet`
Ran = list[str]


def actionlint() -> str:
    """The real actionlint: of the lab's tools, else on PATH."""
    if any(tool.name == "actionlint" for tool in TOOLS):
        return str(ensure(["actionlint"], console=Console(stderr=True)).bin("actionlint"))
    if found := shutil.which("actionlint"):
        return found
    pytest.skip("no actionlint among the lab's tools, or on PATH")


@pytest.fixture(params=["central", "team"])
def repo(gitops_project: Project, request: pytest.FixtureRequest) -> Path:
    """A scaffolded repo: the platform's, or that of a team."""
    gitops_project.stack(teams=[{**PAYMENTS, "repo": OWN}, IDENTITY])
    gitops_project.ok("scaffold", "repo")
    folder = gitops_project.folder / "repo"
    if request.param == "team":
        gitops_project.ok("scaffold", "own", "--team", "payments")
        folder = gitops_project.folder / "own"
    git(folder, "init", "--quiet")
    return folder


def github(repo: Path, name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((repo / f".github/workflows/{name}.yaml").read_text()))


def gitlab(repo: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((repo / ".gitlab-ci.yml").read_text()))


def scripts(repo: Path) -> Iterator[str]:
    """All that is run by a shell."""
    for name in ("lint", "promote"):
        for job in github(repo, name)["jobs"].values():
            yield from (step["run"] for step in job["steps"] if "run" in step)
    for job in gitlab(repo).values():
        for part in ("before_script", "script"):
            yield "\n".join(job.get(part, []))


def run(repo: Path, script: str, values: Mapping[str, str]) -> Ran:
    """The words that `fleet` was given, by a shell that does the rest for real."""
    project, tools = repo / ".fleet-project", repo.parent / "tools"
    for folder in (project, tools):
        folder.mkdir(exist_ok=True)
    record = repo.parent / "record"
    record.unlink(missing_ok=True)
    (tools / "fleet").write_text(RECORDER)
    (tools / "go").write_text("#!/bin/sh\necho /none\n")
    for tool in tools.iterdir():
        tool.chmod(0o755)
    env = {"PATH": f"{tools}:{os.environ['PATH']}", "RECORD": str(record), **values}
    text = script.replace(BINARIES, f"{tools}/")
    done = subprocess.run(["bash", "-eo", "pipefail", "-c", text], cwd=repo, env=env, capture_output=True, text=True,
                          check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert not [path for path in (repo / "x", project / "x", repo.parent / "x") if path.exists()]
    return record.read_text().split("\0")[:-1]


def last(repo: Path, job: str) -> tuple[str, dict[str, str]]:
    """The step of GitHub's job that runs `fleet`, and where it has its values from."""
    step = github(repo, "lint" if job == "lint" else "promote")["jobs"][job]["steps"][-1]
    return step["run"], step.get("env", {})


def test_actionlint_finds_nothing(repo: Path) -> None:
    commit(repo)
    files = sorted((repo / ".github/workflows").iterdir())
    assert [one.name for one in files] == ["lint.yaml", "promote.yaml"]
    done = subprocess.run([actionlint(), "-shellcheck=", "-pyflakes=", *map(str, files)], cwd=repo, capture_output=True,
                          text=True, check=False)  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "")


def test_every_script_is_bash_and_has_no_expression_in_it(repo: Path) -> None:
    found = [one for one in scripts(repo) if one]
    assert len(found) == 2 * 4 + 5
    for script in found:
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)  # fmt: skip
        assert (done.returncode, done.stderr) == (0, ""), script
        assert "${{" not in script


@pytest.mark.parametrize("value", ["payment-service", *HOSTILE])
def test_what_an_event_says_is_one_word(repo: Path, value: str) -> None:
    """For GitHub by the names of its own `env:`, for GitLab by those of the variables."""
    image, env = last(repo, "image")
    own = {"FLEET_FORGE_TOKEN", "FLEET_KUBECONFIG"}
    assert set(env) == own | {"SERVICE", "IMAGE", "ENVIRONMENT", "BUILD"}
    expected = ["promote", f"--image={value}", f"--to={value}", f"--build={value}", "--", value]
    assert run(repo, image, dict.fromkeys(env, value)) == expected
    tested, env = last(repo, "tested")
    words = ["promote", f"--from={value}", f"--to={value}", f"--tested={value}", f"--soak={value}"]
    assert run(repo, tested, dict.fromkeys(env, value)) == [*words, "--", value]
    back, env = last(repo, "rollback")
    undone = ["rollback", f"--environment={value}", "--", value]
    assert run(repo, back, dict.fromkeys(env, value)) == undone

    jobs = gitlab(repo)
    names = ("SERVICE", "IMAGE", "ENVIRONMENT", "BUILD", "FROM", "TO", "TESTED", "SOAK")
    given = {f"FLEET_{name}": value for name in names}
    for job, said in (
        ("image", expected),
        ("tested", [*words, "--", value]),
        ("rollback", undone),
    ):
        assert run(repo, "\n".join(jobs[job]["script"]), given) == said


def test_what_is_not_given_is_not_said(repo: Path) -> None:
    script, env = last(repo, "image")
    assert run(repo, script, {**dict.fromkeys(env, "a"), "BUILD": ""})[-2:] == ["--", "a"]
    assert "--build" not in " ".join(run(repo, script, {**dict.fromkeys(env, "a"), "BUILD": ""}))
    given = {"FLEET_SERVICE": "a", "FLEET_FROM": "b", "FLEET_TO": "c", "FLEET_TESTED": "u"}
    assert run(repo, "\n".join(gitlab(repo)["tested"]["script"]), given) == [
        "promote", "--from=b", "--to=c", "--tested=u", "--", "a",
    ]  # fmt: skip


@pytest.mark.parametrize("base", ["", "main", "release/1.0; touch x", "$(touch x)"])
def test_lint_is_told_what_a_pull_request_goes_to(repo: Path, base: str) -> None:
    script, _ = last(repo, "lint")
    said = run(repo, script, {"GITHUB_BASE_REF": base})
    assert said[:2] == (["lint", f"--base=origin/{base}"] if base else ["lint", said[1]])
    assert said[-1].endswith(str(repo))
    job = gitlab(repo)["lint"]
    (repo.parent / "tools").mkdir(exist_ok=True)
    fetched = repo.parent / "tools/git"
    fetched.write_text("#!/bin/sh\nexit 0\n")
    assert (
        run(repo, "\n".join(job["script"]), {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": base}) == said
    )
    assert job["variables"] == {"GIT_DEPTH": 0}
    assert github(repo, "lint")["jobs"]["lint"]["steps"][0]["with"]["fetch-depth"] == 0


def test_who_may_what(repo: Path) -> None:
    workflow = github(repo, "promote")
    assert set(workflow[True]) == {"repository_dispatch", "workflow_dispatch"}
    assert workflow["permissions"] == {}
    rights = {"contents": "write", "pull-requests": "write", "statuses": "write"}
    for job in workflow["jobs"].values():
        assert job["permissions"] == rights
        assert job["concurrency"]["cancel-in-progress"] is False
        with_token = [step["name"] for step in job["steps"] if "FLEET_FORGE_TOKEN" in step.get("env", {})]  # fmt: skip
        assert with_token == [job["steps"][-1]["name"]], "what is installed doesn't see it"
        assert all(one.get("with", {}).get("persist-credentials", False) is False for one in job["steps"])  # fmt: skip
    assert "dispatch" not in workflow["jobs"]["rollback"]["if"].replace("workflow_dispatch", "")


def test_the_environments_are_those_of_the_stack_files(repo: Path) -> None:
    inputs = github(repo, "promote")[True]["workflow_dispatch"]["inputs"]
    assert inputs["environment"]["options"] == ["staging", "production"]
    choice = gitlab(repo)["variables"]["FLEET_ENVIRONMENT"]
    assert (choice["value"], choice["options"]) == ("staging", ["staging", "production"])


def test_gitlab_starts_one_job_for_one_thing(repo: Path) -> None:
    jobs = gitlab(repo)
    for name in ("image", "tested", "rollback"):
        (rule,) = jobs[name]["rules"]
        assert re.search(r"CI_PIPELINE_SOURCE (=~|==)", rule["if"]), "a push starts none of it"
        assert jobs[name]["resource_group"].startswith("fleet-$FLEET_SERVICE-")
    assert "trigger" not in jobs["rollback"]["rules"][0]["if"], "a person's work"
