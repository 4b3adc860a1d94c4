"""What lies between the wires: whose task it is, the road of a call, and the way to the agent."""
