"""Every stack file under stack_files/: the valid ones load, the invalid ones say what their first line expects."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

import stacks
from stacks import model

FILES = Path(__file__).parent / "stack_files"
REPO = Path(__file__).parents[2]


def _project(tmp_path: Path, stack_file: Path) -> Path:
    (tmp_path / "stacks").mkdir()
    shutil.copy(stack_file, tmp_path / "stacks" / f"Pulumi.{stack_file.stem}.yaml")
    return tmp_path


@pytest.mark.parametrize("path", sorted((FILES / "valid").iterdir()), ids=lambda path: path.stem)
def test_valid(path: Path, tmp_path: Path, kubeconfig: stacks.Kubeconfig) -> None:
    fleet = stacks.load_file(path.stem, _project(tmp_path, path), kubeconfig)
    assert all(spoke.context and spoke.server and spoke.issuer for spoke in fleet.spokes)


@pytest.mark.parametrize("path", sorted((FILES / "invalid").iterdir()), ids=lambda path: path.stem)
def test_invalid(path: Path, tmp_path: Path, kubeconfig: stacks.Kubeconfig) -> None:
    expected = path.read_text().splitlines()[0].removeprefix("# expect: ")
    with pytest.raises(stacks.StackError) as caught:
        stacks.load_file(path.stem, _project(tmp_path, path), kubeconfig)
    lines = str(caught.value).splitlines()
    assert all(line.startswith(f"stacks/Pulumi.{path.stem}.yaml:") for line in lines), (
        "names the file"
    )
    assert any(expected in line for line in lines), f"expected {expected!r} among {lines}"
    assert "canary" not in str(caught.value), "an error quotes no value of an unknown key"


def test_lines_are_those_of_the_file(tmp_path: Path, kubeconfig: stacks.Kubeconfig) -> None:
    path = FILES / "invalid" / "unknown-environment.yaml"
    with pytest.raises(stacks.StackError) as caught:
        stacks.load_file(path.stem, _project(tmp_path, path), kubeconfig)
    (problem,) = caught.value.problems
    assert "stagin" in path.read_text().splitlines()[problem.line - 1]


def test_defaults_come_from_the_context(tmp_path: Path, kubeconfig: stacks.Kubeconfig) -> None:
    path = FILES / "valid" / "minimal.yaml"
    prod, staging = stacks.load_file("minimal", _project(tmp_path, path), kubeconfig).spokes
    assert (prod.context, prod.server, prod.issuer) == (
        "prod-us-east-1",
        "https://127.0.0.1:7002",
        "https://127.0.0.1:7002",
    )
    assert staging.server == "https://127.0.0.1:7003"


def test_given_values_win_and_lose_their_trailing_slash(
    tmp_path: Path, kubeconfig: stacks.Kubeconfig
) -> None:
    path = FILES / "valid" / "everything.yaml"
    fleet = stacks.load_file("everything", _project(tmp_path, path), kubeconfig)
    (spoke,) = fleet.spokes
    assert spoke.server == "https://prod.example.com:6443"
    assert spoke.issuer == "https://oidc.example.com/id/1/", "an issuer is matched to the letter"
    assert fleet.vault.address == "https://vault.example.com:8200"
    assert fleet.contexts == ["hub", "staging"]


def test_pulumi_hands_over_the_same_fleet(
    tmp_path: Path, kubeconfig: stacks.Kubeconfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = _project(tmp_path, FILES / "valid" / "everything.yaml")
    monkeypatch.chdir(project)
    config = yaml.safe_load((FILES / "valid" / "everything.yaml").read_text())["config"]
    as_pulumi = {key: json.dumps(value) for key, value in config.items()}
    assert stacks.load(as_pulumi, "everything", kubeconfig) == stacks.load_file(
        "everything", kubeconfig=kubeconfig
    )


def test_a_missing_stack_file_names_those_there(tmp_path: Path) -> None:
    with pytest.raises(
        stacks.StackError,
        match=r"stacks/Pulumi\.prod\.yaml: no such stack file; stacks here: minimal",
    ):
        stacks.load_file("prod", _project(tmp_path, FILES / "valid" / "minimal.yaml"))


def test_references_are_filled_from_the_environment(
    tmp_path: Path, kubeconfig: stacks.Kubeconfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_TEST_UNSET", "https://git.example.com/x.git")
    path = FILES / "invalid" / "unset-variable.yaml"
    fleet = stacks.load_file("unset-variable", _project(tmp_path, path), kubeconfig)
    assert fleet.gitops.repo == "https://git.example.com/x.git"


def test_every_field_of_the_model_is_described() -> None:
    sections = [
        value
        for value in vars(model).values()
        if isinstance(value, type)
        and issubclass(value, BaseModel)
        and value.__module__ == model.__name__
    ]
    assert len(sections) > 7
    undescribed = [
        f"{section.__name__}.{name}"
        for section in sections
        for name, field in section.model_fields.items()
        if not field.description
    ]
    assert not undescribed


def test_pulumi_yaml_types_and_describes_every_section() -> None:
    config = yaml.safe_load((REPO / "Pulumi.yaml").read_text())["config"]
    assert {
        f"fleet:{field.alias or name}" for name, field in stacks.Fleet.model_fields.items()
    } == set(config)
    assert all(entry["type"] and entry["description"] for entry in config.values())
