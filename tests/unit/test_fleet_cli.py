"""The command line itself: help, version, exit codes, and what is printed where."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from fleet import __version__, lab_home, lab_shell
from fleet.cli import main
from fleet.commands import app
from lab.home import LabHome
from lab.processes import PartState
from lab.toolchain import Toolbox

ROOT = Path(__file__).parents[2]
COMMANDS = [
    ["status"],
    ["check"],
    ["credential"],
    ["recover"],
    ["lint"],
    *(
        ["lab", name]
        for name in (
            "up",
            "down",
            "status",
            "env",
            "shell",
            "run",
            "logs",
            "add-cluster",
            "remove-cluster",
        )
    ),
]


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with one good stack file, `dev`, and its kubeconfig."""
    clusters = {"hub": "https://127.0.0.1:1", "one": "https://127.0.0.1:2"}
    kubeconfig = {
        "clusters": [
            {"name": name, "cluster": {"server": server}} for name, server in clusters.items()
        ],
        "contexts": [
            {"name": name, "context": {"cluster": name, "user": "me"}} for name in clusters
        ],
        "users": [{"name": "me", "user": {}}],
    }
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(kubeconfig))
    stack = {
        "fleet:hub": {"context": "hub"},
        "fleet:argocd": {"manifest": "install.yaml"},
        "fleet:gitops": {"repo": "https://git.example/gitops-config"},
        "fleet:vault": {"address": "https://vault.example"},
        "fleet:externalSecrets": {"crds": "crds.yaml", "chart": "chart"},
        "fleet:spokes": [{"name": "one", "environment": "dev", "region": "r1"}],
        "fleet:applicationSets": [{"name": "set", "layout": "services"}],
    }
    for name in ("install.yaml", "crds.yaml"):
        (tmp_path / name).touch()
    (tmp_path / "stacks").mkdir()
    (tmp_path / "stacks" / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": stack}))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.delenv("PULUMI_STACK", raising=False)
    return tmp_path


def test_version(runner: CliRunner) -> None:
    assert runner.invoke(app, ["--version"]).output == f"fleet {__version__}\n"


@pytest.mark.parametrize(
    "command", [[], ["lab"], *COMMANDS], ids=lambda words: " ".join(words) or "fleet"
)
def test_every_command_has_help(runner: CliRunner, command: list[str]) -> None:
    result = runner.invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Usage:" in result.output
    assert "\\b" not in result.output
    if command in COMMANDS and command != ["lab", "status"]:
        assert "Example" in result.output


def test_wrong_usage_is_bad_input(runner: CliRunner) -> None:
    assert runner.invoke(app, ["status", "--nonsense"]).exit_code == 2


def test_help_does_not_load_the_lab_or_the_cluster_clients() -> None:
    code = "import sys, fleet.commands; print([m for m in ('kubernetes', 'lab', 'hvac', 'pulumi') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_check_a_good_stack(runner: CliRunner, project: Path) -> None:
    result = runner.invoke(app, ["check"])
    assert (result.exit_code, result.output) == (
        0,
        "stacks/Pulumi.dev.yaml: ok: 1 spoke, 1 ApplicationSet\n",
    )


def test_check_says_what_is_wrong_in_one_line_each(runner: CliRunner, project: Path) -> None:
    path = project / "stacks" / "Pulumi.dev.yaml"
    path.write_text(
        path.read_text()
        .replace("environment: dev", "environment: devel")
        .replace("region:", "regio:")
    )
    result = runner.invoke(app, ["check"])
    assert result.exit_code == 2
    assert "stacks/Pulumi.dev.yaml:" in result.stderr
    assert "Traceback" not in result.output


def test_check_as_json(runner: CliRunner, project: Path) -> None:
    (project / "stacks" / "Pulumi.broken.yaml").write_text("config: {}\n")
    result = runner.invoke(app, ["check", "--json"])
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    assert document["ok"] is False
    assert [(stack["stack"], stack["ok"]) for stack in document["stacks"]] == [
        ("broken", False),
        ("dev", True),
    ]
    assert document["stacks"][0]["problems"]


def test_check_names_what_is_in_quarantine(runner: CliRunner, project: Path) -> None:
    path = project / "stacks" / "Pulumi.dev.yaml"
    path.write_text(path.read_text().replace("region:", "quarantine: its disks died\n    region:"))
    result = runner.invoke(app, ["check"])
    assert (result.exit_code, result.output.splitlines()[1:]) == (
        0,
        ["  one is in quarantine: its disks died"],
    )
    document = json.loads(runner.invoke(app, ["check", "--json"]).stdout)
    assert document["stacks"][0]["quarantine"] == {"one": "its disks died"}


def test_check_holds_stacks_that_share_a_hub_against_each_other(
    runner: CliRunner, project: Path
) -> None:
    good = (project / "stacks" / "Pulumi.dev.yaml").read_text()
    (project / "stacks" / "Pulumi.other.yaml").write_text(good)
    result = runner.invoke(app, ["check"])
    assert result.exit_code == 2
    assert 'stacks/Pulumi.other.yaml: fleet:spokes[0].name: stack "dev" has a spoke "one"' in (
        result.stderr
    )
    document = json.loads(runner.invoke(app, ["check", "--json"]).stdout)
    assert document["ok"] is False
    assert "fleet:argocd.manifest" in [
        problem["path"] for problem in document["stacks"][1]["problems"]
    ]
    assert runner.invoke(app, ["check", "--stack", "other"]).exit_code == 0
    assert runner.invoke(app, ["check", "-s", "other", "-s", "dev"]).exit_code == 2


def test_the_only_stack_is_the_default(runner: CliRunner, project: Path) -> None:
    assert "Hub hub: not reachable" in runner.invoke(app, ["status"]).stdout


def test_pulumis_own_variable_names_the_stack(
    runner: CliRunner, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "stacks" / "Pulumi.other.yaml").write_text("config: {}\n")
    monkeypatch.setenv("PULUMI_STACK", "acme/fleet/dev")
    assert "Hub hub: not reachable" in runner.invoke(app, ["status"]).stdout
    result = runner.invoke(app, ["status", "--stack", "other"])
    assert "stacks/Pulumi.other.yaml" in result.stderr


def test_of_several_stacks_one_must_be_named(runner: CliRunner, project: Path) -> None:
    (project / "stacks" / "Pulumi.other.yaml").write_text("config: {}\n")
    result = runner.invoke(app, ["status"])
    assert (result.exit_code, result.stderr) == (
        2,
        "error: which stack? Give --stack or set PULUMI_STACK; stacks here: dev, other\n",
    )


def test_check_without_stack_files(
    runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = runner.invoke(app, ["check"])
    assert result.exit_code == 2
    assert "no stack files here" in result.stderr


def test_status_of_an_unknown_stack(runner: CliRunner, project: Path) -> None:
    result = runner.invoke(app, ["status", "--stack", "nope"])
    assert result.exit_code == 2
    assert "stacks here: dev" in result.stderr


def test_status_with_an_unreachable_hub(runner: CliRunner, project: Path) -> None:
    result = runner.invoke(app, ["status", "--stack", "dev"])
    assert result.exit_code == 2
    assert "Hub hub: not reachable: connection refused" in result.stdout
    assert "  one: connection refused\n" in result.stdout


def test_status_as_json_keeps_stdout_for_the_document(runner: CliRunner, project: Path) -> None:
    result = runner.invoke(
        app,
        ["status", "--stack", "dev", "--json", "--wait", "--timeout", "0.2", "--interval", "0.1"],
    )
    assert result.exit_code == 2
    document = json.loads(result.stdout)
    assert document["schema"] == 1
    assert document["good"] is False
    assert document["spokes"][0]["reachable"] is False
    assert "hub NOT reachable" in result.stderr


def test_the_labs_variables_are_hinted_at(
    runner: CliRunner, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    text = (
        (project / "stacks" / "Pulumi.dev.yaml")
        .read_text()
        .replace("install.yaml", "${NO_SUCH_VARIABLE}")
    )
    (project / "stacks" / "Pulumi.lab.yaml").write_text(text)
    result = runner.invoke(app, ["status", "--stack", "lab"])
    assert result.exit_code == 2
    assert "NO_SUCH_VARIABLE is not set" in result.stderr
    assert "fleet lab run" in result.stderr


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lab that was started once, as far as the command line can tell."""
    LabHome(tmp_path).create()
    (tmp_path / "kubeconfig").write_text("{}")
    monkeypatch.setenv("FLEET_LAB", str(tmp_path))
    monkeypatch.setattr(
        lab_home, "variables", lambda: {"PATH": os.environ["PATH"], "VAULT_ADDR": "https://v; rm"}
    )
    return tmp_path


def test_lab_env_is_safe_to_eval(runner: CliRunner, lab: Path) -> None:
    assert "export VAULT_ADDR='https://v; rm'\n" in runner.invoke(app, ["lab", "env"]).output


def test_lab_run_becomes_the_command(
    runner: CliRunner, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    became = {}

    def execve(path: str, command: list[str], environment: dict[str, str]) -> None:
        became.update(path=path, command=command, address=environment["VAULT_ADDR"])

    monkeypatch.setattr(lab_shell.os, "execve", execve)
    assert runner.invoke(app, ["lab", "run", "--", "sh", "-c", "exit 3", "--help"]).exit_code == 0
    assert became["command"] == ["sh", "-c", "exit 3", "--help"]
    assert became["address"] == "https://v; rm"


def test_lab_run_of_an_unknown_command(runner: CliRunner, lab: Path) -> None:
    result = runner.invoke(app, ["lab", "run", "--", "no-such-command"])
    assert (result.exit_code, result.stderr) == (
        127,
        "error: no command no-such-command in the lab's environment\n",
    )


def test_lab_run_of_nothing(runner: CliRunner, lab: Path) -> None:
    assert runner.invoke(app, ["lab", "run"]).exit_code == 2


def test_lab_logs(runner: CliRunner, lab: Path) -> None:
    (lab / "logs" / "etcd.log").write_text("".join(f"line {number}\n" for number in range(100)))
    assert "etcd" in runner.invoke(app, ["lab", "logs"]).output
    assert runner.invoke(app, ["lab", "logs", "etcd", "-n", "2"]).output == "line 98\nline 99\n"
    missing = runner.invoke(app, ["lab", "logs", "nope"])
    assert (missing.exit_code, missing.stderr) == (2, "error: no log of nope; there are: etcd\n")


@pytest.mark.parametrize("command", [["env"], ["shell"], ["run", "true"], ["logs"], ["status"]])
def test_a_lab_that_was_never_started(
    runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.setenv("FLEET_LAB", str(tmp_path / "none"))
    result = runner.invoke(app, ["lab", *command])
    assert (result.exit_code, result.stderr) == (1, f"error: {lab_home.NOT_STARTED}\n")


@pytest.mark.parametrize(
    ("topology", "codes", "worst"),
    [
        ("single", {"lab": 0}, 0),
        ("split", {"hub": 0, "production": 1, "staging": 2, "dev": 0}, 2),
        ("split", {"hub": 0, "production": 0, "staging": 0, "dev": 0}, 0),
    ],
)
def test_lab_status_asks_every_stack_of_the_topology_and_ends_with_the_worst(
    runner: CliRunner,
    lab: Path,
    monkeypatch: pytest.MonkeyPatch,
    topology: str,
    codes: dict[str, int],
    worst: int,
) -> None:
    asked = []

    def show_status(stack: str, **_: object) -> int:
        asked.append(stack)
        return codes[stack]

    (lab / "topology").write_text(topology)
    running = [PartState(name="etcd", state="running", pid=1)]
    monkeypatch.setattr("lab.up.status", lambda _: running)
    monkeypatch.setattr("fleet.status.show_status", show_status)
    result = runner.invoke(app, ["lab", "status"])
    assert (result.exit_code, asked) == (worst, list(codes))
    assert ("Stack hub" in result.output) == (topology == "split")


def test_lab_up_refuses_another_topology(
    runner: CliRunner, lab: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lab_home, "tools", Toolbox)
    (lab / "topology").write_text("split")
    result = runner.invoke(app, ["lab", "up", "--topology", "single"])
    assert result.exit_code == 1
    assert "is of the topology 'split'" in result.stderr
    assert "fleet lab down --wipe" in result.stderr


def test_wiping_needs_a_yes_and_lists_what_goes(runner: CliRunner, lab: Path) -> None:
    result = runner.invoke(app, ["lab", "down", "--wipe"])
    assert result.exit_code == 2
    assert f"Deletes {lab} for good: " in result.stdout
    assert "kubeconfig, lo" in result.stdout
    assert lab.exists()
    result = runner.invoke(app, ["lab", "down", "--wipe", "--yes"])
    assert result.exit_code == 0
    assert not lab.exists()


def test_a_folder_that_is_no_labs_is_not_wiped(
    runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    monkeypatch.setenv("FLEET_LAB", str(tmp_path))
    result = runner.invoke(app, ["lab", "down", "--wipe", "--yes"])
    assert result.exit_code == 1
    assert "not a lab's folder" in result.stderr
    assert "Deletes" not in result.stdout
    assert (tmp_path / "thesis.tex").exists()


def test_ctrl_c_ends_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fleet.status.show_status", interrupted)
    monkeypatch.setattr(sys, "argv", ["fleet", "status", "--stack", "dev"])
    with pytest.raises(SystemExit) as ending:
        main()
    assert ending.value.code == 130
    assert capsys.readouterr().err == "interrupted\n"
