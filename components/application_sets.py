"""The ApplicationSets: from here on the gitops-config repo decides what runs on the spokes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as kubernetes

from components.argocd import API_VERSION, ArgoCD
from stacks.desired import application_sets, external_secrets_set, projects, sets
from stacks.desired.contract import STACK_LABEL
from stacks.model.fleet import Fleet

# Told of a push, Argo CD looks at a set at once, and then writes it back whole: from there on its fields are Argo CD's,
# and Pulumi could change none of them. Whose the set is, the preflight has seen.
# https://www.pulumi.com/registry/packages/kubernetes/how-to-guides/managing-resources-with-server-side-apply/
OURS = {"pulumi.com/patchForce": "true"}


@dataclass(frozen=True, kw_only=True)
class FleetApplicationSetsArgs:
    """The fleet, whose stack it is, Argo CD's namespace, and Argo CD itself where this stack installs it."""

    fleet: Fleet
    stack: str
    namespace: pulumi.Input[str]
    argocd: ArgoCD | None


class FleetApplicationSets(pulumi.ComponentResource):
    """The ApplicationSets of the stack, and the one that delivers External Secrets where Argo CD does that.

    The sets create and update Applications and never delete one, unless the stack file says so of a set: controllers
    have deleted whole fleets when a generator returned nothing for a moment. Deleting is a step of its own, see
    docs/remove-a-cluster.md. Does not make the AppProjects they deploy by: those are the hub's, and other stacks use
    them too.
    """

    def __init__(
        self, name: str, args: FleetApplicationSetsArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("fleet:index:FleetApplicationSets", name, None, opts)

        def on_hub(
            kind: str,
            called: str,
            spec: dict[str, Any],
            after: Sequence[pulumi.Resource],
            suffix: str,
        ) -> pulumi.Resource:
            return kubernetes.apiextensions.CustomResource(
                f"{name}-{suffix}",
                api_version=API_VERSION,
                kind=kind,
                metadata={
                    "name": called,
                    "namespace": args.namespace,
                    "labels": {STACK_LABEL: args.stack},
                    **({"annotations": OURS} if kind == "ApplicationSet" else {}),
                },
                spec=spec,
                opts=pulumi.ResourceOptions(parent=self, depends_on=[*after]),
            )

        # A stack that joins a hub finds Argo CD there: preflight has looked.
        argocd: list[pulumi.Resource] = [*args.argocd.projects] if args.argocd else []
        for one in sets.every(args.fleet):
            on_hub(
                "ApplicationSet",
                one.name,
                application_sets.set_spec(args.fleet, args.stack, one),
                argocd,
                one.name,
            )
        if sets.delivers_external_secrets(args.fleet):
            called = sets.external_secrets_set(args.stack)
            project = on_hub(
                "AppProject",
                called,
                projects.external_secrets_spec(args.fleet),
                argocd,
                f"{called}-project",
            )
            spec = external_secrets_set.set_spec(args.fleet, args.stack)
            on_hub("ApplicationSet", called, spec, [project], called)
        self.register_outputs({})
