"""Fleet: stack file -> typed fleet -> components -> outputs."""

import pulumi
from pulumi.runtime.config import CONFIG

import components
import stacks
from components import manifests, providers
from stacks import preflight

try:
    kubeconfig = stacks.Kubeconfig.read()
    fleet = stacks.load(CONFIG.get(), pulumi.get_stack(), kubeconfig)
    access = {context: kubeconfig.access(context) for context in fleet.contexts}
    install_manifest = manifests.read(fleet.argocd.manifest)
    preflight.require_vault(fleet.vault, pulumi.get_stack())
except (stacks.StackError, stacks.KubeconfigError, manifests.ManifestError) as error:
    raise pulumi.RunError(str(error)) from None
for silent in preflight.silent(access.values()):
    pulumi.log.warn(f"{silent.context} does not answer at {silent.server}; its changes will fail")

hub = components.ManagementHub(
    "hub", components.ManagementHubArgs(fleet=fleet, access=access[fleet.hub.context])
)
namespace = hub.namespace.metadata["name"]
on_hub = pulumi.ResourceOptions(providers=[hub.provider])
argocd = components.ArgoCD(
    "argocd",
    components.ArgoCDArgs(settings=fleet.argocd, manifest=install_manifest, namespace=namespace),
    on_hub,
)
vault = providers.vault_provider(fleet.vault)
for spoke in fleet.spokes:
    reach = access[spoke.context]
    on_spoke = providers.kubernetes_provider(spoke.name, reach)
    store = components.SecretStore(
        spoke.name,
        components.SecretStoreArgs(fleet=fleet, spoke=spoke, access=reach, vault_provider=vault),
        pulumi.ResourceOptions(providers=[on_spoke]),
    )
    # Argo CD deploys to a spoke as soon as it knows of it, and workloads need their secrets.
    components.SpokeCluster(
        spoke.name,
        components.SpokeClusterArgs(
            fleet=fleet, spoke=spoke, access=reach, hub=hub, namespace=namespace
        ),
        pulumi.ResourceOptions(providers=[on_spoke], depends_on=[store]),
    )
components.FleetApplicationSets(
    "fleet",
    components.FleetApplicationSetsArgs(fleet=fleet, namespace=namespace, argocd=argocd),
    on_hub,
)

pulumi.export("argocdNamespace", namespace)
pulumi.export("spokes", {spoke.name: spoke.server for spoke in fleet.spokes})
pulumi.export("applicationSets", [one.name for one in fleet.application_sets])
