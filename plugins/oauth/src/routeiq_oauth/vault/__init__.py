"""Where users' tokens for upstreams are kept, sealed."""
