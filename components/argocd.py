"""Argo CD on the hub."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as kubernetes
from pulumi_kubernetes.yaml.v2 import ConfigGroup

from components import crds
from stacks.desired import argocd_install, projects
from stacks.desired.contract import STACK_LABEL
from stacks.desired.crds import digests
from stacks.desired.objects import KubernetesObject
from stacks.desired.sets import PROJECT
from stacks.model.access import ClusterAccess
from stacks.model.fleet import Fleet

API_VERSION = "argoproj.io/v1alpha1"


@dataclass(frozen=True, kw_only=True)
class ArgoCDArgs:
    """The fleet, whose stack it is, the way to the hub, the install manifest as objects, and the namespace it goes into
    once there. `argocd_install.installation` must be able to use the manifest: asked before anything is made.
    """

    fleet: Fleet
    stack: str
    access: ClusterAccess
    manifest: Sequence[KubernetesObject]
    namespace: pulumi.Input[str]


class ArgoCD(pulumi.ComponentResource):
    """Argo CD from its own install manifest, with the `default` AppProject emptied, and the AppProjects of all sets.

    The CRDs outlive the stack: deleting them would delete every Application, and with them, where finalizers say so,
    the workloads. Does not set up ingress, SSO or notifications.
    """

    crds: kubernetes.core.v1.ConfigMap
    """The record of Argo CD's CRDs: what other AppProjects depend on."""

    projects: Sequence[kubernetes.apiextensions.CustomResource]
    """The AppProjects `platform`, `services` and `hub`: what ApplicationSets depend on."""

    def __init__(
        self, name: str, args: ArgoCDArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("fleet:index:ArgoCD", name, None, opts)
        install = argocd_install.installation(args.fleet, args.manifest)
        labels = {STACK_LABEL: args.stack}
        self.crds = crds.record(
            f"{name}-crds",
            crds.CrdsArgs(
                name="argocd-crds",
                namespace=args.namespace,
                crds=install.crds,
                digests=digests(install.crds),
                access=args.access,
                instead="leave out `fleet:argocd.manifest` to join it",
            ),
            pulumi.ResourceOptions(parent=self),
        )
        # Argo CD makes the `default` project at its first start, open to everything; being first keeps it shut.
        default_project = kubernetes.apiextensions.CustomResource(
            f"{name}-default-project",
            api_version=API_VERSION,
            kind="AppProject",
            metadata={"name": "default", "namespace": args.namespace, "labels": labels},
            spec=projects.EMPTIED,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.crds]),
        )
        # It was a child of the ApplicationSets, until stacks could share a hub.
        before = pulumi.Alias(
            name="fleet-project",
            parent=pulumi.create_urn("fleet", "fleet:index:FleetApplicationSets"),
        )
        self.projects = [
            kubernetes.apiextensions.CustomResource(
                f"{name}-project" if called == PROJECT else f"{name}-project-{called}",
                api_version=API_VERSION,
                kind="AppProject",
                metadata={"name": called, "namespace": args.namespace, "labels": labels},
                spec=spec,
                opts=pulumi.ResourceOptions(
                    parent=self,
                    depends_on=[self.crds],
                    aliases=[before] if called == PROJECT else None,
                ),
            )
            for called, spec in projects.of_hub(args.fleet).items()
        ]
        ConfigGroup(
            name,
            objs=[*install.rest],
            opts=pulumi.ResourceOptions(parent=self, depends_on=[self.crds, default_project]),
        )
        self.register_outputs({})
