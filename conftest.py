"""The clone's own pytest plugin, also where the package is not installed."""

pytest_plugins = ("theory_checks.plugin",)
