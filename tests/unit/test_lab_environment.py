from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from importlib import metadata
from pathlib import Path

import pytest

from lab import environment, pulumi_plugins, vault
from lab.context import CHECKOUT
from lab.errors import LabError
from lab.home import LabHome, write_private
from lab.toolchain import Found, Toolbox, official_plugins
from lab.toolchain.cache import Cache
from lab.toolchain.catalogue import TOOLS
from lab.toolchain.plugin_version import said_version
from lab.toolchain.versions import Version
from lab.topology import TOPOLOGIES, settle

BUILT = "pulumi-resource-kubernetes"


class FakeToolbox(Toolbox):
    """Folders without tools."""

    def __init__(self) -> None:
        super().__init__(
            {
                tool.name: Found(tool, Path("/tools/a/bin"), tool.version, "cache")
                for tool in TOOLS
                if tool.name in ("external-secrets", BUILT)
            }
        )

    def share(self, tool: str) -> Path:
        return Path("/tools") / tool / "share"

    def path_env(self) -> str:
        return "/tools/a/bin:/tools/b/bin"

    def bin(self, name: str) -> Path:
        return Path("/tools/bin") / name


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabHome:
    """A lab that was started once, and no official plugin anywhere."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "the-persons"))
    home = LabHome(tmp_path / "lab").create()
    write_private(home.openbao / "init.json", json.dumps({"root_token": "token-of-the-test"}))
    return home


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def install(folder: Path, name: str) -> None:
    executable(folder / official_plugins.entry(name) / f"pulumi-resource-{name}")


def executable(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.touch(mode=0o755)


def choose(home: LabHome, cache: Cache) -> dict[str, str]:
    chosen = pulumi_plugins.choose(home, FakeToolbox(), cache=cache)
    assert chosen == pulumi_plugins.chosen(home), "the choice is recorded"
    return {plugin.name: plugin.origin for plugin in chosen}


@pytest.mark.parametrize("name", [one for kind in TOPOLOGIES.values() for one in kind.stacks])
def test_the_stack_files_variables_are_all_there(home: LabHome, name: str) -> None:
    found = environment.variables(home, FakeToolbox())
    stack = (CHECKOUT / "examples" / f"Pulumi.{name}.yaml").read_text()
    used = {part.split("}")[0] for part in stack.split("${")[1:]} - {"NAME"}
    assert used
    assert used <= set(found)


@pytest.mark.parametrize(("topology", "stack"), [("single", "lab"), ("split", "hub")])
def test_pulumi_starts_with_the_first_stack(home: LabHome, topology: str, stack: str) -> None:
    settle(home, topology)
    assert environment.variables(home, FakeToolbox())["PULUMI_STACK"] == stack


def test_the_chart_repository_and_the_credential_plugin_are_this_labs(home: LabHome) -> None:
    found = environment.variables(home, FakeToolbox())
    forge = found["FLEET_GITOPS_REPO"].removesuffix("/platform/gitops-config.git")
    assert found["FLEET_CHART_REPO"] == f"{forge}/api/packages/platform/helm"
    assert found["FLEET_EXTERNAL_SECRETS_VERSION"] == "0.19.2"
    assert found["FLEET_EXEC_PLUGIN"].startswith(f"{home.root}/")


def test_vault_and_bao_agree(home: LabHome) -> None:
    found = environment.variables(home, FakeToolbox())
    assert found["VAULT_ADDR"] == vault.address(home)
    assert found["VAULT_TOKEN"] == "token-of-the-test"
    for name in ("ADDR", "TOKEN", "CACERT"):
        assert found[f"VAULT_{name}"] == found[f"BAO_{name}"]


def test_pulumi_keeps_all_it_has_in_the_labs_home(home: LabHome) -> None:
    found = environment.variables(home, FakeToolbox())
    assert found["PULUMI_HOME"].startswith(str(home.root))
    assert found["PULUMI_BACKEND_URL"] == f"file://{home.root}/pulumi-state"


def test_the_interpreter_comes_first_on_path_then_tools_then_the_persons(home: LabHome) -> None:
    folders = environment.variables(home, FakeToolbox())["PATH"].split(os.pathsep)
    assert folders[0] == str(Path(sys.prefix) / "bin")
    assert folders[1:3] == ["/tools/a/bin", "/tools/b/bin"]
    assert folders[-2:] == ["/usr/bin", "/bin"]


def test_loopback_is_added_to_what_needs_no_proxy(
    home: LabHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "intranet,127.0.0.1")
    found = environment.variables(home, FakeToolbox())
    assert found["NO_PROXY"] == found["no_proxy"] == "intranet,127.0.0.1,localhost"


def placed(home: LabHome, name: str) -> Path:
    """The executable that the CLI would start."""
    folder = home.pulumi_home / "plugins" / official_plugins.entry(name)
    return (folder / f"pulumi-resource-{name}").resolve()


def test_without_official_plugins_the_lab_builds_one_and_has_one_of_its_own(
    home: LabHome, cache: Cache
) -> None:
    assert choose(home, cache) == {"kubernetes": "built", "vault": "lab"}
    assert placed(home, "kubernetes") == Path("/tools/a/bin") / BUILT
    assert placed(home, "vault") == official_plugins.STAND_INS / "pulumi-resource-vault"
    found = environment.variables(home, FakeToolbox())
    assert found["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"


def test_official_plugins_take_the_place_of_the_labs_own(home: LabHome, cache: Cache) -> None:
    choose(home, cache)
    downloaded = cache.root / "pulumi-home" / "plugins"
    install(downloaded, "kubernetes")
    assert choose(home, cache) == {"kubernetes": "official", "vault": "lab"}
    assert placed(home, "kubernetes").is_relative_to(downloaded)
    assert placed(home, "vault").parent == official_plugins.STAND_INS
    install(downloaded, "vault")
    assert choose(home, cache) == {"kubernetes": "official", "vault": "official"}
    found = environment.variables(home, FakeToolbox())
    assert "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION" not in found


def test_the_persons_own_plugins_are_used(home: LabHome, cache: Cache, tmp_path: Path) -> None:
    for name in pulumi_plugins.NAMES:
        install(tmp_path / "the-persons" / "plugins", name)
    assert choose(home, cache) == {"kubernetes": "official", "vault": "official"}
    assert placed(home, "vault").is_relative_to(tmp_path / "the-persons")


def test_in_a_labs_shell_its_own_plugins_are_not_taken_for_official(
    home: LabHome, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    toolbox = FakeToolbox()
    folder = cache.root / "tools" / "plugin" / "bin"
    executable(folder / BUILT)
    toolbox.tools[BUILT] = replace(toolbox.tools[BUILT], folder=folder)
    pulumi_plugins.choose(home, toolbox, cache=cache)
    monkeypatch.setenv("PULUMI_HOME", str(home.pulumi_home))
    assert choose(home, cache) == {"kubernetes": "built", "vault": "lab"}


def test_a_plugin_on_path_is_official(
    home: LabHome, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pulumi-resource-vault").touch(mode=0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    assert choose(home, cache) == {"kubernetes": "built", "vault": "official"}
    assert not placed(home, "vault").exists(), "the CLI finds it on PATH"


def test_a_plugin_says_its_true_version(home: LabHome, cache: Cache) -> None:
    """The engine asks for the SDK's, and warns where the plugin's is lower."""
    choose(home, cache)
    found = {name: version for name, version, _ in environment.plugins(home)}
    (tool,) = (tool for tool in TOOLS if tool.name == BUILT)
    assert found["kubernetes"] == tool.version
    built, asked = Version.of(tool.version), Version.of(official_plugins.wanted("kubernetes"))
    assert built[:3] > asked[:3]


def test_a_plugin_on_path_is_asked_for_its_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    said = CHECKOUT / "lab" / "plugins" / "bin" / "pulumi-resource-vault"
    assert said_version(said) == metadata.version("pulumi-vault")
    executable(tmp_path / "bin" / "silent")
    assert said_version(tmp_path / "bin" / "silent") == "of unknown version"
    assert said_version(tmp_path / "absent") == "of unknown version"


def test_a_refused_download_is_asked_for_once_a_day(
    home: LabHome, cache: Cache, tmp_path: Path
) -> None:
    pulumi = tmp_path / "bin" / "pulumi"
    executable(pulumi)
    pulumi.write_text(f'#!/bin/sh\necho "$*" >> {tmp_path}/asked; exit 1\n')
    official_plugins.download(["kubernetes"], pulumi, cache)
    for _ in range(2):
        official_plugins.download(pulumi_plugins.NAMES, pulumi, cache)
    asked = (tmp_path / "asked").read_text().splitlines()
    versions = {name: official_plugins.wanted(name) for name in pulumi_plugins.NAMES}
    assert asked == [
        f"plugin install resource {name} v{version} --non-interactive"
        for name, version in versions.items()
    ]


def test_pulumi_gets_no_folder_for_its_log_of_every_property(home: LabHome, cache: Cache) -> None:
    (home.pulumi_home / "logs").mkdir(parents=True)
    (home.pulumi_home / "logs" / "up.log").touch()
    choose(home, cache)
    assert (home.pulumi_home / "logs").is_file()


def test_the_token_is_missing_before_the_first_start(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="start the lab with 'fleet lab up'"):
        environment.variables(LabHome(tmp_path / "other").create(), FakeToolbox())
