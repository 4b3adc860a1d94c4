"""Credentials that are known by their shape: what begins like a provider's key and goes on like one.

Credentials that only a word beside them gives away are `keywords`' business, keys of many lines `pem`'s.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple

_BEFORE = "(?<![0-9A-Za-z_])"
_AFTER = "(?![0-9A-Za-z_])"
_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LONGEST_AFTER = 120
SHORTEST = 15
"""Characters of the shortest of them, but for a password in a URL."""
_PLACEHOLDER = re.compile(r"[*.x]+|<.*>?|\$?\{.*|%.*|your.*|\[.*", re.IGNORECASE)


class Shape(NamedTuple):
    """One kind of credential. It begins with one of the `hints`, at most `back` characters before it; group 1 is what
    is masked."""

    label: str
    hints: tuple[str, ...]
    pattern: re.Pattern[str]
    holds: Callable[[str], bool]
    back: int = 0

    def places(self, text: str) -> Iterator[tuple[int, int]]:
        """Where such credentials stand."""
        for hint in self.hints:
            at = text.find(hint)
            while at >= 0:
                match = self._at(text, at)
                if match is not None and self.holds(match[1]):
                    yield match.span(1)
                    at = max(at, match.end() - 1)
                at = text.find(hint, at + 1)

    def _at(self, text: str, at: int) -> re.Match[str] | None:
        if not self.back:
            return self.pattern.match(text, at)
        return self.pattern.search(text, max(0, at - self.back), min(len(text), at + _LONGEST_AFTER))


def _any(value: str) -> bool:
    return True


def _shape(label: str, hints: str, pattern: str, holds: Callable[[str], bool] = _any) -> Shape:
    return Shape(label, tuple(hints.split()), re.compile(f"{_BEFORE}({pattern}){_AFTER}", re.ASCII), holds)


def _back(label: str, back: int, hint: str, pattern: str, holds: Callable[[str], bool] = _any) -> Shape:
    return _shape(label, hint, pattern, holds)._replace(back=back)


def _inside(label: str, hints: str, pattern: str, holds: Callable[[str], bool] = _any) -> Shape:
    return Shape(label, tuple(hints.split()), re.compile(pattern, re.ASCII), holds)


def is_gateway_key(value: str) -> bool:
    """Whether this gateway, or one like it, made the key: its last six characters are a checksum."""
    body = value.removeprefix("sk-")
    number = zlib.crc32(body[:-6].encode())
    check = ""
    for _ in range(6):
        number, digit = divmod(number, 62)
        check += _BASE62[digit]
    return len(body) == 49 and body[-6:] == check


def _mixed(value: str) -> bool:
    return any(char.isdigit() for char in value) and any(char.isalpha() for char in value[3:])


def _said(value: str) -> bool:
    """Whether a password of a URL is one, not a word of a manual."""
    return _PLACEHOLDER.fullmatch(value) is None


def _telegram(value: str) -> bool:
    return value.partition(":")[2][:2] == "AA"


SHAPES = (
    _shape("gateway_key", "sk-", "sk-[0-9A-Za-z_-]{49}", is_gateway_key),
    _shape("anthropic_key", "sk-ant-", "sk-ant-[0-9A-Za-z_-]{20,200}"),
    _shape(
        "openai_key",
        "sk-",
        "sk-(?:proj|svcacct|admin|None|or-v1|lf)-[0-9A-Za-z_-]{20,200}|sk-[0-9A-Za-z_-]{20,200}",
        _mixed,
    ),
    _shape("aws_access_key", "AKIA ASIA ABIA ACCA", "A(?:KI|SI|BI|CC)A[0-9A-Z]{16}"),
    _inside(
        "aws_secret_key", "AKIA ASIA", "A[KS]IA[0-9A-Z]{16}[ \\t,;:|/\"'=]{1,5}([0-9A-Za-z/+]{40})(?![0-9A-Za-z/+=])"
    ),
    _shape("google_key", "AIza", "AIza[0-9A-Za-z_-]{35}"),
    _shape("google_oauth", "GOCSPX- ya29.", "GOCSPX-[0-9A-Za-z_-]{28}|ya29\\.[0-9A-Za-z_-]{20,500}"),
    _inside(
        "azure_key",
        "AccountKey= SharedAccessKey=",
        "(?:AccountKey|SharedAccessKey)=([0-9A-Za-z+/]{86}==|[0-9A-Za-z+/]{43}=)",
    ),
    _inside("azure_signature", "?sig= &sig= ;sig=", "[?&;]sig=([0-9A-Za-z%+/]{43,120}={0,2})"),
    _shape(
        "github_token",
        "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        "gh[opusr]_[0-9A-Za-z]{36,255}|github_pat_[0-9A-Za-z_]{40,255}",
    ),
    _shape(
        "gitlab_token",
        "glpat- gldt- glrt- glptt- glsoat- glcbt- glimt- glagent- glffct- gloas-",
        "gl(?:pat|dt|rt|ptt|soat|cbt|imt|agent|ffct|oas)-[0-9A-Za-z_.-]{19,300}[0-9A-Za-z_-]",
    ),
    _shape("bitbucket_token", "ATBB ATCTT3", "AT(?:BB|CTT3)[0-9A-Za-z_=-]{24,220}"),
    _shape("slack_token", "xox xapp-", "xox[abeoprs]-[0-9A-Za-z-]{10,250}|xapp-[0-9]-[0-9A-Za-z-]{20,250}"),
    _inside(
        "slack_webhook",
        "hooks.slack.com",
        "hooks\\.slack\\.com/(?:services|workflows|triggers)/([0-9A-Za-z/_-]{20,200})",
    ),
    _shape(
        "stripe_key",
        "sk_live_ rk_live_ sk_test_ rk_test_ whsec_",
        "[rs]k_(?:live|test)_[0-9A-Za-z]{16,250}|whsec_[0-9A-Za-z+/]{24,100}",
    ),
    _shape("twilio_key", "SK", "SK[0-9a-f]{32}"),
    _shape("sendgrid_key", "SG.", "SG\\.[0-9A-Za-z_-]{16,32}\\.[0-9A-Za-z_-]{32,64}"),
    _shape("npm_token", "npm_", "npm_[0-9A-Za-z]{36}"),
    _inside("npm_token", "_authToken", "_authToken ?= ?([0-9A-Za-z_-]{20,200})"),
    _shape("pypi_token", "pypi-", "pypi-[0-9A-Za-z_-]{50,500}"),
    _shape("huggingface_token", "hf_ api_org_", "(?:hf|api_org)_[0-9A-Za-z]{30,50}"),
    _shape("jwt", "eyJ", "eyJ[0-9A-Za-z_-]{8,600}\\.eyJ[0-9A-Za-z_-]{4,8000}(?:\\.[0-9A-Za-z_-]{0,4000})?"),
    _inside(
        "url_password",
        "://",
        "://[^\\s:/@\"'<>\x7f-\U0010ffff]{0,100}:([^\\s/@\"'<>\x7f-\U0010ffff]{1,200})@(?=[0-9A-Za-z[])",
        _said,
    ),
    _shape("groq_key", "gsk_", "gsk_[0-9A-Za-z]{40,80}"),
    _shape("xai_key", "xai-", "xai-[0-9A-Za-z_-]{60,120}"),
    _shape("replicate_token", "r8_", "r8_[0-9A-Za-z]{30,60}"),
    _shape("perplexity_key", "pplx-", "pplx-[0-9A-Za-z]{40,80}"),
    _shape("nvidia_key", "nvapi-", "nvapi-[0-9A-Za-z_-]{50,100}"),
    _shape("databricks_token", "dapi", "dapi[0-9a-f]{32}(?:-[0-9])?"),
    _shape("digitalocean_token", "dop_v1_ doo_v1_ dor_v1_", "do[opr]_v1_[0-9a-f]{64}"),
    _shape("doppler_token", "dp.", "dp\\.(?:pt|st|ct|sa|scim|audit)\\.[0-9A-Za-z._-]{39,80}[0-9A-Za-z_-]"),
    _shape("dynatrace_token", "dt0c01.", "dt0c01\\.[0-9A-Z]{24}\\.[0-9A-Z]{64}"),
    _shape("grafana_token", "glc_ glsa_", "glc_[0-9A-Za-z+/]{32,400}={0,3}|glsa_[0-9A-Za-z]{32}_[0-9A-Fa-f]{8}"),
    _back("terraform_token", 14, ".atlasv1.", "[0-9A-Za-z]{14}\\.atlasv1\\.[0-9A-Za-z_=-]{60,70}"),
    _shape("vault_token", "hvs. hvb.", "hv[sb]\\.[0-9A-Za-z_-]{24,300}"),
    _shape("linear_key", "lin_api_", "lin_api_[0-9A-Za-z]{40}"),
    _shape("planetscale_token", "pscale_", "pscale_(?:tkn|pw|oauth)_[0-9A-Za-z=._-]{31,64}[0-9A-Za-z=_-]"),
    _shape("postman_key", "PMAK-", "PMAK-[0-9a-fA-F]{24}-[0-9a-fA-F]{34}"),
    _shape("prefect_token", "pnu_", "pnu_[0-9A-Za-z]{36}"),
    _shape("pulumi_token", "pul-", "pul-[0-9a-f]{40}"),
    _shape("readme_key", "rdme_", "rdme_[0-9a-z]{70}"),
    _shape("rubygems_key", "rubygems_", "rubygems_[0-9a-f]{48}"),
    _shape("shopify_token", "shpat_ shpca_ shppa_ shpss_", "shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32}"),
    _shape("square_token", "sq0 EAAA", "sq0(?:csp|atp|idp)-[0-9A-Za-z_-]{22,43}|EAAA[0-9A-Za-z_-]{60}"),
    _back("mailchimp_key", 32, "-us", "[0-9a-f]{32}-us[0-9]{1,2}"),
    _shape("mailgun_key", "key-", "key-[0-9a-f]{32}"),
    _shape("sendinblue_key", "xkeysib-", "xkeysib-[0-9a-f]{64}-[0-9A-Za-z]{16}"),
    _shape("newrelic_key", "NRAK- NRJS- NRII-", "NRAK-[0-9A-Z]{27}|NRJS-[0-9a-f]{19}|NRII-[0-9A-Za-z-]{32}"),
    _shape("age_key", "AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    _shape("alibaba_key", "LTAI", "LTAI[0-9A-Za-z]{20}"),
    _shape("airtable_token", "pat", "pat[0-9A-Za-z]{14}\\.[0-9a-f]{64}"),
    _shape("atlassian_token", "ATATT3", "ATATT3[0-9A-Za-z_=-]{100,250}"),
    _shape("artifactory_token", "AKC AP", "AKC[0-9A-Za-z]{60,80}|AP[0-9A-F][0-9A-Za-z]{69}"),
    _shape("clojars_token", "CLOJARS_", "CLOJARS_[0-9a-z]{60}"),
    _shape("duffel_token", "duffel_", "duffel_(?:test|live)_[0-9A-Za-z_=-]{43}"),
    _shape("easypost_key", "EZAK EZTK", "EZ[AT]K[0-9A-Za-z]{54}"),
    _shape("flutterwave_key", "FLWSECK", "FLWSECK(?:_TEST)?-[0-9a-hA-H-]{12,40}(?:-X)?"),
    _shape("frameio_token", "fio-u-", "fio-u-[0-9A-Za-z_=-]{64}"),
    _shape("heroku_key", "HRKU-", "HRKU-[0-9A-Za-z_-]{36,80}"),
    _shape("shippo_token", "shippo_", "shippo_(?:live|test)_[0-9a-f]{40}"),
    _back("telegram_token", 10, ":AA", "[0-9]{8,10}:[0-9A-Za-z_-]{35}", _telegram),
    _shape("typeform_token", "tfp_", "tfp_[0-9A-Za-z_.=-]{39,80}[0-9A-Za-z_=-]"),
    _inside(
        "teams_webhook",
        "webhook.office.com",
        "webhook\\.office\\.com/webhookb2/([0-9a-fA-F@-]{36,80}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f-]{36})",
    ),
)

LABELS = frozenset(shape.label for shape in SHAPES)
