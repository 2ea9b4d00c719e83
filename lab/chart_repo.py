"""A Helm chart repository in the lab's forge, with the chart of External Secrets as its project publishes it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import httpx
import yaml

from lab import forge
from lab.context import Lab
from lab.errors import LabError
from lab.home import LabHome
from lab.toolchain import Toolbox

CHART = TOOL = "external-secrets"


def url(home: LabHome) -> str:
    """The repository's address; anyone may read it."""
    return f"{forge.url(home)}/api/packages/{forge.ORGANIZATION}/helm"


def version(toolbox: Toolbox) -> str:
    """The version of the chart: that of the controller, which the lab runs."""
    return toolbox.tools[TOOL].version


def publish(lab: Lab) -> None:
    """Publish the chart unless the repository has this version; the forge must run. Raises :class:`LabError`."""
    if version(lab.toolbox) in published(lab.home):
        return
    with tempfile.TemporaryDirectory(dir=lab.home.tmp) as folder:
        archive = package(lab.toolbox, Path(folder))
        me = forge.credentials(lab.home)
        answer = httpx.post(
            f"{url(lab.home)}/api/charts",
            content=archive.read_bytes(),
            auth=(me.username, me.token),
            trust_env=False,
            timeout=60,
        )
    if not answer.is_success:
        raise LabError(f"the forge refused the chart {CHART}: {answer.text.strip()[:200]}")


def published(home: LabHome) -> list[str]:
    """The versions of the chart in the repository."""
    answer = httpx.get(f"{url(home)}/index.yaml", trust_env=False, timeout=20)
    if not answer.is_success:
        raise LabError(f"the forge has no chart repository: {answer.text.strip()[:200]}")
    entries = yaml.safe_load(answer.text)["entries"]
    return [str(entry["version"]) for entry in entries.get(CHART, [])]


def package(toolbox: Toolbox, folder: Path) -> Path:
    """Make the chart's archive in a folder of its own, whole: with the CRDs among its templates.

    The project adds them when it publishes a chart (``installCRDs`` takes them out), so its sources lack them.
    They take ``crds.annotations``, as the published ones do.
    """
    source = toolbox.share(TOOL)
    chart = folder / CHART
    shutil.copytree(source / "chart", chart)
    annotations = "{{- with .Values.crds.annotations }}{{ toYaml . | nindent 4 }}{{- end }}"
    crds = (source / "crds.yaml").read_text()
    crds = crds.replace("\n  annotations:\n", f"\n  annotations:\n{annotations}\n")
    template = chart / "templates" / "crds" / "bundle.yaml"
    template.parent.mkdir(exist_ok=True)
    template.write_text(f"{{{{- if .Values.installCRDs }}}}\n{crds}\n{{{{- end }}}}\n")
    number = version(toolbox)
    command = [str(toolbox.bin("helm")), "package", str(chart), f"--destination={folder}"]
    done = subprocess.run(
        [*command, f"--version={number}", f"--app-version=v{number}"],
        env={"HOME": str(folder), "PATH": toolbox.path_env()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise LabError(f"helm could not package {CHART}: {done.stderr.strip()}")
    return folder / f"{CHART}-{number}.tgz"
