"""The YAML loader and dumper of stack files and kubeconfigs: those of libyaml, where PyYAML was built with it.

Both are the safe ones, and give what `yaml.safe_load` and `yaml.safe_dump` give, some eight times as fast.
"""

from __future__ import annotations

import yaml

LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
DUMPER = yaml.CSafeDumper if yaml.__with_libyaml__ else yaml.SafeDumper
