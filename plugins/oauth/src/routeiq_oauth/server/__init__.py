"""The small authorization server: its endpoints, clients, consent, codes and tokens. No resources, no upstreams."""
