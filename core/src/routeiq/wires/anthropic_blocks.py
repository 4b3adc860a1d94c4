"""One block of content: Anthropic's text, images, documents and search results to chat content parts and back.

Tool calls, tool results and thinking are not content here; messages and their order are for `anthropic_turns`.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from routeiq.wires.reading import Untranslatable, as_list, as_object, as_text

Part = dict[str, Any]


def with_cache_mark(target: Part, source: Part) -> Part:
    """`target` with the cache breakpoint of `source`, if it has one. Chat JSON has no word for it: an extension."""
    if isinstance(mark := source.get("cache_control"), dict):
        target["cache_control"] = mark
    return target


def to_parts(value: object, param: str) -> list[Part]:
    """Chat parts of one Anthropic block. An empty text has none."""
    block = as_object(value, param)
    kind = block.get("type")
    if kind == "text":
        parts = _text_parts(as_text(block.get("text"), f"{param}.text"))
    elif kind == "image":
        parts = [_image_part(block, param)]
    elif kind == "document":
        parts = _document_parts(block, param)
    elif kind == "search_result":
        parts = _text_parts(_search_result_text(block, param))
    else:
        raise Untranslatable(f"{param}.type", f"content of type {kind!r:.40} has no equivalent on the chat wire")
    if parts:
        with_cache_mark(parts[-1], block)
    return parts


def _text_parts(text: str) -> list[Part]:
    return [{"type": "text", "text": text}] if text else []


def _source(block: Part, param: str) -> Part:
    return as_object(block.get("source"), f"{param}.source")


def _data_url(source: Part, param: str) -> str:
    media_type = as_text(source.get("media_type"), f"{param}.source.media_type")
    return f"data:{media_type};base64,{as_text(source.get('data'), f'{param}.source.data')}"


def _image_part(block: Part, param: str) -> Part:
    source = _source(block, param)
    if source.get("type") == "base64":
        return {"type": "image_url", "image_url": {"url": _data_url(source, param)}}
    if source.get("type") == "url":
        return {"type": "image_url", "image_url": {"url": as_text(source.get("url"), f"{param}.source.url")}}
    raise Untranslatable(f"{param}.source.type", "only base64 and url images have an equivalent on the chat wire")


def _document_parts(block: Part, param: str) -> list[Part]:
    source = _source(block, param)
    kind = source.get("type")
    if kind == "base64":
        title = block.get("title")
        name = title if isinstance(title, str) and title else "document.pdf"
        return [{"type": "file", "file": {"filename": name, "file_data": _data_url(source, param)}}]
    heading = [line for field in ("title", "context") if isinstance(line := block.get(field), str) and line]
    if kind == "text":
        return _text_parts("\n".join([*heading, as_text(source.get("data"), f"{param}.source.data")]))
    if kind == "content":
        content = source.get("content")
        if isinstance(content, str):
            return _text_parts("\n".join([*heading, content]))
        parts = _text_parts("\n".join(heading))
        for place, inner in enumerate(as_list(content, f"{param}.source.content")):
            inner_param = f"{param}.source.content.{place}"
            if as_object(inner, inner_param).get("type") not in ("text", "image"):
                raise Untranslatable(f"{inner_param}.type", "only text and images are expected in a document")
            parts += to_parts(inner, inner_param)
        return parts
    raise Untranslatable(f"{param}.source.type", f"a document from {kind!r:.40} has no equivalent on the chat wire")


def _search_result_text(block: Part, param: str) -> str:
    lines = [as_text(block.get(field), f"{param}.{field}") for field in ("title", "source")]
    for place, inner in enumerate(as_list(block.get("content"), f"{param}.content")):
        inner_param = f"{param}.content.{place}"
        lines.append(as_text(as_object(inner, inner_param).get("text"), f"{inner_param}.text"))
    return "\n".join(lines)


def from_part(value: object, param: str) -> list[Part]:
    """Anthropic blocks of one chat part: one, or none for empty or blank text, which Anthropic refuses."""
    part = as_object(value, param)
    kind = part.get("type")
    if kind in ("text", "refusal"):
        text = as_text(part.get(kind), f"{param}.{kind}")
        return [with_cache_mark({"type": "text", "text": text}, part)] if text.strip() else []
    if kind == "image_url":
        image = part.get("image_url")
        url = image if isinstance(image, str) else as_object(image, f"{param}.image_url").get("url")
        return [with_cache_mark({"type": "image", "source": _image_source(url, f"{param}.image_url.url")}, part)]
    if kind == "file":
        return [with_cache_mark(_file_block(as_object(part.get("file"), f"{param}.file"), param), part)]
    raise Untranslatable(f"{param}.type", f"content of type {kind!r:.40} has no equivalent on the Anthropic wire")


def _image_source(value: object, param: str) -> Part:
    url = as_text(value, param)
    if not url.startswith("data:"):
        return {"type": "url", "url": url}
    media_type, data = _split_data_url(url, param)
    return {"type": "base64", "media_type": media_type, "data": data}


def _file_block(file: Part, param: str) -> Part:
    if file.get("file_data") is None:
        raise Untranslatable(f"{param}.file", "only files sent along as file_data have an equivalent")
    data_param = f"{param}.file.file_data"
    media_type, data = _split_data_url(as_text(file["file_data"], data_param), data_param)
    if media_type.startswith("image/"):
        return {"type": "image", "source": {"type": "base64", "media_type": media_type, "data": data}}
    if media_type == "application/pdf":
        source = {"type": "base64", "media_type": media_type, "data": data}
    elif media_type == "text/plain":
        source = {"type": "text", "media_type": media_type, "data": _plain_text(data, data_param)}
    else:
        raise Untranslatable(data_param, f"a file of type {media_type!r:.40} has no equivalent on the Anthropic wire")
    name = file.get("filename")
    return {"type": "document", "source": source} | ({"title": name} if isinstance(name, str) and name else {})


def _split_data_url(url: str, param: str) -> tuple[str, str]:
    head, comma, data = url.partition(",")
    if not (head.startswith("data:") and head.endswith(";base64") and comma):
        raise Untranslatable(param, "a data URL in base64 is expected")
    return head[len("data:") : -len(";base64")].partition(";")[0], data


def _plain_text(data: str, param: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        raise Untranslatable(param, "text in UTF-8, as base64, is expected") from None
