"""Servers behind the gateway, each as an `Upstream`: `open_upstream(spec, gateway)`.

```python
spec = ServerSpec("github", url="https://mcp.example.com/mcp", trusted=True)
await check_server(spec, gateway)         # at setup: ConfigError for what cannot work
upstream = open_upstream(spec, gateway)   # opens no connection; ConfigError for a row that cannot be used
await upstream.request(ctx, "tools/list", {}, peer)
upstream.health                           # calls, errors, era, last seen
await upstream.close()
```
"""

from routeiq_mcp.upstream.config import OperationChoice, ServerSpec, Transport
from routeiq_mcp.upstream.health import Health, WatchedUpstream
from routeiq_mcp.upstream.opening import check_server, open_upstream
from routeiq_mcp.upstream.signed import SignedProgram

__all__ = [
    "Health",
    "OperationChoice",
    "ServerSpec",
    "SignedProgram",
    "Transport",
    "WatchedUpstream",
    "check_server",
    "open_upstream",
]
