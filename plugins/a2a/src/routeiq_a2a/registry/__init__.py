"""The agents behind the gateway: the operator's rows and those added while it runs."""
