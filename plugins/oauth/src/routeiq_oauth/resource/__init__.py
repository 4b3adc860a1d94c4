"""The gateway as a resource server: tokens that open its protected resources, and what clients are told of them."""
