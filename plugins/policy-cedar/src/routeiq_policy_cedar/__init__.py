"""Access policies in Cedar. A plugin for RouteIQ; nothing is imported here, so that listing plugins stays cheap."""
