"""WHAT a fleet is: the typed model, and loading it from a stack file.

Imports no Pulumi and none of the other packages, so that the command line can read a stack file offline.
"""

from stacks.errors import Problem, StackError
from stacks.kubeconfig import ClusterAccess, Kubeconfig, KubeconfigError
from stacks.load import load, load_file, stack_file, stack_files
from stacks.model import ApplicationSet, ArgoCD, ExternalSecrets, Fleet, GitOps, Hub, Spoke, Vault

__all__ = [
    "ApplicationSet",
    "ArgoCD",
    "ClusterAccess",
    "ExternalSecrets",
    "Fleet",
    "GitOps",
    "Hub",
    "Kubeconfig",
    "KubeconfigError",
    "Problem",
    "Spoke",
    "StackError",
    "Vault",
    "load",
    "load_file",
    "stack_file",
    "stack_files",
]
