"""What follows from a fleet, as plain objects: for the hub, for the spokes, for Vault. Makes none of them."""
