"""A gitops-config repo out of the stack files: what should be in it, and how that comes into one which people edit."""
