"""Keys of `mcp_servers` entries.

Key names and facts only.
"""

from __future__ import annotations

from routeiq.config.keys import Key, KeyClass, KeyTable, protective

_PLUGIN = "mcp"


def _part(name: str, description: str) -> Key:
    return Key(name, KeyClass.NEUTRAL, description, _PLUGIN, part_of="mcp_servers")


MCP_SERVER = KeyTable(
    "mcp_servers.*",
    (
        _part("url", "The address of the server."),
        _part("command", "The program of a stdio server."),
        _part("args", "The arguments of a stdio server."),
        _part("env", "The environment of a stdio server."),
        _part("env_vars", "The environment of a stdio server."),
        _part("transport", "sse, http or stdio."),
        _part("spec_path", "An OpenAPI document whose operations become tools."),
        _part("spec_version", "The protocol version to speak."),
        _part("protocol_version", "The protocol version to speak."),
        _part("auth_type", "none, api_key, bearer_token, basic, oauth2, ..."),
        _part("auth_value", "The credential of a static auth type."),
        _part("authentication_token", "The credential of a static auth type."),
        _part("client_id", "The OAuth client."),
        _part("client_secret", "The OAuth client's secret."),
        _part("authorization_url", "The OAuth authorization endpoint."),
        _part("token_url", "The OAuth token endpoint."),
        _part("registration_url", "The OAuth registration endpoint."),
        _part("scopes", "The OAuth scopes asked for."),
        _part("static_headers", "Headers sent to the server."),
        _part("extra_headers", "Client headers handed to the server."),
        _part("description", "What the server is for."),
        _part("instructions", "Instructions shown to models."),
        _part("alias", "Another name of the server."),
        _part("server_id", "The id of the server."),
        _part("mcp_info", "Facts about the server, kept."),
        _part("timeout", "Seconds a call may take."),
        protective("access_groups", _PLUGIN, "Groups that may use the server."),
        protective("allowed_tools", _PLUGIN, "The only tools that are offered."),
        protective("disallowed_tools", _PLUGIN, "Tools that are never offered."),
        protective("allowed_params", _PLUGIN, "The only parameters a tool may be given."),
        protective("pinned_tools", _PLUGIN, "Tool definitions that must not change."),
        protective("token_validation", _PLUGIN, "What a token must state."),
        protective("rpm", _PLUGIN, "Calls a minute."),
        protective("max_concurrent_requests", _PLUGIN, "Calls at once."),
    ),
    open=True,
)
