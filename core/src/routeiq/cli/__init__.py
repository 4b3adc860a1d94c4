"""The command line, one file a command. Commands of plugins are found by entry point and imported when they are
called."""
