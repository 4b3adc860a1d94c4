"""Pure translation between the protocols of clients and providers, with OpenAI's chat JSON as the canonical form.

No I/O, no clock but a creation stamp, and no knowledge of deployments lives here.
"""
