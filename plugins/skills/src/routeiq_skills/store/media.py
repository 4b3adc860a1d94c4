"""Media types of files by their names, the same on every machine.

What a browser may do with them is the HTTP face's business.
"""

from __future__ import annotations

from typing import Final

_TYPES: Final = {
    "md": "text/markdown",
    "markdown": "text/markdown",
    "txt": "text/plain",
    "csv": "text/csv",
    "html": "text/html",
    "htm": "text/html",
    "css": "text/css",
    "js": "text/javascript",
    "mjs": "text/javascript",
    "ts": "text/x-typescript",
    "py": "text/x-python",
    "sh": "text/x-shellscript",
    "rb": "text/x-ruby",
    "go": "text/x-go",
    "rs": "text/x-rust",
    "sql": "application/sql",
    "json": "application/json",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "toml": "application/toml",
    "xml": "application/xml",
    "svg": "image/svg+xml",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "pdf": "application/pdf",
    "zip": "application/zip",
    "gz": "application/gzip",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "wasm": "application/wasm",
    "ttf": "font/ttf",
    "otf": "font/otf",
    "woff2": "font/woff2",
}


def media_type_of(path: str, is_text: bool) -> str:
    """The media type of a file; one of an unknown name is plain text or just bytes."""
    _, dot, ending = path.rpartition("/")[2].rpartition(".")
    known = _TYPES.get(ending.lower()) if dot else None
    if known is not None and (is_text or not known.startswith("text/")):
        return known
    return "text/plain" if is_text else "application/octet-stream"


def text_of(data: bytes) -> str | None:
    """The text that these bytes are in UTF-8, when it gives back exactly them."""
    if b"\0" in data:
        return None
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return None
