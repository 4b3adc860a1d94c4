"""What can be called and what it costs: deployments, groups, aliases, wildcards, the price book."""
