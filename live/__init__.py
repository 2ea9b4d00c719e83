"""Questions to live clusters and to Vault, asked before anything is made; and install manifests from the network."""
