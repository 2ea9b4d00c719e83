"""The lab's own `vault` plugin: what this project declares through pulumi-vault, over hvac.

It stands in for the official plugin (7.14) where that cannot be had, and matches what it does for
the same program: defaults, IDs, replacements, drift, imports, messages. Known differences:

- A changed `path` replaces the mount (the official plugin remounts unless `disableRemount`), and a
  replacement under an unchanged name deletes first (there, the new object is created first and the
  old one's deletion takes it away).
- A PEM that differs only in white space at its ends is no change (there, a perpetual one).
- `authLogin*`, `clientAuth`, `headers` and other ways to reach Vault than a token are refused.
"""
