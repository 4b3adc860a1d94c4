"""What the guard takes for a credential, what it does not, and that prose and code are left alone."""

from __future__ import annotations

import hashlib

import pytest

from routeiq_guard_secrets import keywords, shapes
from routeiq_guard_secrets.detectors import ALL, DETECTORS
from routeiq_guard_secrets.inspector import Secrets

from .secrets_made import BESIDE, PASSWORD, SHAPES, gateway_key, pem, secret, some


def found(text: str, *kinds: str, entropy: float = 3.0, allow: tuple[str, ...] = ()) -> list[tuple[str, str]]:
    inspector = Secrets(frozenset(kinds) or ALL, mask=True, entropy=entropy, allow=allow)
    return sorted({(text[each.start : each.end], each.label) for each in inspector.inspect(text, "user")})


def test_every_kind_has_examples() -> None:
    assert set(SHAPES) | set(BESIDE) | {"private_key"} == ALL


@pytest.mark.parametrize(("label", "value"), [(label, value) for label, values in SHAPES.items() for value in values])
def test_a_credential_is_found_by_its_shape_wherever_it_stands(label: str, value: str) -> None:
    for before, after in [
        ("", ""),
        ("use ", "."),
        ('{"a":"', '"}'),
        ("`", "`"),
        ("键", "键"),
        ("KEY=", "\n"),
        ("(", ")"),
    ]:
        assert (value, label) in found(before + value + after, label), before
    assert found(f"{value} {value}\n{value}", label) == [(value, label)]
    assert found("x" + value, label) == [], "the end of a word is no key"


@pytest.mark.parametrize(
    ("label", "before", "value"), [(label, *each) for label, examples in BESIDE.items() for each in examples]
)
def test_a_credential_is_found_by_what_stands_before_it_and_only_the_value_counts(
    label: str, before: str, value: str
) -> None:
    quote = before[-2:] if before[-2:] == '\\"' else before[-1] if before[-1] in "\"'" else ""
    after = "@host/x" if label == "url_password" else quote
    assert (value, label) in found(before + value + after, label)
    assert (value, label) in found(f"Some words.\n  {before}{value}{after}\nMore.", label)


@pytest.mark.parametrize("kind", ["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"])
@pytest.mark.parametrize("between", ["\n", "\r\n", "\\n"])
def test_a_private_key_is_found_with_its_first_and_last_line(kind: str, between: str) -> None:
    key = pem(kind, between=between)
    assert found(f"here: {key} and more", "private_key") == [(key, "private_key")]
    assert found(f"{key}\n{pem(kind)}", "private_key")[1:] != []


def test_a_private_key_with_headers_or_without_an_end_is_found_and_the_mere_words_are_not() -> None:
    lines = pem().split("\n")
    headed = "\n".join([lines[0], "Proc-Type: 4,ENCRYPTED", "DEK-Info: AES-256-CBC," + "A1" * 16, "", *lines[1:]])
    assert found(headed, "private_key") == [(headed, "private_key")]
    ((value, _),) = found("\n".join(lines[:4]) + "\n...", "private_key")
    assert value.startswith("\n".join(lines[:4]))
    for words in ("It begins with -----BEGIN PRIVATE KEY----- and then base64.", lines[0] + "\n...\n" + lines[-1]):
        assert found(words) == []
    assert found(pem("PUBLIC KEY").replace("PUBLIC", "PUBLIC ")) == []
    assert found(pem("CERTIFICATE")) == []


@pytest.mark.parametrize(
    "text",
    [
        "password = os.environ['DB_PASSWORD']", "api_key=settings.openai.key1", "token = get_token(user1)",
        "password: ${DB_PASSWORD1}", "password = {{ vault.password1 }}", "token: <your-token-1>", "secret = $SECRET1",
        "api_key = 'your-api-key-1234'", "password: ********", "password=changeme1", "max_tokens=4096",
        "max_tokens: 100000",
        "the password is required", "the token is invalid.", "Token: string", "password: required",
        "key: value1234567890",
        "secret = 'aaaaaaaa1'", "The secret of 1984 is well kept.", "token_count = 12", "api_key: str | None = None",
        "sk-learn", "sk-fading-circle-and-another-class-name", "import sk-something", "AKIA", "AKIAIOSFODNN7",
        "eyJhbGciOiJIUzI1NiJ9", "ghp_short", "https://example.com:8080/a@b", "https://user@example.com",
        "mailto:a@example.com",
        "postgres://user:${PASSWORD}@host", "redis://:<password>@host", "git@github.com:org/repo",
        "basic understanding",
        "Bearer characteristics", "Authorization: Basic realm", "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904",
        "550e8400-e29b-41d4-a716-446655440000", "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAUA", "en-us12",
        "12:AA",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_credential_is_left_alone(text: str) -> None:
    assert found(text) == []
    assert found(f"Before. {text} After.") == []


def test_the_pages_and_the_sources_of_this_project_hold_no_more_than_their_examples() -> None:
    from pathlib import Path

    root = Path(__file__).resolve().parents[3]
    files = [
        *root.glob("docs/explanation/*.md"),
        *root.glob("plugin_sdk/src/**/*.py"),
        *root.glob("core/src/routeiq/request/*.py"),
    ]
    assert len(files) > 40
    assert [(path.name, hit) for path in files for hit in found(path.read_text(encoding="utf-8"))] == []


def test_the_entropy_that_is_asked_for_decides_about_values_that_a_word_gives_away() -> None:
    assert found("password = abcabc12", entropy=2.0) != []
    assert found("password = abcabc12", entropy=3.0) == []
    assert keywords.bits("aaaa") == 0
    assert keywords.bits("abcd") == 2
    assert keywords.bits("") == 0


def test_what_is_allowed_passes_whole_and_only_whole() -> None:
    key, other = "sk-" + some(40), "sk-" + some(40)
    digest = "sha256:" + hashlib.sha256(key.encode()).hexdigest()
    text = f"{key} {other}"
    assert found(text, "openai_key", allow=(digest,)) == [(other, "openai_key")]
    assert found(text, "openai_key", allow=(digest.upper().replace("SHA256", "sha256"),)) == [(other, "openai_key")]
    assert found(text, "openai_key", allow=(f"{key[:20]}.*",)) == [(other, "openai_key")]
    assert len(found(text, "openai_key", allow=("sk-",))) == 2


def test_a_key_of_this_gateway_is_told_by_its_checksum() -> None:
    key = gateway_key()
    assert shapes.is_gateway_key(key)
    assert not shapes.is_gateway_key(key[:-1] + ("x" if key[-1] != "x" else "y"))
    assert ("gateway_key" in dict(map(reversed, found(key)))) is True


def test_only_the_kinds_that_are_asked_for_are_found() -> None:
    text = f"ghp_{some(36)} AKIA{'A2' * 8} {secret()} password={PASSWORD}"
    assert {label for _, label in found(text, "github_token")} == {"github_token"}
    assert {label for _, label in found(text)} == {"github_token", "aws_access_key", "aws_secret_key", "keyword"}


def test_every_detector_stands_for_kinds_that_there_are() -> None:
    assert {kind for kinds in DETECTORS.values() for kind in kinds} <= ALL
