"""A cluster that is down, and a stack that goes on without it: `components.providers` against real API servers."""

from __future__ import annotations

import pytest

from lab.context import CHECKOUT
from tests.real.conftest import Cluster, Project

# `hub` answers always; `spoke` is the same API server at an address where, for a while, nobody answers.
PROGRAM = f"""
import sys
sys.path.insert(0, {str(CHECKOUT)!r})
from types import SimpleNamespace
from components.providers import kubernetes_provider, rendered_by

dead = bool(os.environ.get('DEAD'))
a = os.environ.get('A', '1')
spoke = kubernetes_provider('spoke', SimpleNamespace(kubeconfig=open('dead' if dead else 'alive').read()),
                            quarantine=bool(os.environ.get('QUARANTINE')))
parent = pulumi.ComponentResource('fleet:index:Spoke', 'spoke', None, pulumi.ResourceOptions(providers=[spoke]))
on_spoke = pulumi.ResourceOptions(parent=parent)
remote = rendered_by(parent, provider if os.environ.get('RENDERED') else None)
k8s.core.v1.ConfigMap('plain', metadata={{'name': 'quarantine-plain'}}, data={{'a': a}}, opts=on_spoke)
k8s.yaml.v2.ConfigGroup('group', objs=[
    {{'apiVersion': 'v1', 'kind': 'ConfigMap', 'data': {{'a': a}},
      'metadata': {{'name': 'quarantine-group', 'namespace': 'default'}}}}], opts=remote)
k8s.helm.v4.Chart('chart', chart='./chart', namespace='default', values={{'a': a}}, opts=remote)
k8s.core.v1.ConfigMap('elsewhere', metadata={{'name': 'quarantine-elsewhere'}}, data={{'a': a}}, opts=o)
"""
CHART = """
apiVersion: v1
kind: ConfigMap
metadata: {name: quarantine-chart}
data: {a: "{{ .Values.a }}"}
"""
ON_SPOKE = ["plain", "group", "chart"]


@pytest.fixture
def stack(project: Project, cluster: Cluster) -> Project:
    kubeconfig = cluster.kubeconfig
    (project.folder / "alive").write_text(kubeconfig)
    (project.folder / "dead").write_text(kubeconfig.replace(f":{cluster.port}", ":9"))
    (project.folder / "chart/templates").mkdir(parents=True)
    (project.folder / "chart/Chart.yaml").write_text("{apiVersion: v2, name: tiny, version: 0.1.0}")
    (project.folder / "chart/templates/all.yaml").write_text(CHART)
    project.write(PROGRAM)
    return project


def _values(cluster: Cluster, *names: str) -> dict[str, str]:
    return {name: cluster.get("configmap", f"quarantine-{name}")["data"]["a"] for name in names}


def _providers(project: Project) -> dict[str, str]:
    """The provider, by name, of every object in state."""
    return {
        name: one["provider"].split("::")[3]
        for name, one in project.resources().items()
        if one.get("provider")
    }


def test_a_dead_cluster_in_quarantine(stack: Project, cluster: Cluster) -> None:
    stack.up()
    before = stack.resources()
    providers = _providers(stack)
    assert providers["group:default/quarantine-group"] == "spoke"
    assert providers["chart:default/quarantine-chart"] == "spoke"

    quarantine = {"DEAD": "1", "QUARANTINE": "1", "RENDERED": "1"}
    unchanged = stack.up(**quarantine)
    assert "skipUpdateUnreachable flag is set to true, skipping" in unchanged
    assert _providers(stack) == providers, "every object keeps its provider"
    assert stack.resources().keys() == before.keys(), "nothing is forgotten"

    changed = stack.up(A="2", **quarantine)
    assert "skipUpdateUnreachable flag is set to true, skipping" in changed
    assert _values(cluster, *ON_SPOKE) == dict.fromkeys(ON_SPOKE, "1")
    assert _values(cluster, "elsewhere") == {"elsewhere": "2"}, "all others converge"
    stack.pulumi("preview", "--expect-no-changes", A="2", **quarantine)
    stack.pulumi("refresh", "--yes", "--skip-preview", "--run-program", A="2", **quarantine)
    assert stack.resources().keys() == before.keys()

    answered = stack.up(A="2", QUARANTINE="1", RENDERED="1")
    assert "skipping" not in answered
    assert _values(cluster, *ON_SPOKE) == dict.fromkeys(ON_SPOKE, "2"), "made up for"
    stack.up(A="3")
    assert _values(cluster, *ON_SPOKE) == dict.fromkeys(ON_SPOKE, "3")
    stack.pulumi("preview", "--expect-no-changes", A="3")
    stack.destroy()


def test_a_dead_cluster_without_quarantine(stack: Project, cluster: Cluster) -> None:
    stack.up()
    aborted = stack.up("--continue-on-error", ok=False, cut_off=True, DEAD="1", A="2")
    assert "configured Kubernetes cluster is unreachable" in aborted
    assert "resource monitor shut down" in aborted, "a component without its cluster ends it all"

    failed = stack.up("--continue-on-error", ok=False, DEAD="1", A="2", RENDERED="1")
    assert "configured Kubernetes cluster is unreachable" in failed
    assert _values(cluster, *ON_SPOKE, "elsewhere") == {
        **dict.fromkeys(ON_SPOKE, "1"),
        "elsewhere": "2",
    }, "taken apart elsewhere, only its own objects fail"
    stack.up(A="2")
    assert _values(cluster, *ON_SPOKE) == dict.fromkeys(ON_SPOKE, "2")
    stack.destroy()


def test_what_is_new_needs_its_cluster(stack: Project) -> None:
    quarantine = {"DEAD": "1", "QUARANTINE": "1", "RENDERED": "1"}
    refused = stack.up("--continue-on-error", ok=False, **quarantine)
    assert "configured Kubernetes cluster is unreachable" in refused
    made = stack.resources().keys()
    assert "elsewhere" in made
    assert not {"plain", "group:default/quarantine-group"} & made
    stack.destroy()
