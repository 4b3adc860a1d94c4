"""Who calls: keys, their hashes, and the caller that a credential stands for."""
