"""The lab's toolchain: which tools will do, what the cache holds, and what the user is told."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from lab import toolchain
from lab.toolchain import ensure, official_plugins
from lab.toolchain.cache import Cache
from lab.toolchain.catalogue import GO, TOOLS
from lab.toolchain.model import Data, GoModule, Tool
from lab.toolchain.progress import Estimate, duration
from lab.toolchain.sources import WRAPPERS, CommandError, Shell, ToolError, without_dependencies
from lab.toolchain.versions import Accept, Version, probe

BY_NAME = {tool.name: tool for tool in TOOLS}


def executable(path: Path, *lines: str) -> Path:
    """A fake command: a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(("#!/bin/sh", *lines)) + "\n")
    path.chmod(0o755)
    return path


def etcd(version: str = "3.6.14") -> str:
    """What etcd prints."""
    return f"echo 'etcd Version: {version}'; echo 'Git SHA: 9e0a0d3'"


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), width=80)


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH besides the system's, for the shell of the fakes."""
    folder = tmp_path / "path"
    folder.mkdir()
    executable(folder / "go", "echo go version go1.27.3 linux/amd64")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "pulumi"))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return folder


@pytest.fixture
def installs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replaces installation by fakes that print the pinned version; lists what was installed."""
    done: list[str] = []

    def fake(tool: Tool, into: Path, shell: Shell, go: Path) -> None:
        done.append(tool.name)
        executable(into / "bin" / tool.command, f"echo {tool.command} v{tool.version}")
        (into / "share").mkdir()

    use_installer(monkeypatch, fake)
    return done


def use_installer(
    monkeypatch: pytest.MonkeyPatch, fake: Callable[[Tool, Path, Shell, Path], None]
) -> None:
    monkeypatch.setattr(toolchain, "install", fake)
    monkeypatch.setattr(toolchain, "prefetch", lambda tool, go: None)


def shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("printed", "version"),
    [
        ("v3.259.0", (3, 259, 0, "")),
        ("etcd Version: 3.6.14\nGit SHA: 9e0a0d3\nGo Version: go1.27.3", (3, 6, 14, "")),
        ("Client Version: v1.32.4-dispatcher\nKustomize Version: v5.5.0", (1, 32, 4, "dispatcher")),
        ("go version go1.27.3 linux/amd64", (1, 27, 3, "")),
        ("go version go1.28rc2 linux/amd64", (1, 28, 0, "rc2")),
        ("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0", (7, 0, 15, "")),
        ("v3.22.0+g1234567", (3, 22, 0, "")),
        ("argocd: v3.6.1+unknown", (3, 6, 1, "")),
        ("4.25.0-alpha.20260115033456+f47bc2d", (4, 25, 0, "alpha.20260115033456")),
        ("OpenBao v2.7.2 (9e0a0d3c), committed 2026-10-26T20:32:27Z", (2, 7, 2, "")),
    ],
)
def test_version_is_found_in_what_a_tool_prints(
    printed: str, version: tuple[int, int, int, str]
) -> None:
    assert Version.find(printed) == version


def test_no_version_is_found_where_there_is_none() -> None:
    assert Version.find("unknown command: version") is None


@pytest.mark.parametrize(
    ("accept", "found", "will_do"),
    [
        (Accept.EXACT, "1.36.3", True),
        (Accept.EXACT, "1.36.4", False),
        (Accept.PATCH, "1.36.4", True),
        (Accept.PATCH, "1.36.2", False),
        (Accept.PATCH, "1.37.3", False),
        (Accept.MAJOR, "1.40.0", True),
        (Accept.MAJOR, "1.36.2", False),
        (Accept.MAJOR, "2.0.0", False),
        (Accept.LATER, "2.0.0", True),
        (Accept.LATER, "1.36.2", False),
        (Accept.PATCH, "1.36.4-dispatcher", False),
        (Accept.LATER, "2.0.0-rc.1", False),
    ],
)
def test_which_versions_will_do(accept: Accept, found: str, will_do: bool) -> None:
    version = Version.find(found)
    assert version is not None
    assert accept.allows(version, Version(1, 36, 3)) is will_do


def test_probe_answers_nothing_for_a_tool_that_fails(tmp_path: Path) -> None:
    assert probe(executable(tmp_path / "etcd", etcd(), "exit 1"), ["--version"]) is None
    assert probe(tmp_path / "absent", ["--version"]) is None


def test_tool_on_path_is_used(
    path: Path, cache: Cache, console: Console, installs: list[str]
) -> None:
    executable(path / "etcd", etcd("3.6.20"))
    toolbox = ensure(["etcd"], console=console, cache=cache)
    assert toolbox.report() == [("etcd", "3.6.20", "PATH")]
    assert toolbox.bin("etcd") == path / "etcd"
    assert toolbox.path_env() == str(path)
    assert installs == []
    assert shown(console) == "", "nothing to make, nothing to say"


def test_kubebuilder_assets_come_before_path(
    path: Path,
    tmp_path: Path,
    cache: Cache,
    console: Console,
    installs: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assets = tmp_path / "assets"
    executable(assets / "etcd", etcd())
    executable(path / "etcd", etcd())
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    toolbox = ensure(["etcd"], console=console, cache=cache)
    assert toolbox.report() == [("etcd", "3.6.14", "KUBEBUILDER_ASSETS")]
    assert toolbox.bin("etcd") == assets / "etcd"


@pytest.mark.parametrize("printed", ["v1.36.3-dispatcher", "v1.32.4-dispatcher", "v1.35.9", "none"])
def test_tool_on_path_of_another_version_is_refused(
    printed: str, path: Path, cache: Cache, console: Console, installs: list[str]
) -> None:
    executable(path / "kubectl", f"echo 'Client Version: {printed}'")
    toolbox = ensure(["kubectl"], console=console, cache=cache)
    assert installs == ["kubectl"]
    assert toolbox.report() == [("kubectl", "1.36.3", "built")]
    assert str(path) not in toolbox.path_env().split(":"), "or the refused one could be run"


def test_tool_with_data_is_never_taken_from_path(
    path: Path, cache: Cache, console: Console, installs: list[str]
) -> None:
    executable(path / "kwok", "echo kwok version v0.8.0")
    toolbox = ensure(["kwok"], console=console, cache=cache)
    assert installs == ["kwok"]
    assert toolbox.share("kwok").is_dir()


def test_the_caches_language_host_stands_beside_the_caches_pulumi(
    path: Path, cache: Cache, console: Console, installs: list[str]
) -> None:
    names = ["pulumi", "pulumi-language-python"]
    for _ in range(2):
        toolbox = ensure(names, console=console, cache=cache)
        beside = toolbox.bin("pulumi").parent / "pulumi-language-python"
        assert beside.resolve() == toolbox.bin("pulumi-language-python").resolve()

    executable(path / "pulumi", "echo v3.260.1")
    beside.unlink()
    ensure(names, console=console, cache=cache)
    assert not beside.exists()
    assert not (path / "pulumi-language-python").exists(), "nothing is put into a person's folder"


def test_language_host_is_taken_only_from_beside_an_accepted_pulumi(
    path: Path, cache: Cache, console: Console, installs: list[str]
) -> None:
    names = ["pulumi", "pulumi-language-python"]
    executable(path / "pulumi", "echo v3.260.1")
    executable(path / "pulumi-language-python")
    ensure(names, console=console, cache=cache)
    assert installs == ["pulumi-language-python"], "its companion is missing on PATH"

    executable(path / "pulumi-language-python-exec")
    toolbox = ensure(names, console=console, cache=cache)
    assert [source for _, _, source in toolbox.report()] == ["PATH", "PATH"]

    executable(path / "pulumi", "echo v3.100.0")
    toolbox = ensure(names, console=console, cache=cache)
    assert [source for _, _, source in toolbox.report()] == ["built", "cache"]


def test_second_run_finds_the_cache(
    path: Path, cache: Cache, console: Console, installs: list[str]
) -> None:
    first = ensure(["etcd", "openbao"], console=console, cache=cache)
    second = ensure(["etcd", "openbao"], console=console, cache=cache)
    assert installs == ["etcd", "openbao"]
    assert [source for _, _, source in first.report()] == ["built", "built"]
    assert second.report() == [("etcd", "3.6.14", "cache"), ("openbao", "2.7.2", "cache")]
    assert second.bin("bao") == cache.root / "tools" / "openbao-2.7.2" / "bin" / "bao"
    assert (cache.root / "tools" / "etcd-3.6.14" / "share").is_dir()


def test_another_version_is_another_entry(
    path: Path,
    cache: Cache,
    console: Console,
    installs: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ensure(["etcd"], console=console, cache=cache)
    newer = Tool(name="etcd", version="3.6.15", source=BY_NAME["etcd"].source, seconds=1, recipe=2)
    monkeypatch.setattr(toolchain, "TOOLS", (newer,))
    toolbox = ensure(None, console=console, cache=cache)
    assert toolbox.bin("etcd").parts[-3] == "etcd-3.6.15-2"
    assert installs == ["etcd", "etcd"]


def test_go_is_fetched_only_to_build(
    path: Path, cache: Cache, console: Console, installs: list[str]
) -> None:
    executable(path / "go", "echo go version go1.26.8 linux/amd64")
    ensure(["openbao"], console=console, cache=cache)
    assert installs == ["openbao"]
    toolbox = ensure(["etcd"], console=console, cache=cache)
    assert installs == ["openbao", "go", "etcd"]
    assert list(toolbox.tools) == ["etcd"], "Go is no tool of the lab's"


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError])
def test_interrupted_build_leaves_nothing(
    interruption: type[BaseException],
    path: Path,
    cache: Cache,
    console: Console,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupted(tool: Tool, into: Path, shell: Shell, go: Path) -> None:
        executable(into / "bin" / tool.command)
        raise interruption

    use_installer(monkeypatch, interrupted)
    with pytest.raises(interruption):
        ensure(["etcd"], console=console, cache=cache)
    assert list((cache.root / "tools").iterdir()) == []


def test_what_a_killed_run_left_is_cleared_away(
    path: Path, cache: Cache, console: Console, installs: list[str]
) -> None:
    executable(cache.root / "tools" / ".new-etcd-3.6.14" / "bin" / "etcd")
    ensure(["etcd"], console=console, cache=cache)
    assert [entry.name for entry in (cache.root / "tools").iterdir()] == ["etcd-3.6.14"]


def test_failing_build_shows_the_end_of_its_log_and_where_the_rest_is(
    path: Path, cache: Cache, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = executable(
        path.parent / "failing", *(f"echo line {n}" for n in range(1, 51)), "exit 2"
    )

    def fails(tool: Tool, into: Path, shell: Shell, go: Path) -> None:
        shell.run(failing)

    use_installer(monkeypatch, fails)
    with pytest.raises(ToolError) as caught:
        ensure(["etcd"], console=console, cache=cache)
    message = str(caught.value)
    assert "etcd 3.6.14 could not be made" in message
    assert "line 50" in message
    assert "line 20" not in message, "the last 30 lines are enough"
    assert str(cache.root / "logs" / "etcd.log") in message
    assert list((cache.root / "tools").iterdir()) == []


def test_tool_that_says_another_version_than_it_was_made_as_is_an_error(
    path: Path, cache: Cache, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    def mislabelled(tool: Tool, into: Path, shell: Shell, go: Path) -> None:
        executable(into / "bin" / tool.command, etcd("3.6.0"))

    use_installer(monkeypatch, mislabelled)
    with pytest.raises(ToolError, match=r"etcd was made as 3\.6\.14, but says it is 3\.6\.0"):
        ensure(["etcd"], console=console, cache=cache)
    assert cache.find(BY_NAME["etcd"]) is None


def test_unknown_tool_is_an_error_that_lists_the_known_ones(cache: Cache, console: Console) -> None:
    with pytest.raises(ToolError, match=r"no tool named etc; there are: pulumi, .*etcd"):
        ensure(["etc"], console=console, cache=cache)


def test_unknown_command_is_an_error(
    path: Path, cache: Cache, console: Console, installs: list[str]
) -> None:
    toolbox = ensure(["etcd"], console=console, cache=cache)
    with pytest.raises(ToolError, match="has a command kubectl"):
        toolbox.bin("kubectl")


def test_piped_progress_is_a_line_per_start_and_end(
    path: Path, cache: Cache, console: Console, installs: list[str]
) -> None:
    ensure(["openbao", "etcd"], console=console, cache=cache)
    lines = shown(console).splitlines()
    expected = BY_NAME["openbao"].seconds + BY_NAME["etcd"].seconds
    assert lines[0] == f"getting openbao 2.7.2 (1 of 2), about {expected} s left"
    assert re.fullmatch(r"ready: openbao 2\.7\.2 in 0 s, about \d\d s left", lines[1])
    assert re.fullmatch(r"building etcd 3\.6\.14 \(2 of 2\), about \d\d s left", lines[2])
    assert lines[3] == "ready: etcd 3.6.14 in 0 s, nothing left to make"


def test_estimate_follows_the_pace() -> None:
    now = 0.0
    etcd, helm, kwok = (BY_NAME[name] for name in ("etcd", "helm", "kwok"))
    estimate = Estimate([etcd, helm, kwok], clock=lambda: now)
    assert estimate.left() == etcd.seconds + helm.seconds + kwok.seconds
    estimate.start(helm)
    now += 2 * helm.seconds + 60
    assert estimate.left() == etcd.seconds + kwok.seconds, "one that is late is about to end"
    assert estimate.finish() == 2 * helm.seconds + 60
    slower = (2 * helm.seconds + 120) / (helm.seconds + 60)
    assert estimate.left() == pytest.approx((etcd.seconds + kwok.seconds) * slower)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "0 s"), (99, "99 s"), (125, "2 min 05 s"), (1330, "22 min")]
)
def test_duration_as_people_say_it(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("FLEET_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert Cache.default().root == tmp_path / ".cache" / "fleet"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert Cache.default().root == tmp_path / "xdg" / "fleet"
    monkeypatch.setenv("FLEET_CACHE", str(tmp_path / "own"))
    assert Cache.default().root == tmp_path / "own"


def test_main_prints_an_error_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLEET_CACHE", str(tmp_path))
    assert toolchain.main(["etc"]) == 1
    assert capsys.readouterr().err.startswith("error: no tool named etc")


def test_main_stops_quietly_on_ctrl_c(
    path: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(tool: Tool, into: Path, shell: Shell, go: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setenv("FLEET_CACHE", str(cache.root))
    use_installer(monkeypatch, interrupted)
    assert toolchain.main(["etcd"]) == 130
    assert "what was ready is kept" in capsys.readouterr().err


def test_shell_that_finds_no_command_says_so(tmp_path: Path) -> None:
    shell = Shell(tmp_path / "logs" / "x.log")
    with pytest.raises(CommandError):
        shell.run("no-such-command-anywhere")
    assert "No such file" in shell.tail()


def test_chart_loses_its_dependencies_and_nothing_else() -> None:
    chart = "name: x\ndependencies:\n  - name: y\n    version: v1\n- name: z\nmaintainers:\n- a\n"
    assert without_dependencies(chart) == "name: x\nmaintainers:\n- a\n"
    assert without_dependencies("name: x\ndependencies:\n  - name: y") == "name: x\n"


# The catalogue and the wrapper modules


BUILT = [
    pytest.param(tool, tool.source, id=tool.name)
    for tool in TOOLS
    if isinstance(tool.source, GoModule)
]


@pytest.mark.parametrize(("tool", "source"), BUILT)
def test_wrapper_pins_what_the_catalogue_says(tool: Tool, source: GoModule) -> None:
    wrapper = WRAPPERS / source.wrapper
    text = (wrapper / "go.mod").read_text()
    required = re.findall(rf"(?m)^\s*(?:require )?{re.escape(source.module)} (v\S+)", text)
    pinned = f"v{source.pin or tool.version}"
    assert required == [pinned]
    if source.package == ".":
        assert (wrapper / "main.go").is_file()
    else:
        assert re.search(rf"(?m)^(?:tool |\t){re.escape(source.package)}$", text)
    assert f"{source.module} {pinned} h1:" in (wrapper / "go.sum").read_text()


@pytest.mark.parametrize(("tool", "source"), BUILT)
def test_stamped_versions_are_the_pinned_one(tool: Tool, source: GoModule) -> None:
    stamped = [value for variable, value in source.stamp if variable.lower().endswith("version")]
    assert {value.lstrip("v") for value in stamped} <= {tool.version}


@pytest.mark.parametrize(("tool", "source"), BUILT)
def test_a_commit_that_is_pinned_is_the_one_that_the_version_names(
    tool: Tool, source: GoModule
) -> None:
    if source.pin:
        _, time, commit = source.pin.split("-")
        assert re.fullmatch(rf"\d+\.\d+\.\d+-alpha\.{time}\+{commit[:7]}", tool.version)


def test_pulumi_plugins_are_not_on_the_labs_path(
    path: Path, cache: Cache, console: Console, installs: list[str]
) -> None:
    toolbox = ensure(["etcd", "pulumi-resource-kubernetes"], console=console, cache=cache)
    assert toolbox.path_env() == str(toolbox.bin("etcd").parent)
    assert toolbox.bin("pulumi-resource-kubernetes").is_file()


@pytest.mark.parametrize("reachable", [True, False])
def test_a_plugin_is_built_only_where_no_official_one_can_be_had(
    reachable: bool, path: Path, cache: Cache, console: Console, installs: list[str]
) -> None:
    name = "pulumi-resource-kubernetes"
    folder = cache.root / "pulumi-home" / "plugins" / official_plugins.entry("kubernetes")
    download = f"mkdir -p {folder}; touch {folder}/{name}; chmod +x {folder}/{name}"
    asked = '[ "$1" = plugin ] || { echo v3.260.1; exit; }'
    executable(path / "pulumi", f"PATH=/usr/bin:/bin; {asked}", download if reachable else "exit 1")
    toolbox = ensure(["pulumi", name], console=console, cache=cache)
    assert installs == ([] if reachable else [name])
    (found,) = (row for row in toolbox.report() if row[0] == name)
    assert found[2] == ("Pulumi" if reachable else "built")
    again = ensure(["pulumi", name], console=console, cache=cache)
    assert again.bin(name) == toolbox.bin(name)
    assert toolbox.path_env() == str(path)


@pytest.mark.parametrize("data", [data for tool in TOOLS for data in tool.data])
def test_data_goes_where_the_toolbox_looks(data: Data) -> None:
    assert data.to.split("/")[0] in ("bin", "share")
    assert data.wrapper is None or (WRAPPERS / data.wrapper / "go.mod").is_file()


def test_kubernetes_staging_modules_are_its_own_release() -> None:
    text = (WRAPPERS / "kubernetes" / "go.mod").read_text()
    replaced = re.findall(r"(?m)^\t(k8s\.io/\S+) => (k8s\.io/\S+) (v\S+)$", text)
    assert len(replaced) == 33
    release = "v0." + BY_NAME["kube-apiserver"].version.split(".", 1)[1]
    assert {(new == old, version) for old, new, version in replaced} == {(True, release)}


def test_no_wrapper_replaces_a_module_by_a_folder() -> None:
    for module in WRAPPERS.glob("*/go.mod"):
        assert not re.search(r"=> [./]", module.read_text()), module


def test_every_wrapper_belongs_to_a_tool_and_needs_no_later_go() -> None:
    folders = {path.parent.name for path in WRAPPERS.glob("*/go.mod")}
    assert folders == {t.source.wrapper for t in TOOLS if isinstance(t.source, GoModule)}
    for folder in folders:
        text = (WRAPPERS / folder / "go.mod").read_text()
        (needed,) = re.findall(r"(?m)^go (\S+)$", text)
        assert tuple(map(int, needed.split("."))) <= tuple(map(int, GO.version.split(".")))


def test_names_and_commands_are_unique() -> None:
    assert len({tool.name for tool in TOOLS}) == len(TOOLS)
    assert len({tool.command for tool in TOOLS}) == len(TOOLS)
