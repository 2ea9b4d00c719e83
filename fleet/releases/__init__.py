"""Which version runs where: moving it, putting it back, seeing it and proving who did it, over git, forge and hub."""
