"""Versions in git: the images that overlays name, changed by a few bytes, and what the history says of them."""
