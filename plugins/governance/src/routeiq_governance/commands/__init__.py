"""Commands of the command line: clients of a running gateway, and the import from LiteLLM."""
