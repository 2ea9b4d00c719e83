"""What is known of the chart of External Secrets before it is rendered, and what its rights depend on."""

from __future__ import annotations

import re
import tarfile
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from stacks.model.vault import ExternalSecrets

# Exactly one version: a range may give an older one.
_VERSION = re.compile(r"v?(\d+)\.(\d+)\.\d+(?:[-+][\w.+-]+)?")
_IN_NAME = re.compile(rf"[:-]{_VERSION.pattern}(?:\.tgz)?$")
_OWN_VERSION = re.compile(r"^version:\s*[\"']?v?(\d+)\.(\d+)\.", re.MULTILINE)
_TOKEN_SWITCH = "serviceAccountTokenCreate"  # noqa: S105 - the name of a value
_TOKEN_SWITCH_SINCE = (2, 5)
_FINALIZERS_SINCE = (0, 20)


@dataclass(frozen=True)
class Chart:
    """What a chart of External Secrets can do; of one that is not known, what is safe to think."""

    token_switch: bool = False
    """Whether `rbac.serviceAccountTokenCreate: false` keeps it from taking a token of every ServiceAccount."""
    marks_namespaces: bool = True
    """Whether its controller puts finalizers on the namespaces that a ClusterExternalSecret writes to."""


def known(settings: ExternalSecrets) -> Chart:
    """What a folder or an archive says itself; else what the version tells, where the stack file has one."""
    chart = settings.chart or ""
    try:
        if chart and not settings.repo and Path(chart).exists():
            return _read(Path(chart), Path(chart).stat().st_mtime_ns)
    except (OSError, EOFError, zlib.error, tarfile.TarError, UnicodeDecodeError):
        return Chart()  # The plugin will say what is wrong with it.
    found = _VERSION.fullmatch(settings.version or "") or _IN_NAME.search(chart)
    if not found:
        return Chart()
    version = (int(found[1]), int(found[2]))
    return Chart(version >= _TOKEN_SWITCH_SINCE, version >= _FINALIZERS_SINCE)


@lru_cache(maxsize=8)
def _read(path: Path, _changed: int) -> Chart:
    about, values = (_file(path, name) for name in ("Chart.yaml", "values.yaml"))
    found = _OWN_VERSION.search(about)
    newer = not found or (int(found[1]), int(found[2])) >= _FINALIZERS_SINCE
    return Chart(_TOKEN_SWITCH in values, newer)


def _file(path: Path, name: str) -> str:
    if path.is_dir():
        return (path / name).read_text()
    with tarfile.open(path) as archive:
        for member in archive:
            # The chart's own folder, and not that of one it depends on.
            if re.fullmatch(rf"(\./)?[^/]+/{re.escape(name)}", member.name):
                file = archive.extractfile(member)
                return file.read().decode() if file else ""
    return ""
