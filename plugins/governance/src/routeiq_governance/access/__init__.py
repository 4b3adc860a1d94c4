"""What a caller may do: roles, bindings and the decision over an action."""
