"""The lab's `kubernetes` Pulumi plugin: what the program declares, as the official v4 does it.

`servicer` speaks gRPC with the engine, `operations` changes objects, `cluster` is the HTTP client,
`group` registers the children of `yaml/v2:ConfigGroup` and `helm.sh/v4:Chart`.
"""

VERSION = "4.34.2"
"""The official release whose behaviour is matched, and what the plugin says it is."""
