"""Where governance keeps what it knows: one SQL database, its schema and its migrations."""
