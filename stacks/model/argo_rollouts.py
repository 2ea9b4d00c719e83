"""Argo Rollouts, as the stack file describes it."""

from __future__ import annotations

from pydantic import Field

from stacks.model.fields import FileSource, Namespace, Section

ADDON = "argo_rollouts"
"""By this name among its `addons` a spoke asks for it."""


class ArgoRollouts(Section):
    """Argo Rollouts, which Pulumi installs on each spoke that has `argo_rollouts` among its `addons`."""

    manifest: FileSource = Field(
        description="Path or https URL of the install manifest, pinned, such as a release's install.yaml."
    )
    namespace: Namespace = Field("argo-rollouts", description="The namespace that it is in.")
