"""The gitops-config repo: its files, what Kustomize and Argo CD make of them, and what is wrong with that.

Files in, findings out; it asks no cluster.
"""
