from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from lab import deployment, project
from lab.context import CHECKOUT
from lab.errors import LabError
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
        monkeypatch.setattr(deployment, "ensure_stack", lambda *_, **__: True)
        home.project.mkdir(exist_ok=True)
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


SALT = "v1:of:this-lab"


class SaltingPulumi(FakePulumi):
    """A `pulumi` that puts a salt into the stack file, as the real one does, and leaves a mark."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, {})
        (folder / "pulumi").write_text(
            f'#!/bin/sh\ntouch {folder}/made\necho "encryptionsalt: {SALT}" > stacks/Pulumi.$3.yaml\n'
        )


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The mark of a stack that was made."""
    monkeypatch.setattr(deployment, "variables", lambda *_: {"PATH": os.environ["PATH"]})
    return tmp_path / "made"


def ensure(tmp_path: Path, home: LabHome) -> bool:
    return deployment.ensure_stack(home, SaltingPulumi(tmp_path), stack="dev")


def test_a_stack_file_of_the_labs_own_is_the_example_with_a_salt(
    tmp_path: Path, made: Path
) -> None:
    home = LabHome(tmp_path / "lab").create()
    assert ensure(tmp_path, home)
    text = project.stack_file(home, "dev").read_text()
    assert text == f"{project.example('dev')}encryptionsalt: {SALT}\n"
    assert (home.project / "__main__.py").samefile(CHECKOUT / "__main__.py")
    assert (home.project / "stacks" / "model").samefile(CHECKOUT / "stacks" / "model")


def test_what_a_person_changed_stays_and_the_rest_follows_the_example(
    tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = LabHome(tmp_path / "lab").create()
    ensure(tmp_path, home)
    (home.pulumi_state / ".pulumi" / "stacks" / "fleet").mkdir(parents=True)
    (home.pulumi_state / ".pulumi" / "stacks" / "fleet" / "dev.json").touch()
    made.unlink()
    file = project.stack_file(home, "dev")
    newer = project.example("dev") + "# of a newer release\n"
    monkeypatch.setattr(project, "example", lambda _: newer.replace("dev", "test"))
    assert ensure(tmp_path, home)
    assert "# of a newer release" in file.read_text()
    assert f"encryptionsalt: {SALT}" in file.read_text()
    file.write_text(file.read_text().replace("test", "mine"))
    monkeypatch.setattr(project, "example", lambda _: newer)
    assert not ensure(tmp_path, home), "and it is said"
    assert "mine" in file.read_text()
    assert not made.exists()


def test_a_teams_own_stack_file_in_the_checkout_is_none_of_the_labs(
    tmp_path: Path, made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = tmp_path / "checkout"
    (checkout / "stacks" / "model").mkdir(parents=True)
    own = checkout / "stacks" / "Pulumi.dev.yaml"
    own.write_text("config: {fleet:hub: {context: the-real-one}}\n")
    monkeypatch.setattr(project, "CHECKOUT", checkout)
    home = LabHome(tmp_path / "lab").create()
    ensure(tmp_path, home)
    project.ensure(home)
    assert own.read_text() == "config: {fleet:hub: {context: the-real-one}}\n"
    assert SALT in project.stack_file(home, "dev").read_text()


def test_a_stack_from_before_the_lab_had_stack_files_of_its_own(tmp_path: Path, made: Path) -> None:
    home = LabHome(tmp_path / "lab").create()
    folder = home.pulumi_state / ".pulumi" / "stacks" / "fleet"
    folder.mkdir(parents=True)
    (folder / "dev.json").touch()
    with pytest.raises(LabError, match=r"of an older release.*fleet lab down --wipe"):
        ensure(tmp_path, home)


@pytest.mark.parametrize(
    ("kept", "anew"), [("json", False), ("json.gz", False), ("json.bak", True), (None, True)]
)
def test_a_stack_that_is_there_is_not_made_again(
    tmp_path: Path, made: Path, kept: str | None, anew: bool
) -> None:
    home = LabHome(tmp_path / "lab").create()
    ensure(tmp_path, home)
    made.unlink()
    folder = home.pulumi_state / ".pulumi" / "stacks" / "fleet"
    folder.mkdir(parents=True)
    (folder / "dev-2.json").touch()
    if kept:
        (folder / f"dev.{kept}").touch()
    ensure(tmp_path, home)
    assert made.exists() is anew


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
