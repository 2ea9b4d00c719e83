"""The lab's tools, at hand: taken from PATH, from the cache, or made now.

A tool found on PATH (or, for Kubernetes and etcd, in ``KUBEBUILDER_ASSETS``) is asked for its
version and used where the catalogue's :class:`~lab.toolchain.versions.Accept` allows it. Otherwise it
comes from the cache, whose entries are keyed by version and appear whole or not at all.
``python -m lab.toolchain`` makes everything and prints where each tool came from.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console
from rich.table import Table

from lab.toolchain import official_plugins
from lab.toolchain.cache import Cache
from lab.toolchain.catalogue import GO, TOOLS
from lab.toolchain.model import GoModule, Tool
from lab.toolchain.plugin_version import said_version
from lab.toolchain.progress import BuildProgress
from lab.toolchain.sources import CommandError, Shell, ToolError, install, prefetch
from lab.toolchain.versions import Version, probe

__all__ = ["Cache", "ToolError", "Toolbox", "ensure"]


@dataclass(frozen=True)
class Found:
    """A tool that is at hand."""

    tool: Tool
    folder: Path
    """Where its commands are."""
    version: str
    source: str
    """``PATH``, ``KUBEBUILDER_ASSETS``, ``Pulumi``, ``cache`` or ``built``."""

    @property
    def outside(self) -> bool:
        """Whether it is the user's own and not ours."""
        return self.source in ("PATH", "KUBEBUILDER_ASSETS")


@dataclass(frozen=True)
class Toolbox:
    """Every tool that was asked for, ready to run."""

    tools: dict[str, Found] = field(default_factory=dict)

    def bin(self, name: str) -> Path:
        """The path of a command, such as ``kubectl``, ``bao`` or ``git-verify-wrapper.sh``."""
        known = {found.tool.command: found.folder for found in self.tools.values()}
        folders = [known[name]] if name in known else [f.folder for f in self.tools.values()]
        for folder in folders:
            if (folder / name).exists():
                return folder / name
        raise ToolError(f"no tool that was asked for has a command {name}")

    def share(self, tool: str) -> Path:
        """The folder with a tool's data: ``crds.yaml``, ``chart``, ``stages`` and the like."""
        return self.tools[tool].folder.parent / "share"

    def path_env(self) -> str:
        """A PATH with these tools and nothing else; ours come before the folders of others."""
        tools = [found for found in self.tools.values() if not found.tool.plugin]
        ours = [found.folder for found in tools if not found.outside]
        outside = {found.folder for found in tools if found.outside}
        ordered = [folder for folder, _ in _search_path() if folder in outside]
        return os.pathsep.join(dict.fromkeys(str(folder) for folder in (*ours, *ordered)))

    def report(self) -> list[tuple[str, str, str]]:
        """Each tool with its version and where it came from."""
        return [(name, found.version, found.source) for name, found in self.tools.items()]


def ensure(
    names: Sequence[str] | None = None, *, console: Console, cache: Cache | None = None
) -> Toolbox:
    """Bring these tools to hand, or all of them; raises :class:`ToolError` where one can't be."""
    cache = cache or Cache.default()
    wanted = _select(names)
    found = {tool.name: at_hand(tool, cache) for tool in wanted}
    if not all(found.values()):
        with cache.locked(console):
            _make([tool for tool in wanted if found[tool.name] is None], cache, console, found)
    toolbox = Toolbox({name: spot for name, spot in found.items() if spot is not None})
    _set_beside(toolbox)
    return toolbox


def at_hand(tool: Tool, cache: Cache) -> Found | None:
    """A tool that needs no making: the user's own, else the cache's."""
    if outside := _official_plugin(tool, cache) if tool.plugin else _outside(tool):
        return outside
    entry = cache.find(tool)
    return Found(tool, entry / "bin", _made_version(tool, entry), "cache") if entry else None


def _set_beside(toolbox: Toolbox) -> None:
    """Link a tool into the folder of the one that it belongs beside, where both are the cache's.

    At each run, the Pulumi CLI warns of a language plugin that is anywhere else.
    """
    for spot in toolbox.tools.values():
        base = toolbox.tools.get(spot.tool.beside or "")
        if base is None or base.outside or spot.outside:
            continue
        link = base.folder / spot.tool.command
        target = Path(os.path.relpath(spot.folder / spot.tool.command, base.folder))
        if not link.is_symlink() or link.readlink() != target:
            new = link.with_name(f".{link.name}.{os.getpid()}")
            new.symlink_to(target)
            new.replace(link)


def _select(names: Sequence[str] | None) -> list[Tool]:
    known = {tool.name: tool for tool in TOOLS}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise ToolError(f"no tool named {', '.join(unknown)}; there are: {', '.join(known)}")
    return list(TOOLS) if names is None else [known[name] for name in dict.fromkeys(names)]


def _search_path() -> list[tuple[Path, str]]:
    """Where to look for the user's own tools, and what to call that place."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    places = [(Path(assets), "KUBEBUILDER_ASSETS")] if assets else []
    path = os.environ.get("PATH", "").split(os.pathsep)
    return places + [(Path(folder), "PATH") for folder in path if folder]


def _outside(tool: Tool) -> Found | None:
    """The user's own tool, where its version will do and it lacks nothing that we need of it."""
    if tool.beside:
        (base,) = (other for other in TOOLS if other.name == tool.beside)
        spot = _outside(base)
        commands = (tool.command, *tool.companions)
        if spot and all((spot.folder / command).exists() for command in commands):
            return Found(tool, spot.folder, spot.version, spot.source)
        return None
    if tool.data or not tool.version_args:
        return None
    seen = set()
    for folder, source in _search_path():
        executable = folder / tool.command
        # the first of each: a later one on PATH would be shadowed when the tools run
        if source in seen or not os.access(executable, os.X_OK) or executable.is_dir():
            continue
        seen.add(source)
        version = probe(executable, tool.version_args)
        if version and tool.accept.allows(version, Version.of(tool.version)):
            return Found(tool, folder, str(version), source)
    return None


def _official_plugin(tool: Tool, cache: Cache) -> Found | None:
    """A release of Pulumi's, on PATH or installed."""
    if executable := official_plugins.on_path(tool.plugin):
        return Found(tool, executable.parent, said_version(executable), "PATH")
    if folder := official_plugins.installed(tool.plugin, cache):
        return Found(tool, folder, official_plugins.wanted(tool.plugin), "Pulumi")
    return None


def _downloaded_plugin(tool: Tool, cache: Cache, found: Mapping[str, Found | None]) -> Found | None:
    """A release of Pulumi's, where its servers can be reached: a download is quicker than a build."""
    pulumi = found.get("pulumi")
    if not tool.plugin or not pulumi:
        return None
    official_plugins.download([tool.plugin], pulumi.folder / "pulumi", cache)
    return _official_plugin(tool, cache)


def _made_version(tool: Tool, entry: Path) -> str:
    """What an entry says of its version: the Debian package's is not known beforehand."""
    note = entry / "version"
    return note.read_text().strip() if note.exists() else tool.version


def _make(
    missing: Sequence[Tool], cache: Cache, console: Console, found: dict[str, Found | None]
) -> None:
    """Make what is missing, one tool after the other; the lock is held."""
    todo = []
    for tool in missing:  # the run that we waited for may have made some
        found[tool.name] = at_hand(tool, cache)
        if found[tool.name] is None:
            todo.append(tool)
    go = at_hand(GO, cache) if any(isinstance(tool.source, GoModule) for tool in todo) else None
    if go is None and any(isinstance(tool.source, GoModule) for tool in todo):
        todo.insert(0, GO)
    progress = BuildProgress(console, todo)
    for index, tool in enumerate(todo):
        following = todo[index + 1] if index + 1 < len(todo) else None
        ahead = prefetch(following, go.folder / "go") if go and following else None
        try:
            with progress.step(
                tool, "building" if isinstance(tool.source, GoModule) else "getting"
            ):
                spot = _downloaded_plugin(tool, cache, found) or _make_one(tool, cache, go)
        finally:
            if ahead and ahead.poll() is None:
                ahead.terminate()
                ahead.wait()
        if tool is GO:
            go = spot
        else:
            found[tool.name] = spot


def _make_one(tool: Tool, cache: Cache, go: Found | None) -> Found:
    shell = Shell(cache.log(tool))
    with cache.making(tool) as new:
        try:
            install(tool, new, shell, go.folder / "go" if go else Path("go"))
        except CommandError as failed:
            raise ToolError(
                f"{tool.name} {tool.version} could not be made ({failed} failed).\n"
                f"{shell.tail()}\nThe whole log: {shell.log}"
            ) from failed
        if tool.version_args:
            says = probe(new / "bin" / tool.command, tool.version_args)
            if says is None or not tool.accept.allows(says, Version.of(tool.version)):
                raise ToolError(
                    f"{tool.name} was made as {tool.version}, but says it is {says or 'nothing'}"
                )
            (new / "version").write_text(f"{says}\n")
    entry = cache.entry(tool)
    return Found(tool, entry / "bin", _made_version(tool, entry), "built")


def main(arguments: Sequence[str] | None = None) -> int:
    """Bring all tools (or those named) to hand and print where each came from."""
    names = list(sys.argv[1:] if arguments is None else arguments)
    console, problem = Console(), Console(stderr=True)
    try:
        toolbox = ensure(names or None, console=console)
    except ToolError as error:
        problem.print(f"error: {error}", markup=False, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        problem.print("interrupted: what was ready is kept, and the next run goes on from there")
        return 130
    table = Table("tool", "version", "from")
    for row in toolbox.report():
        table.add_row(*row)
    console.print(table)
    return 0
