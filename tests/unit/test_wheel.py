"""The wheel, which an install without a checkout has: all of Fleet, and nothing of the lab."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
PACKAGES = ("stacks", "live", "components", "fleet", "forges", "gitops")
INSTALLED = """
import sys
sys.path = [{wheel!r}, *(one for one in sys.path if one != {checkout!r})]
sys.argv = ["fleet", *{arguments!r}]
from fleet.cli import main
main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy, as setuptools leaves files beside what it builds."""
    folder = tmp_path_factory.mktemp("wheel")
    rest = ("__pycache__", ".*", "*.egg-info", "build", "tests", "docs")
    shutil.copytree(REPO, folder / "checkout", ignore=shutil.ignore_patterns(*rest))
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", *options, str(folder / "checkout")],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("fleet-*.whl")
    return built


def _fleet(wheel: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`fleet` as the wheel has it, beside the libraries that are here; a lab, if it came along, never started."""
    code = INSTALLED.format(wheel=str(wheel), checkout=str(REPO), arguments=arguments)
    environment = {**os.environ, "FLEET_LAB": str(wheel.parent / "lab")}
    command = [sys.executable, "-I", "-c", code]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_it_holds_every_module_and_nothing_of_the_lab(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == {
        str(path.relative_to(REPO))
        for one in PACKAGES
        for path in (*(REPO / one).rglob("*.py"), *(REPO / one).glob("*/files/**/*"))
        if path.is_file()
    }


def test_the_command_line_works_without_a_checkout(wheel: Path) -> None:
    assert "fleet " in _fleet(wheel, "--version").stdout
    assert "add-cluster" in _fleet(wheel, "lab", "--help").stdout


# Of its commands only such as start and stop nothing: were the lab in the wheel after all, they would find none.
@pytest.mark.parametrize("command", ["status", "env", "logs"])
def test_the_lab_without_a_checkout_is_one_clear_line(wheel: Path, command: str) -> None:
    result = _fleet(wheel, "lab", command)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == (
        "error: the lab comes with a checkout of Fleet, not with the package; there: make lab\n"
    )
