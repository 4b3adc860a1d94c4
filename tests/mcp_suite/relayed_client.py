"""The command of a client that really runs elsewhere: it tells whoever listens at a port what the suite wants, and ends
as that one says. It imports nothing that takes time; the suite starts one for each scenario.

What is done lives in `client_through_the_gateway`.
"""

from __future__ import annotations

import json
import os
import socket
import sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as connection:
    told = {name: value for name, value in os.environ.items() if name.startswith("MCP_CONFORMANCE_")}
    connection.sendall(json.dumps({"url": sys.argv[2], **told}).encode() + b"\n")
    said = connection.makefile().read()
if said != "done":
    sys.exit(said or "nobody answered")
