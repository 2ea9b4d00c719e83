"""`fleet recover` with a stand-in for the pulumi CLI; the real one is used by the e2e tests."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from typer.testing import CliRunner

from fleet import orphans
from fleet.commands import app
from fleet.orphans import Orphan
from live.cluster_api import ClusterAPI

FAKE_PULUMI = f"""#!{sys.executable}
import json, os, pathlib, signal, sys, time
here = pathlib.Path(__file__).parent.parent
words = sys.argv[1:]
with (here / "calls").open("a") as calls:
    calls.write(" ".join(words) + "\\n")
if "PULUMI_K8S_DELETE_UNREACHABLE" in os.environ:
    sys.exit("what is on a cluster whose credential has ended would be forgotten")
tmp = pathlib.Path(os.environ["TMPDIR"])
(tmp / "kubeconfig1").write_text("a credential")
with (here / "tmp").open("a") as file:
    file.write(f"{{tmp}} {{tmp.stat().st_mode & 0o777:o}}\\n")
state = here / "state.json"
if words[:2] == ["stack", "export"]:
    if not state.exists():
        sys.exit("error: no stack named 'lab' found")
    print(state.read_text())
elif words[:2] == ["stack", "import"]:
    document = json.loads(sys.stdin.read())
    document["deployment"]["pending_operations"] = []
    state.write_text(json.dumps(document))
elif words[0] == "whoami":
    print(json.dumps({{"url": f"file://{{here}}/backend"}}))
elif words[0] == "cancel":
    [path.unlink() for path in here.glob("backend/.pulumi/locks/**/*.json")]
elif words[0] == "refresh":
    if (here / "ctrl-c").exists():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.killpg(0, signal.SIGINT)
        time.sleep(0.6)
        (here / "ended").touch()
        sys.exit(3)
    if (here / "ended").exists() and "--run-program" not in words:
        sys.exit("the credentials in the state have ended")
"""
URN = "urn:pulumi:lab::fleet::vault:index/policy:Policy::prod-1"


@pytest.fixture(autouse=True)
def left(monkeypatch: pytest.MonkeyPatch) -> list[Orphan]:
    """The orphans that there are, none at first; never those of this machine."""
    there: list[Orphan] = []

    def end(asked: list[Orphan]) -> list[Orphan]:
        there[:] = [orphan for orphan in there if orphan not in asked]
        return []

    monkeypatch.setattr(orphans, "find", lambda: list(there))
    monkeypatch.setattr(orphans, "end", end)
    return there


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "bin").mkdir()
    pulumi = tmp_path / "bin" / "pulumi"
    pulumi.write_text(FAKE_PULUMI)
    pulumi.chmod(pulumi.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "Pulumi.yaml").write_text("name: fleet\n")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PULUMI_STACK", "lab")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_state(project: Path, *pending: dict[str, Any]) -> None:
    document = {"version": 3, "deployment": {"resources": [], "pending_operations": list(pending)}}
    (project / "state.json").write_text(json.dumps(document))


def creating(kind: str = "vault:index/policy:Policy") -> dict[str, Any]:
    entry = {
        "urn": URN,
        "type": kind,
        "custom": True,
        "inputs": {"name": "prod-1", "namespace": "production"},
    }
    return {"type": "creating", "resource": entry}


def lock(
    project: Path, pid: int, host: str = "", project_name: str = "fleet", since: str = ""
) -> Path:
    folder = project / "backend" / ".pulumi" / "locks" / "organization" / project_name / "lab"
    folder.mkdir(parents=True)
    path = folder / "x.json"
    content: dict[str, object] = {
        "pid": pid,
        "username": "me",
        "hostname": host or socket.gethostname(),
    }
    path.write_text(json.dumps({**content, "timestamp": since}))
    return path


def dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-S", "-c", ""]) as gone:
        pass
    return gone.pid


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["recover", *words])
    assert not isinstance(result.exception, Exception) or isinstance(
        result.exception, SystemExit
    ), result.exception
    return result.exit_code, result.output


def calls(project: Path) -> list[str]:
    return (project / "calls").read_text().splitlines()


def test_nothing_to_do(project: Path) -> None:
    write_state(project)
    code, output = run()
    assert code == 0
    assert " ".join(output.split()) == (
        "Stack lab: nothing is pending, nothing is locked, no plugin of a dead run is left."
    )


def test_dry_run_changes_nothing(project: Path) -> None:
    write_state(project, creating())
    before = (project / "state.json").read_text()
    code, output = run("--dry-run")
    assert code == 0
    assert "Policy prod-1" in output
    assert "take into the state" in output
    assert (project / "state.json").read_text() == before


def test_without_a_terminal_it_needs_yes(project: Path) -> None:
    write_state(project, creating())
    code, output = run()
    assert code == 2
    assert "--yes" in output
    assert not any(
        call.startswith(("stack import", "cancel", "refresh")) for call in calls(project)
    )


def test_recovery(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_K8S_DELETE_UNREACHABLE", "true")
    write_state(project, creating())
    held = lock(project, dead_pid())
    code, output = run("--yes")
    assert code == 0
    assert "(dead)" in output
    assert "Recovered: 1 taken into the state. Next: pulumi up --stack lab" in output
    assert not held.exists()
    changing = [call for call in calls(project) if not call.startswith(("stack export", "whoami"))]
    assert changing == [
        "cancel --yes --non-interactive --stack lab",
        "stack import --non-interactive --stack lab",
        f"refresh --yes --skip-preview --non-interactive --stack lab --target {URN}",
    ]
    resources = json.loads((project / "state.json").read_text())["deployment"]["resources"]
    assert [(entry["urn"], entry["id"]) for entry in resources] == [(URN, "prod-1")]


def test_a_lock_without_pending_operations_is_taken_away(project: Path) -> None:
    write_state(project)
    held = lock(project, dead_pid())
    code, _ = run("--yes")
    assert code == 0
    assert not held.exists()
    assert not any(call.startswith(("stack import", "refresh")) for call in calls(project))


def test_a_lock_of_another_project_is_none_of_ours(project: Path) -> None:
    write_state(project)
    lock(project, dead_pid(), project_name="other")
    assert run()[1].startswith("Stack lab: nothing is pending")


def test_a_live_run_is_left_alone(project: Path, tmp_path: Path) -> None:
    write_state(project, creating())
    name = tmp_path / "pulumi-alive"
    name.symlink_to(sys.executable)
    with subprocess.Popen([str(name), "-S", "-c", "input()"], stdin=subprocess.PIPE) as alive:
        try:
            held = lock(project, alive.pid)
            code, output = run("--yes")
        finally:
            alive.kill()
    assert code == 2
    assert f"pulumi is at work on stack lab (pid {alive.pid})" in output
    assert held.exists()


def test_a_lock_of_another_machine_is_left_alone(project: Path) -> None:
    write_state(project, creating())
    held = lock(project, 1, host="elsewhere")
    code, output = run("--yes")
    assert code == 2
    assert "pulumi cancel --stack lab" in output
    assert held.exists()


def test_what_cannot_be_told_is_named_and_nothing_is_changed(project: Path) -> None:
    """Pulumi drops what is pending from a state that is imported: it would be lost."""
    write_state(project, creating("random:index/randomId:RandomId"))
    held = lock(project, dead_pid())
    before = (project / "state.json").read_text()
    code, output = run("--yes")
    assert code == 1
    assert "CAN'T TELL" in output
    words = " ".join(output.split())
    assert "the state was not changed: prod-1 (its ID does not follow from its inputs" in words
    assert (project / "state.json").read_text() == before
    assert held.exists()

    code, output = run("--yes", "--forget-unasked")
    assert code == 0
    assert "Forgotten: prod-1 (its ID does not" in " ".join(output.split())
    assert (
        json.loads((project / "state.json").read_text())["deployment"]["pending_operations"] == []
    )
    assert not held.exists()


def test_a_stack_by_its_qualified_name(project: Path) -> None:
    write_state(project, creating())
    held = lock(project, dead_pid())
    code, _ = run("--stack", "organization/fleet/lab", "--yes")
    assert code == 0
    assert not held.exists()
    assert "cancel --yes --non-interactive --stack organization/fleet/lab" in calls(project)


@pytest.fixture
def two_left(left: list[Orphan]) -> list[Orphan]:
    own = psutil.Process()
    left += [
        Orphan("pulumi-resource-kubernetes", own),
        Orphan("pulumi-resource-vault", psutil.Process(os.getppid())),
    ]
    return left


def test_orphans_are_found_where_nothing_is_pending(project: Path, two_left: list[Orphan]) -> None:
    write_state(project)
    code, output = run("--yes")
    assert code == 0
    assert f"pulumi-resource-kubernetes  pid {os.getpid()}" in output
    assert f"pulumi-resource-vault  pid {os.getppid()}" in output
    assert "Ended: 2 plugins." in output
    assert not two_left


def test_orphans_end_before_the_clusters_are_asked(
    project: Path, monkeypatch: pytest.MonkeyPatch, two_left: list[Orphan]
) -> None:
    write_state(project, creating())
    alive: list[int] = []

    def look_up(*_: object) -> dict[str, object]:
        alive.append(len(two_left))
        return {}

    monkeypatch.setattr("fleet.lookup.look_up", look_up)
    assert run("--yes")[0] == 0
    assert alive == [0]


def test_dry_run_and_no_terminal_leave_orphans(project: Path, two_left: list[Orphan]) -> None:
    write_state(project, creating())
    code, output = run("--dry-run")
    assert code == 0
    assert "Left by dead runs: 2 plugins, to be ended" in output
    code, output = run()
    assert code == 2
    assert "--yes" in output
    assert len(two_left) == 2


def test_an_orphan_that_does_not_end_is_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, two_left: list[Orphan]
) -> None:
    write_state(project, creating())
    monkeypatch.setattr(orphans, "end", lambda asked: asked[:1])
    code, output = run("--yes")
    assert code == 1
    assert f"still running after SIGKILL: pulumi-resource-kubernetes, pid {os.getpid()}" in output
    assert not any(call.startswith(("stack import", "refresh")) for call in calls(project))


def test_every_run_of_pulumi_has_a_tmpdir_that_goes_with_it(project: Path) -> None:
    write_state(project, creating())
    lock(project, dead_pid())
    assert run("--yes")[0] == 0
    (project / "state.json").unlink()
    assert run()[0] == 1, "a run that fails as well"
    folders = [line.split() for line in (project / "tmp").read_text().splitlines()]
    assert len(folders) == len(calls(project)) > 5
    assert {mode for _, mode in folders} == {"700"}
    assert len({folder for folder, _ in folders}) == len(folders)
    assert not any(Path(folder).exists() for folder, _ in folders)


def test_ctrl_c_leaves_pulumi_the_time_to_end_its_plugins(project: Path) -> None:
    """Both get it from the terminal; pulumi, killed at once, would leave them behind."""
    write_state(project)
    (project / "ctrl-c").touch()
    program = "from fleet.pulumi_cli import PulumiStack; import sys; sys.exit(PulumiStack('lab').refresh([]))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=project, start_new_session=True, check=False
    )
    assert done.returncode == 3
    assert (project / "ended").exists()


def write_stack(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack file with a spoke on this machine's way and one that it never talks to."""
    contexts = {"hub": "https://127.0.0.1:1", "near": "https://127.0.0.1:2"}
    kubeconfig = {
        "clusters": [{"name": n, "cluster": {"server": server}} for n, server in contexts.items()],
        "contexts": [{"name": n, "context": {"cluster": n, "user": "me"}} for n in contexts],
        "users": [{"name": "me", "user": {}}],
    }
    far = {"server": "https://far:6443", "delivery": "argocd", "auth": {"kind": "vault"}}
    spokes = [{"name": "near"}, {"name": "far", **far}]
    stack = {
        "fleet:hub": {"context": "hub"},
        "fleet:gitops": {"repo": "https://git.example/gitops-config"},
        "fleet:vault": {"address": "https://vault.example"},
        "fleet:externalSecrets": {
            "chart": "oci://charts.example/external-secrets",
            "version": "0.19.2",
        },
        "fleet:spokes": [{**spoke, "environment": "dev", "region": "r1"} for spoke in spokes],
        "fleet:applicationSets": [{"name": "set", "layout": "services"}],
    }
    (project / "stacks").mkdir()
    (project / "stacks" / "Pulumi.lab.yaml").write_text(yaml.safe_dump({"config": stack}))
    (project / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    monkeypatch.setenv("KUBECONFIG", str(project / "kubeconfig"))


def secret_on(cluster: str) -> dict[str, Any]:
    provider = f"urn:pulumi:lab::fleet::pulumi:providers:kubernetes::{cluster}"
    inputs = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "n"}}
    entry = {
        "urn": f"urn:pulumi:lab::fleet::kubernetes:core/v1:Secret::{cluster}-secret",
        "type": "kubernetes:core/v1:Secret",
        "custom": True,
        "provider": f"{provider}::id",
        "inputs": inputs,
    }
    return {"type": "creating", "resource": entry}


def test_a_spoke_without_access_is_left_to_the_refresh(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_stack(project, monkeypatch)
    write_state(project, secret_on("near"), secret_on("hub"), secret_on("far"))
    code, output = run("--dry-run")
    assert code == 0
    assert "can't be asked directly" not in output
    rows = {line.split()[2]: line for line in output.splitlines() if line.startswith("Secret ")}
    assert "near: connection refused" in rows["near"]
    assert "hub: connection refused" in rows["hub"]
    assert "connection refused" not in rows["far"]


@pytest.mark.parametrize("cluster", ["near", "hub"])
def test_swapped_clusters_change_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, cluster: str
) -> None:
    write_stack(project, monkeypatch)
    write_state(project, secret_on(cluster))
    document = json.loads((project / "state.json").read_text())
    recorded = {"identities": {"hub": "of-hub", "spokes": {"near": "of-near"}}}
    document["deployment"]["resources"] = [
        {"urn": "urn:stack", "type": "pulumi:pulumi:Stack", "outputs": recorded}
    ]
    (project / "state.json").write_text(json.dumps(document))
    before = (project / "state.json").read_text()

    def another(_: ClusterAPI, path: str) -> Any:
        assert path == "/api/v1/namespaces/kube-system", "nothing else is asked there"
        return {"metadata": {"uid": "of-staging"}}

    monkeypatch.setattr(ClusterAPI, "json", another)
    for forget in ((), ("--forget-unasked",)):
        code, output = run("--yes", *forget)
        assert code == 2
        name = "the hub" if cluster == "hub" else f'"{cluster}"'
        assert f"{name} is the cluster of-{cluster}, and its context leads to of-staging" in output
        assert "the state was not changed" in output
        assert (project / "state.json").read_text() == before


@pytest.mark.parametrize("good", [True, False])
def test_a_refresh_that_fails_is_tried_by_the_credentials_of_today(
    project: Path, monkeypatch: pytest.MonkeyPatch, good: bool
) -> None:
    """Where there is a stack file to find them by."""
    if good:
        write_stack(project, monkeypatch)
    write_state(project, creating())
    (project / "ended").touch()
    code, output = run("--yes")
    asked = [call for call in calls(project) if call.startswith("refresh ")]
    assert f"--target {URN}" in asked[0]
    assert [call.partition(" --stack lab ")[2] for call in asked[1:]] == ["--run-program"] * good
    assert code == (0 if good else 1)
    assert ("then: pulumi refresh --run-program --stack lab" in " ".join(output.split())) == (
        not good
    )


class Cluster(ClusterAPI):
    """Every cluster has the Secret, since a quarter of an hour before the run."""

    def __init__(self, *_: object) -> None:
        pass

    def json(self, path: str) -> Any:
        if path == "/api/v1":
            return {"resources": [{"name": "secrets", "kind": "Secret", "namespaced": True}]}
        made = {"manager": "pulumi-kubernetes-1a", "time": "2026-11-26T09:00:00Z"}
        return {"metadata": {"creationTimestamp": "2026-11-26T09:00:00Z", "managedFields": [made]}}


@pytest.mark.parametrize(
    ("since", "taken", "said"),
    [
        ("2026-11-26T10:15:00.123456789+01:00", 0, "before the killed run could make it"),
        ("2026-11-26T08:59:59.9Z", 1, "was created"),
        ("", 1, "not known"),
    ],
)
def test_what_was_there_before_the_run_is_left_alone(
    project: Path, monkeypatch: pytest.MonkeyPatch, since: str, taken: int, said: str
) -> None:
    write_stack(project, monkeypatch)
    monkeypatch.setattr("live.cluster_api.ClusterAPI", Cluster)
    write_state(project, secret_on("near"))
    state = json.loads((project / "state.json").read_text())
    state["deployment"]["resources"] = [
        {"urn": "urn:pulumi:lab::fleet::pulumi:providers:kubernetes::near"}
    ]
    (project / "state.json").write_text(json.dumps(state))
    lock(project, dead_pid(), since=since)
    code, output = run("--yes")
    assert code == 0
    words = " ".join(output.split())
    assert said in words
    assert f"Recovered: {taken} taken into the state" in words
    assert (
        "near-secret (n/s) was left alone: exists, but since 2026-11-26 09:00 UTC" in words
    ) == (not taken)
    assert ("docs/recover.md#what-somebody-else-made" in words) == (not taken)


@pytest.mark.usefixtures("project")
def test_an_unknown_stack() -> None:
    assert run() == (1, "error: pulumi stack export: no stack named 'lab' found\n")


def test_no_project_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, output = run("--stack", "lab")
    assert code == 1
    assert "no Pulumi.yaml" in output
