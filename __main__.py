"""Fleet: stack file -> typed fleet -> components -> outputs."""

import pulumi
from pulumi.runtime import is_dry_run
from pulumi.runtime.config import CONFIG

import components
import stacks
from components import manifests, providers
from stacks import preflight

stack = pulumi.get_stack()
try:
    kubeconfig = stacks.Kubeconfig.read()
    fleet = stacks.load(CONFIG.get(), stack, kubeconfig)
    hub_access = kubeconfig.access(fleet.hub.context)
    reach = stacks.reach(fleet, kubeconfig)
    argocd_manifest = manifests.read(fleet.argocd.manifest)
    eso_manifest = manifests.read(getattr(fleet.external_secrets, "manifests", None))
    preflight.require_vault(fleet.vault, stack)
    warnings = preflight.require_hub(fleet, stack, kubeconfig, preview=is_dry_run())
except (stacks.StackError, stacks.KubeconfigError, manifests.ManifestError) as error:
    raise pulumi.RunError(str(error)) from None
for warning in [*warnings, *preflight.silent(fleet, reach)]:
    pulumi.log.warn(warning)

hub = components.ManagementHub(
    "hub", components.ManagementHubArgs(fleet=fleet, stack=stack, access=hub_access)
)
on_hub = pulumi.ResourceOptions(providers=[hub.provider])
argocd = None
if fleet.owns_hub:
    argocd = components.ArgoCD(
        "argocd",
        components.ArgoCDArgs(
            fleet=fleet, stack=stack, manifest=argocd_manifest, namespace=hub.namespace
        ),
        on_hub,
    )
if fleet.vault:
    vault = providers.vault_provider(fleet.vault)
    hub_store = components.hub_store(fleet, hub, hub_access, vault, eso_manifest)
    components.kv_mounts(fleet, vault)
    onboarding = components.Onboarding(
        fleet=fleet, stack=stack, hub=hub, vault=vault, manifest=eso_manifest, after=hub_store
    )
    for spoke in fleet.spokes:
        onboarding.onboard(spoke, reach[spoke.name])
components.FleetApplicationSets(
    "fleet",
    components.FleetApplicationSetsArgs(
        fleet=fleet, stack=stack, namespace=hub.namespace, argocd=argocd
    ),
    on_hub,
)

pulumi.export("argocdNamespace", hub.namespace)
pulumi.export("spokes", {spoke.name: spoke.server for spoke in fleet.spokes})
pulumi.export("applicationSets", [one.name for one in fleet.application_sets])
