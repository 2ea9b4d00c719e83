"""The lab's own Pulumi resource plugins: for machines where the official ones can't be had.

They are never a user's: the program is written for the official plugins, and `lab` falls back on
these where neither an installed plugin nor Pulumi's servers are at hand.
"""
