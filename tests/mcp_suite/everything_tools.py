"""The tools of the everything-server, one function each, as the scenarios of the conformance suite describe them.

How they are served, and in which era, is not their business.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from mcp.server.subscriptions import PromptsListChanged, ResourceUpdated, SubscriptionBus, ToolsListChanged
from mcp_types import (
    AudioContent,
    ContentBlock,
    ElicitResult,
    EmbeddedResource,
    ImageContent,
    InputRequest,
    ListRootsResult,
    TextContent,
    TextResourceContents,
    Tool,
)

from .asking import Call, ToolFault, asked_for_what_is_deprecated, form, roots, sample, sampled_text
from .media import PNG, WATCHED, WAV

ToolFunction = Callable[[Call, SubscriptionBus], Awaitable[str | list[ContentBlock]]]
TOOLS: dict[str, tuple[Tool, ToolFunction]] = {}
_PAUSE_SECONDS = 0.05
_NAME = {"properties": {"name": {"type": "string"}}}


def tool(name: str, description: str, **properties: Any) -> Callable[[ToolFunction], ToolFunction]:
    """Register a tool whose arguments are all required; `schema` replaces the made one."""
    schema = properties.pop("schema", None)
    if schema is None:
        schema = {"type": "object", "properties": properties}
        if properties:
            schema["required"] = list(properties)

    def register(function: ToolFunction) -> ToolFunction:
        TOOLS[name] = (Tool(name=name, description=description, input_schema=schema), function)
        return function

    return register


@tool("test_simple_text", "Returns one text")
async def simple_text(call: Call, bus: SubscriptionBus) -> str:
    return "This is a simple text response for testing."


@tool("test_image_content", "Returns one image")
async def image(call: Call, bus: SubscriptionBus) -> list[ContentBlock]:
    return [ImageContent(data=PNG, mime_type="image/png")]


@tool("test_audio_content", "Returns one sound")
async def audio(call: Call, bus: SubscriptionBus) -> list[ContentBlock]:
    return [AudioContent(data=WAV, mime_type="audio/wav")]


@tool("test_embedded_resource", "Returns a resource inside the result")
async def embedded(call: Call, bus: SubscriptionBus) -> list[ContentBlock]:
    return [_resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")]


@tool("test_multiple_content_types", "Returns text, image and resource together")
async def mixed(call: Call, bus: SubscriptionBus) -> list[ContentBlock]:
    data = json.dumps({"test": "data", "value": 123}, separators=(",", ":"))
    return [
        TextContent(text="Multiple content types test:"),
        ImageContent(data=PNG, mime_type="image/png"),
        _resource("test://mixed-content-resource", "application/json", data),
    ]


@tool("test_error_handling", "Always fails")
async def failing(call: Call, bus: SubscriptionBus) -> str:
    raise ToolFault("This tool intentionally returns an error for testing")


@tool("test_tool_with_logging", "Logs three messages while it runs")
async def logging(call: Call, bus: SubscriptionBus) -> str:
    for number, text in enumerate(("Tool execution started", "Tool processing data", "Tool execution completed")):
        if number:
            await asyncio.sleep(_PAUSE_SECONDS)
        await _log(call, text)
    return "Logged three messages"


@tool("test_logging_tool", "Logs, where the client asked for logs")
async def opt_in_logging(call: Call, bus: SubscriptionBus) -> str:
    await _log(call, "a message for whoever wants it")
    return "Logged for those who asked"


@tool("test_tool_with_progress", "Reports 0, 50 and 100 of 100")
async def progressing(call: Call, bus: SubscriptionBus) -> str:
    for done in (0, 50, 100):
        if done:
            await asyncio.sleep(_PAUSE_SECONDS)
        await call.context.session.report_progress(done, 100)
    return "Did 100 of 100"


@tool("test_sampling", "Asks the client's model", prompt={"type": "string", "description": "what the model is asked"})
async def sampling(call: Call, bus: SubscriptionBus) -> str:
    answers = await call.ask({"sampled": sample(_text(call, "prompt"), 100)})
    return f"LLM response: {sampled_text(answers['sampled'])}"


@tool("test_elicitation", "Asks the user", message={"type": "string", "description": "what the user reads"})
async def elicitation(call: Call, bus: SubscriptionBus) -> str:
    fields = {
        "username": {"type": "string", "description": "User's response"},
        "email": {"type": "string", "description": "User's email address"},
    }
    answer = await call.form("user", _text(call, "message"), {"properties": fields})
    return f"User response: {_shown(answer)}"


@tool("test_elicitation_sep1034_defaults", "Asks with a default in every kind of field")
async def defaults(call: Call, bus: SubscriptionBus) -> str:
    fields = {
        "name": {"type": "string", "default": "John Doe"},
        "age": {"type": "integer", "default": 30},
        "score": {"type": "number", "default": 95.5},
        "status": {"type": "string", "enum": ["active", "inactive", "pending"], "default": "active"},
        "verified": {"type": "boolean", "default": True},
    }
    answer = await call.form("details", "Please check these details", {"properties": fields, "required": []})
    return f"Elicitation completed: {_shown(answer)}"


@tool("test_elicitation_sep1330_enums", "Asks with every kind of choice")
async def choices(call: Call, bus: SubscriptionBus) -> str:
    options = ["option1", "option2", "option3"]
    titles = (("value1", "First"), ("value2", "Second"), ("value3", "Third"))
    single = [{"const": value, "title": f"{title} Option"} for value, title in titles]
    several = [{"const": value, "title": f"{title} Choice"} for value, title in titles]
    legacy = {"enum": ["opt1", "opt2", "opt3"], "enumNames": ["Option One", "Option Two", "Option Three"]}
    fields = {
        "untitledSingle": {"type": "string", "enum": options},
        "titledSingle": {"type": "string", "oneOf": single},
        "legacyEnum": {"type": "string", **legacy},
        "untitledMulti": {"type": "array", "items": {"type": "string", "enum": options}},
        "titledMulti": {"type": "array", "items": {"anyOf": several}},
    }
    answer = await call.form("choices", "Please choose", {"properties": fields, "required": []})
    return f"Elicitation completed: {_shown(answer)}"


@tool("test_reconnection", "Closes its stream half-way; the answer is there for whoever reconnects")
async def reconnection(call: Call, bus: SubscriptionBus) -> str:
    if call.context.close_sse_stream is not None:
        await call.context.close_sse_stream()
        await asyncio.sleep(2 * _PAUSE_SECONDS)
    return "Answered after the stream was closed"


@tool("test_input_required_result_elicitation", "Greets whoever says their name")
async def asks_name(call: Call, bus: SubscriptionBus) -> str:
    answer = await call.form("user_name", "What is your name?", _NAME)
    return f"Hello, {(answer.content or {}).get('name', 'stranger')}!"


@tool("test_input_required_result_sampling", "Asks the client's model one question")
async def asks_model(call: Call, bus: SubscriptionBus) -> str:
    answers = await call.ask({"capital_question": sample("What is the capital of France?", 100)})
    return sampled_text(answers["capital_question"])


@tool("test_input_required_result_list_roots", "Names the client's roots")
async def asks_roots(call: Call, bus: SubscriptionBus) -> str:
    answer = (await call.ask({"client_roots": roots()}))["client_roots"]
    assert isinstance(answer, ListRootsResult)
    return "Roots: " + ", ".join(str(root.uri) for root in answer.roots)


@tool("test_input_required_result_request_state", "Leaves a state with the client and wants it back")
async def keeps_state(call: Call, bus: SubscriptionBus) -> str:
    confirmed = {"properties": {"ok": {"type": "boolean"}}}
    await call.form("confirm", "Please confirm", confirmed, state="asked to confirm")
    if call.modern and call.state != "asked to confirm":
        raise ToolFault("this state is not the one that was left")
    return "state-ok"


@tool("test_input_required_result_tampered_state", "Leaves a sealed state with the client")
async def sealed_state(call: Call, bus: SubscriptionBus) -> str:
    await call.form("confirm", "Please confirm", {"properties": {"ok": {"type": "boolean"}}}, state="sealed")
    return "the seal is whole"


@tool("test_input_required_result_multiple_inputs", "Asks for a form, a sampled message and roots at once")
async def asks_three(call: Call, bus: SubscriptionBus) -> str:
    questions: dict[str, InputRequest] = {
        "user_name": form("What is your name?", _NAME),
        "greeting": sample("Generate a greeting", 50),
        "client_roots": roots(),
    }
    answers = await call.ask(questions, state="asked three things")
    named = answers["user_name"]
    assert isinstance(named, ElicitResult)
    return f"{sampled_text(answers['greeting'])}, {(named.content or {}).get('name')}"


@tool("test_input_required_result_multi_round", "Asks twice, one question after the other")
async def asks_twice(call: Call, bus: SubscriptionBus) -> str:
    known = json.loads(call.state or "{}")
    if "name" not in known:
        first = await call.form("step1", "Step 1: What is your name?", _NAME, state=json.dumps({"round": 1}))
        known = {"round": 2, "name": (first.content or {}).get("name")}
    colour = {"properties": {"color": {"type": "string"}}}
    second = await call.form("step2", "Step 2: What is your favorite color?", colour, state=json.dumps(known))
    return f"{known['name']} likes {(second.content or {}).get('color')}"


@tool("test_input_required_result_capabilities", "Asks only for what the client can do")
async def asks_what_is_possible(call: Call, bus: SubscriptionBus) -> str:
    possible: dict[str, tuple[str, InputRequest]] = {
        "name": ("elicitation", form("What is your name?", _NAME)),
        "thought": ("sampling", sample("Think of something", 50)),
        "places": ("roots", roots()),
    }
    questions = {key: asked for key, (capability, asked) in possible.items() if call.client_can(capability)}
    if not questions:
        return "This client cannot be asked anything"
    return "Answered: " + ", ".join(await call.ask(questions))


@tool("test_missing_capability", "Needs a client that samples")
async def needs_sampling(call: Call, bus: SubscriptionBus) -> str:
    call.require("sampling")
    return "This client samples"


@tool("test_streaming_elicitation", "Reports progress, then asks the user")
async def streaming_elicitation(call: Call, bus: SubscriptionBus) -> str:
    await call.context.session.report_progress(1, 2)
    return f"User response: {_shown(await call.form('user_name', 'What is your name?', _NAME))}"


@tool("test_trigger_tool_change", "Says that the list of tools changed")
async def tools_changed(call: Call, bus: SubscriptionBus) -> str:
    await bus.publish(ToolsListChanged())
    if not call.modern:
        await call.context.session.send_tool_list_changed()
    return "Told everybody about the tools"


@tool("test_trigger_prompt_change", "Says that the list of prompts changed")
async def prompts_changed(call: Call, bus: SubscriptionBus) -> str:
    await bus.publish(PromptsListChanged())
    if not call.modern:
        await call.context.session.send_prompt_list_changed()
    return "Told everybody about the prompts"


@tool("test_trigger_resource_change", "Says that the watched resource changed")
async def resource_changed(call: Call, bus: SubscriptionBus) -> str:
    await bus.publish(ResourceUpdated(uri=WATCHED))
    if not call.modern:
        await call.context.session.send_resource_updated(WATCHED)
    return "Told everybody about the resource"


@tool(
    "test_mirrored_header",
    "An argument that travels in a header too",
    region={"type": "string", "x-mcp-header": "Region"},
)
async def mirrored(call: Call, bus: SubscriptionBus) -> str:
    return f"Region {_text(call, 'region')}"


def _needs(*names: str) -> Mapping[str, Any]:
    return {"required": list(names)}


@tool(
    "json_schema_2020_12_tool",
    "Tool with JSON Schema 2020-12 features",
    schema={
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            }
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [_needs("phone"), _needs("email")]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, **_needs("contactMethod")},
        "then": _needs("phone"),
        "else": _needs("email"),
        "additionalProperties": False,
    },
)
async def wide_schema(call: Call, bus: SubscriptionBus) -> str:
    return f"Got {json.dumps(dict(call.arguments), sort_keys=True)}"


def _text(call: Call, name: str) -> str:
    value = call.arguments.get(name)
    if not isinstance(value, str):
        raise ToolFault(f"the argument {name} must be a string")
    return value


def _resource(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


def _shown(answer: ElicitResult) -> str:
    return f"action={answer.action}, content={json.dumps(answer.content or {})}"


async def _log(call: Call, text: str) -> None:
    with asked_for_what_is_deprecated():
        sending = call.context.session.send_log_message("info", text, "everything", call.context.request_id)
    await sending
