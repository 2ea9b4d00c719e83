"""The lab's own Pulumi resource plugin, for Vault: for machines where the official one can't be had.

It is never a user's: the program is written for the official plugin, and `lab` falls back on this
one where neither an installed plugin nor Pulumi's servers are at hand.
"""
