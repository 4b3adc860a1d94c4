"""What people see of the oauth plugin: consent, connections, and signing in with a key."""
