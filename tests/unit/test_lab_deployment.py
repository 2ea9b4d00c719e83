from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from lab import deployment
from lab.home import LabHome
from lab.report import Reporter
from lab.toolchain import Toolbox

GOOD = """Updating (staging):

 +  pulumi:pulumi:Stack fleet-staging created (2s)
Outputs:
    spokes: 1

Resources:
    + 58 created
    ~ 1 updated
    2 unchanged

Duration: 1m2s
"""
BAD = """Updating (dev):

Diagnostics:
  fleet:index:SpokeCluster (dev):
    error: no cluster answers

Resources:
    + 3 created

Duration: 4s
"""


class FakePulumi(Toolbox):
    """A `pulumi` that prints a text for each stack and ends with a code."""

    def __init__(self, folder: Path, runs: dict[str, tuple[str, int]]) -> None:
        super().__init__()
        object.__setattr__(self, "folder", folder)
        cases = []
        for stack, (text, code) in runs.items():
            (folder / f"{stack}.txt").write_text(text)
            cases.append(f'*"--stack {stack} "*) cat {folder}/{stack}.txt; exit {code};;')
        program = folder / "pulumi"
        program.write_text(f'#!/bin/sh\ncase "$* " in {" ".join(cases)} esac\n')
        program.chmod(0o755)

    def bin(self, name: str) -> Path:
        folder: Path = self.folder  # type: ignore[attr-defined]
        return folder / name


Deploy = Callable[[dict[str, tuple[str, int]]], tuple[list[str], str]]


@pytest.fixture
def deploy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Runs `up` with such a `pulumi`; the problems, and what the person was shown."""

    def run(runs: dict[str, tuple[str, int]]) -> tuple[list[str], str]:
        home = LabHome(tmp_path / "lab").create()
        toolbox = FakePulumi(tmp_path, runs)
        monkeypatch.setattr(deployment, "variables", lambda *_: {"PATH": os.environ["PATH"]})
        monkeypatch.setattr(deployment, "ensure_stack", lambda *_, **__: None)
        console = Console(file=io.StringIO(), width=200)
        problems = deployment.up(home, toolbox, list(runs), Reporter(console))
        assert isinstance(console.file, io.StringIO)
        return problems, console.file.getvalue()

    return run


def test_of_several_stacks_each_is_told_in_a_line(deploy: Deploy) -> None:
    problems, shown = deploy({"staging": (GOOD, 0), "production": (GOOD, 0)})
    assert problems == []
    assert "staging: 58 created, 1 updated, 2 unchanged" in shown
    assert "production: 58 created" in shown
    assert "Updating" not in shown, "their outputs would run into each other"


def test_of_several_stacks_the_one_that_failed_says_why(deploy: Deploy, tmp_path: Path) -> None:
    problems, shown = deploy({"dev": (BAD, 255), "staging": (GOOD, 0)})
    log = tmp_path / "lab" / "logs" / "pulumi-dev.log"
    assert problems == [
        f"'pulumi up' of the stack dev failed with exit code 255; all it printed: {log}"
    ]
    assert log.read_text() == BAD
    assert "error: no cluster answers" in shown
    assert "✗ pulumi up dev" in shown
    assert "✓ pulumi up staging" in shown


def test_a_single_stack_prints_by_itself(deploy: Deploy, capfd: pytest.CaptureFixture[str]) -> None:
    problems, _ = deploy({"lab": (BAD, 1)})
    assert "error: no cluster answers" in capfd.readouterr().out
    assert problems == [
        "'pulumi up' of the stack lab failed with exit code 1; its output above says why"
    ]


def test_without_diagnostics_the_end_of_the_output_is_shown() -> None:
    lines = [f"line {number}" for number in range(200)]
    assert deployment.diagnostics("\n".join(lines)).splitlines()[-1] == "line 199"
    assert len(deployment.diagnostics("\n".join(lines)).splitlines()) < 50
    assert deployment.summary("error: the stack is locked") == ""


def test_making_a_stack_leaves_its_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "variables", lambda *_: {"PATH": os.environ["PATH"]})
    file = tmp_path / "stacks" / "Pulumi.dev.yaml"
    file.parent.mkdir()
    file.write_text("# comments\nconfig: {}\n")
    toolbox = FakePulumi(tmp_path, {})
    (tmp_path / "pulumi").write_text(f'#!/bin/sh\necho "config: {{}}" > {file}\n')
    deployment.ensure_stack(
        LabHome(tmp_path / "lab").create(), toolbox, stack="dev", program=tmp_path
    )
    assert file.read_text().startswith("# comments")


@pytest.mark.parametrize(
    ("kept", "made"), [("json", False), ("json.gz", False), ("json.bak", True), (None, True)]
)
def test_a_stack_that_is_there_is_not_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kept: str | None, made: bool
) -> None:
    monkeypatch.setattr(deployment, "variables", lambda *_: {"PATH": os.environ["PATH"]})
    home = LabHome(tmp_path / "lab").create()
    folder = home.pulumi_state / ".pulumi" / "stacks" / "fleet"
    folder.mkdir(parents=True)
    (folder / "dev-2.json").touch()
    if kept:
        (folder / f"dev.{kept}").touch()
    toolbox = FakePulumi(tmp_path, {})
    (tmp_path / "pulumi").write_text(f"#!/bin/sh\ntouch {tmp_path}/made\n")
    deployment.ensure_stack(home, toolbox, stack="dev", program=tmp_path)
    assert (tmp_path / "made").exists() is made


def test_each_run_of_pulumi_has_a_tmpdir_that_goes_with_it(
    deploy: Deploy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = FakePulumi.__init__

    def init(self: FakePulumi, folder: Path, runs: dict[str, tuple[str, int]]) -> None:
        before(self, folder, runs)
        (folder / "pulumi").write_text(
            f'#!/bin/sh\necho token > "$TMPDIR/kubeconfig"; echo "$TMPDIR" >> {folder}/seen; exit 1\n'
        )

    monkeypatch.setattr(FakePulumi, "__init__", init)
    deploy({"staging": (BAD, 1), "production": (BAD, 1)})
    seen = (tmp_path / "seen").read_text().split()
    assert len(set(seen)) == 2
    assert not any(Path(folder).exists() for folder in seen)
    assert all(Path(folder).parent == tmp_path / "lab" / "tmp" for folder in seen)
