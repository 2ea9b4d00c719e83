"""A stack file of one's own, made as docs/your-own-clusters.md has it, by the real Pulumi and a backend in a folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from rich.console import Console

from lab.context import CHECKOUT
from lab.toolchain import ensure
from stacks.loading.document import read
from stacks.loading.load import own_keys, project_defaults

PAGE = CHECKOUT / "docs" / "your-own-clusters.md"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    toolbox = ensure(["pulumi", "pulumi-language-python"], console=Console(stderr=True))
    (tmp_path / "state").mkdir()
    (tmp_path / "project" / "stacks").mkdir(parents=True)
    (tmp_path / "project" / "examples").mkdir()
    shutil.copy(CHECKOUT / "Pulumi.yaml", tmp_path / "project")
    for one in (CHECKOUT / "examples").iterdir():
        shutil.copy(one, tmp_path / "project" / "examples")
    return {
        **os.environ,
        "PATH": f"{toolbox.path_env()}:{os.environ['PATH']}",
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "one's own",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


def _run(command: str, folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-ec", command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_no_file_of_a_release_has_a_salt() -> None:
    files = subprocess.run(
        ["git", "ls-files", "*.yaml", "*.yml"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert "examples/Pulumi.production.yaml" in files
    salted = [
        one
        for one in files
        if re.search("^encryption(salt|ed)", (CHECKOUT / one).read_text(), re.M)
    ]
    assert salted == []
    assert not [one for one in files if re.match(r"stacks/Pulumi\..*\.yaml", one)]


def test_a_stack_of_ones_own(tmp_path: Path, environment: dict[str, str]) -> None:
    folder = tmp_path / "project"
    (commands,) = re.findall(
        r"((?:^    [^\n]*\n)*^    pulumi stack init production\n(?:^    [^\n]*\n)*)",
        PAGE.read_text(),
        re.M,
    )
    _run(commands, folder, environment)
    text = (folder / "stacks" / "Pulumi.production.yaml").read_text()
    example = (folder / "examples" / "Pulumi.production.yaml").read_text()
    assert text.endswith(example), "comments and all"
    assert yaml.safe_load(text)["encryptionsalt"].startswith("v1:")
    config = json.loads(_run("pulumi config --json --stack production", folder, environment))
    given = {**project_defaults(folder / "Pulumi.yaml"), **own_keys(read(text)["config"])}
    assert {key.removeprefix("fleet:") for key in config if key.startswith("fleet:")} == {
        key for key, value in given.items() if value is not None
    }


PLAIN = """
    0o17 4816e7 1_000 yes No on 0x1F 017 08 1.0 ~ .5 1:30 0b11 1e3 2024-02-31 1. -0 0.10 True null +1 1__0 09.5 0o8
    0x 00 -0x1f 0.19.2 1e-3 v1 FALSE y
"""
SCALARS = [*PLAIN.split(), "'01'", '"1e3"']


def test_a_stack_file_is_read_as_pulumi_reads_it(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    folder = tmp_path / "project"
    _run("pulumi stack init t", folder, environment)
    file = folder / "stacks" / "Pulumi.t.yaml"
    mine = "config:\n  fleet:hub:\n" + "".join(
        f"    k{place}: {one}\n" for place, one in enumerate(SCALARS)
    )
    mine += "    merged: {<<: {a: 1, b: 2}, b: 3}\n    of: &it [1e3, x]\n    again: *it\n  vault: {a: 0o17}\n"
    file.write_text(file.read_text() + mine)
    config = json.loads(_run("pulumi config --json --stack t", folder, environment))
    ours = own_keys(read(mine)["config"])
    assert ours["hub"] == config["fleet:hub"]["objectValue"]
    assert ours["vault"] == config["fleet:vault"]["objectValue"], (
        "a key without a prefix is the project's"
    )
