"""What Pulumi's `protect` does to `destroy`, and what `--run-program` does for credentials that have ended."""

from __future__ import annotations

import json

import yaml

from tests.e2e.fleet_lab import wait_until
from tests.real.conftest import Cluster, Project

# As in a fleet: a protected object that depends on one that isn't, and one beside them.
PROGRAM = """
def config_map(name, **opts):
    return k8s.core.v1.ConfigMap(name, metadata={'name': f'protection-{name}', 'namespace': 'default'},
                                 opts=pulumi.ResourceOptions(provider=provider, **opts))

protect = not os.environ.get('LET_GO')
below = config_map('below')
if not os.environ.get('GONE'):
    config_map('protected', protect=protect, depends_on=[below])
config_map('beside')
"""


def _there(cluster: Cluster) -> set[str]:
    names = cluster.kubectl("get", "configmaps", "-n", "default", "-o", "name").split()
    return {name.partition("protection-")[2] for name in names if "protection-" in name}


def test_a_destroy_of_protected_objects(project: Project, cluster: Cluster) -> None:
    project.write(PROGRAM)
    project.up()
    everything = {"below", "protected", "beside"}

    refused = project.pulumi("destroy", "--yes", ok=False)
    assert "because it is protected" in refused
    assert _there(cluster) == everything, "the preview refuses the whole of it"
    project.pulumi("destroy", "--yes", "--run-program", ok=False)
    assert _there(cluster) == everything

    project.destroy(ok=False)
    assert _there(cluster) == {"below", "protected"}, "without one, what it depends on is left"
    project.up()

    project.pulumi("preview", "--expect-no-changes", LET_GO="1")
    late = project.up(GONE="1", ok=False)
    assert "because it is protected" in late, "the last run's word counts, not the program's"
    assert _there(cluster) == everything
    project.up(LET_GO="1")
    project.up(GONE="1")
    assert _there(cluster) == {"below", "beside"}
    project.up()

    project.pulumi("destroy", "--yes", "--run-program", LET_GO="1")
    assert _there(cluster) == set(), "with --run-program the program's word counts"


def test_credentials_in_the_state_that_have_ended(project: Project, cluster: Cluster) -> None:
    project.write(PROGRAM)
    (project.folder / "kubeconfig").write_text(_with_a_token_of(cluster, "first"))
    project.up(LET_GO="1")
    _end(cluster, project, "first")
    (project.folder / "kubeconfig").write_text(_with_a_token_of(cluster, "second"))

    refresh = ("refresh", "--yes", "--skip-preview")
    refused = project.pulumi(*refresh, ok=False)
    # What it tells to set would make it forget all that is on a cluster whose credential has ended.
    assert "unreachable" in refused
    project.destroy(ok=False)
    assert _there(cluster) == {"below", "protected", "beside"}
    cluster.kubectl("delete", "configmap", "protection-beside", "-n", "default")
    project.pulumi(*refresh, "--run-program", LET_GO="1")
    assert "beside" not in {name.rpartition("::")[2] for name in project.resources()}
    # It wrote today's into the state.
    project.pulumi(*refresh)
    _end(cluster, project, "second")
    (project.folder / "kubeconfig").write_text(_with_a_token_of(cluster, "third"))
    project.destroy("--run-program", LET_GO="1")
    assert _there(cluster) == set()
    cluster.kubectl("delete", "clusterrolebinding,serviceaccount", "-l", "protection=yes")


def _end(cluster: Cluster, project: Project, account: str) -> None:
    """Delete an account, and see its token refused: an API server remembers for some seconds whom it let in."""
    cluster.kubectl("delete", "serviceaccount", account, "-n", "default")
    old = f"--kubeconfig={project.folder / 'kubeconfig'}"

    def refused() -> bool:
        return not cluster.kubectl(old, "get", "namespaces", "-o", "name", check=False)

    wait_until(f"the token of {account} is refused", refused, timeout=60)


def _with_a_token_of(cluster: Cluster, account: str) -> str:
    """A kubeconfig that logs in by a token of a new ServiceAccount, which is good as long as that is there."""
    named = {"name": account, "namespace": "default", "labels": {"protection": "yes"}}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRoleBinding",
        "metadata": {"name": f"protection-{account}", "labels": {"protection": "yes"}},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": "default"}],
    }  # fmt: skip
    objects = [{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": named}, binding]
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(listed))
    config = yaml.safe_load(cluster.kubeconfig)
    token = cluster.kubectl("create", "token", account, "-n", "default").strip()
    for user in config["users"]:
        user["user"] = {"token": token}
    return yaml.safe_dump(config)
