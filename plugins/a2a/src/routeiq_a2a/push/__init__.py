"""Push notifications: the client's webhook is called by the gateway, the agent calls the gateway's."""
