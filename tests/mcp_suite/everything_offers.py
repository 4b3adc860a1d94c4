"""The resources, prompts and completions of the everything-server, as the conformance suite's scenarios describe them.

How they are served, and in which era, is not their business.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    BlobResourceContents,
    Completion,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    Prompt,
    PromptArgument,
    PromptMessage,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
)

from .asking import Call
from .media import PNG, WATCHED

PromptFunction = Callable[[Call], Awaitable[list[ContentBlock]]]
PROMPTS: dict[str, tuple[Prompt, PromptFunction]] = {}
RESOURCES = [
    Resource(uri="test://static-text", name="static-text", description="A text", mime_type="text/plain"),
    Resource(uri="test://static-binary", name="static-binary", description="A picture", mime_type="image/png"),
    Resource(uri=WATCHED, name="watched-resource", description="A text that may change", mime_type="text/plain"),
]
TEMPLATES = [
    ResourceTemplate(
        uri_template="test://template/{id}/data",
        name="template",
        description="Data for any id",
        mime_type="application/json",
    )
]
_COMPLETIONS = ("paris", "park", "party", "hello", "world")
_TEMPLATE_HEAD, _TEMPLATE_TAIL = "test://template/", "/data"


def read(uri: str) -> TextResourceContents | BlobResourceContents:
    """The contents at `uri`; an address that is none of ours is refused."""
    if uri == "test://static-text":
        text = "This is the content of the static text resource."
        return TextResourceContents(uri=uri, mime_type="text/plain", text=text)
    if uri == "test://static-binary":
        return BlobResourceContents(uri=uri, mime_type="image/png", blob=PNG)
    if uri == WATCHED:
        return TextResourceContents(uri=uri, mime_type="text/plain", text="Nothing has changed yet.")
    if uri.startswith(_TEMPLATE_HEAD) and uri.endswith(_TEMPLATE_TAIL):
        name = uri[len(_TEMPLATE_HEAD) : -len(_TEMPLATE_TAIL)]
        data = {"id": name, "templateTest": True, "data": f"Data for ID: {name}"}
        text = json.dumps(data, separators=(",", ":"))
        return TextResourceContents(uri=uri, mime_type="application/json", text=text)
    raise MCPError(INVALID_PARAMS, "Resource not found", {"uri": uri})


def complete(prefix: str) -> Completion:
    """The words that begin with `prefix`."""
    found = [word for word in _COMPLETIONS if word.startswith(prefix)]
    return Completion(values=found, total=len(found), has_more=False)


def prompt(name: str, description: str, **arguments: str) -> Callable[[PromptFunction], PromptFunction]:
    """Register a prompt; the keywords are its required arguments and what they mean."""
    named = [PromptArgument(name=key, description=text, required=True) for key, text in arguments.items()]

    def register(function: PromptFunction) -> PromptFunction:
        PROMPTS[name] = (Prompt(name=name, description=description, arguments=named or None), function)
        return function

    return register


def messages(blocks: list[ContentBlock]) -> list[PromptMessage]:
    return [PromptMessage(role="user", content=block) for block in blocks]


@prompt("test_simple_prompt", "One text")
async def simple(call: Call) -> list[ContentBlock]:
    return [TextContent(text="This is a simple prompt for testing.")]


@prompt(
    "test_prompt_with_arguments", "A text with two arguments", arg1="First test argument", arg2="Second test argument"
)
async def with_arguments(call: Call) -> list[ContentBlock]:
    first, second = _argument(call, "arg1"), _argument(call, "arg2")
    return [TextContent(text=f"Prompt with arguments: arg1='{first}', arg2='{second}'")]


@prompt("test_prompt_with_embedded_resource", "A resource and a text", resourceUri="URI of the resource to embed")
async def with_resource(call: Call) -> list[ContentBlock]:
    uri = _argument(call, "resourceUri")
    text = "Embedded resource content for testing."
    held = TextResourceContents(uri=uri, mime_type="text/plain", text=text)
    return [EmbeddedResource(resource=held), TextContent(text="Please process the embedded resource above.")]


@prompt("test_prompt_with_image", "An image and a text")
async def with_image(call: Call) -> list[ContentBlock]:
    return [ImageContent(data=PNG, mime_type="image/png"), TextContent(text="Please analyze the image above.")]


@prompt("test_input_required_result_prompt", "A text that depends on what the user answers")
async def with_question(call: Call) -> list[ContentBlock]:
    asked = {"properties": {"context": {"type": "string"}}}
    answer = await call.form("user_context", "What context should the prompt use?", asked)
    return [TextContent(text=f"Context: {(answer.content or {}).get('context', 'none')}")]


def _argument(call: Call, name: str) -> str:
    value = call.arguments.get(name)
    if not isinstance(value, str):
        raise MCPError(INVALID_PARAMS, f"the argument {name} is missing")
    return value
