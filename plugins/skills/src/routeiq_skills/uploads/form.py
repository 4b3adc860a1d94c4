"""`multipart/form-data`: fields and files of an upload, within bounds.

What the files are is found out elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from routeiq_sdk.values.http import HttpRequest
from routeiq_skills.store.limits import LIMITS
from routeiq_skills.uploads.home import wrong

_MOST_PARTS = LIMITS.files + 16
_MOST_FIELD = 4096
_MOST_HEADERS = 4096


@dataclass(frozen=True, slots=True)
class Form:
    """Text fields, and files by the names that their sender gave them."""

    fields: Mapping[str, str]
    files: tuple[tuple[str, bytes], ...]


@dataclass(slots=True)
class _Part:
    name: str = ""
    filename: str | None = None
    data: bytearray = field(default_factory=bytearray)


def form_of(request: HttpRequest) -> Form:
    """The form of a request. Raises `Refused`."""
    kind, options = parse_options_header(request.headers.get("content-type"))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise wrong("Send the files as multipart/form-data, each in a part named files[].")
    reader = _Reader()
    try:
        parser = MultipartParser(
            boundary,
            {
                "on_part_begin": reader.begin,
                "on_part_data": reader.data,
                "on_part_end": reader.end,
                "on_header_field": reader.header_field,
                "on_header_value": reader.header_value,
                "on_header_end": reader.header_end,
                "on_headers_finished": reader.headers_finished,
                "on_end": reader.finished,
            },
        )
        parser.write(request.body)
        parser.finalize()
    except (FormParserError, ValueError):
        raise wrong("The multipart body is broken.") from None
    if not reader.complete:
        raise wrong("The multipart body is cut off.")
    return Form(reader.fields, tuple(reader.files))


class _Reader:
    def __init__(self) -> None:
        self.fields: dict[str, str] = {}
        self.files: list[tuple[str, bytes]] = []
        self.complete = False
        self._parts = 0
        self._part = _Part()
        self._field, self._value = bytearray(), bytearray()
        self._headers: dict[bytes, bytes] = {}
        self._head = 0

    def begin(self) -> None:
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise wrong(f"The form has more than {_MOST_PARTS} parts.")
        self._part, self._headers, self._head = _Part(), {}, 0

    def header_field(self, data: bytes, start: int, end: int) -> None:
        self._take(self._field, data, start, end)

    def header_value(self, data: bytes, start: int, end: int) -> None:
        self._take(self._value, data, start, end)

    def header_end(self) -> None:
        self._headers[bytes(self._field).lower()] = bytes(self._value)
        self._field.clear()
        self._value.clear()

    def headers_finished(self) -> None:
        kind, options = parse_options_header(self._headers.get(b"content-disposition"))
        if kind != b"form-data" or b"name" not in options:
            raise wrong("A part of the form has no name.")
        try:
            self._part.name = options[b"name"].decode("utf-8")
            told = options.get(b"filename")
            self._part.filename = told.decode("utf-8") if told is not None else None
        except UnicodeDecodeError:
            raise wrong("A name in the form is not UTF-8.") from None

    def data(self, data: bytes, start: int, end: int) -> None:
        if self._part.filename is None and len(self._part.data) + end - start > _MOST_FIELD:
            raise wrong(f"A field of the form has more than {_MOST_FIELD} bytes.")
        self._part.data += data[start:end]

    def end(self) -> None:
        part = self._part
        if part.filename is None:
            try:
                self.fields[part.name] = part.data.decode("utf-8")
            except UnicodeDecodeError:
                raise wrong("A field of the form is not UTF-8.") from None
        elif part.name in ("files", "files[]") or part.name.startswith("files["):
            self.files.append((part.filename, bytes(part.data)))
        else:
            raise wrong("Files belong in parts named files[].")

    def finished(self) -> None:
        self.complete = True

    def _take(self, into: bytearray, data: bytes, start: int, end: int) -> None:
        self._head += end - start
        if self._head > _MOST_HEADERS:
            raise wrong("The headers of a part are too long.")
        into += data[start:end]
