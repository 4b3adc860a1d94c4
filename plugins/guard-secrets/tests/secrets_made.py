"""Credentials that open nothing, made anew for each run, so that no scanner finds one in the repository.

Every shape that the guard knows has an example here.
"""

from __future__ import annotations

import base64
import random
import string
import zlib

DICE = random.Random(5)
WORD = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
URL = WORD + "-_"


def some(count: int, alphabet: str = WORD) -> str:
    """Random characters, the last a letter and the first a digit."""
    return DICE.choice("123456789") + "".join(DICE.choice(alphabet) for _ in range(count - 2)) + DICE.choice("abcdef")


def gateway_key() -> str:
    """As a gateway makes keys: 43 characters and six of their checksum."""
    body = some(43, URL)
    number, check = zlib.crc32(body.encode()), ""
    digits = string.digits + string.ascii_uppercase + string.ascii_lowercase
    for _ in range(6):
        number, digit = divmod(number, 62)
        check += digits[digit]
    return "sk-" + body + check


def token(*parts: int) -> str:
    """A JSON web token in name only."""
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').decode().rstrip("=")
    body = base64.urlsafe_b64encode(b'{"sub":"1234567890","name":"Jane"}').decode().rstrip("=")
    return f"{head}.{body}.{some(43, URL)}"


def pem(kind: str = "RSA PRIVATE KEY", lines: int = 6, between: str = "\n") -> str:
    """A private key in name only."""
    body = between.join(some(64, WORD + "+/") for _ in range(lines))
    return between.join((f"-----BEGIN {kind}-----", body, f"-----END {kind}-----"))


def secret(length: int = 40) -> str:
    """The secret half of a pair."""
    return some(length, WORD + "/+")


SHAPES: dict[str, list[str]] = {
    "gateway_key": [gateway_key()],
    "anthropic_key": ["sk-ant-" + "api03-" + some(93, URL)],
    "openai_key": ["sk-" + some(48), "sk-proj-" + some(100, URL), "sk-or-v1-" + some(64, HEX), "sk-" + some(22, URL)],
    "aws_access_key": ["AKIA" + some(15, string.ascii_uppercase + string.digits)[:-1] + "AB"],
    "google_key": ["AIza" + some(35, URL)],
    "google_oauth": ["GOCSPX-" + some(28, URL), "ya29." + some(60, URL)],
    "github_token": ["ghp_" + some(36), "ghs_" + some(36), "github_pat_" + some(22) + "_" + some(59)],
    "gitlab_token": ["glpat-" + some(20, URL)],
    "bitbucket_token": ["ATBB" + some(32)],
    "slack_token": ["xoxb-" + some(12, string.digits) + "-" + some(24), "xapp-1-" + some(40)],
    "stripe_key": ["sk_live_" + some(24), "rk_test_" + some(24), "whsec_" + some(32)],
    "twilio_key": ["SK" + some(32, HEX)],
    "sendgrid_key": ["SG." + some(22, URL) + "." + some(43, URL)],
    "npm_token": ["npm_" + some(36)],
    "pypi_token": ["pypi-" + some(150, URL)],
    "huggingface_token": ["hf_" + some(34)],
    "jwt": [token()],
    "groq_key": ["gsk_" + some(52)],
    "xai_key": ["xai-" + some(80)],
    "replicate_token": ["r8_" + some(37)],
    "perplexity_key": ["pplx-" + some(48)],
    "nvidia_key": ["nvapi-" + some(64, URL)],
    "databricks_token": ["dapi" + some(32, HEX)],
    "digitalocean_token": ["dop_v1_" + some(64, HEX)],
    "doppler_token": ["dp.pt." + some(43)],
    "dynatrace_token": ["dt0c01." + ("A1" * 12) + "." + ("B2" * 32)],
    "grafana_token": ["glsa_" + some(32) + "_" + some(8, HEX), "glc_" + some(60)],
    "terraform_token": [some(14) + ".atlasv1." + some(64)],
    "vault_token": ["hvs." + some(90, URL)],
    "linear_key": ["lin_api_" + some(40)],
    "planetscale_token": ["pscale_tkn_" + some(43)],
    "postman_key": ["PMAK-" + some(24, HEX) + "-" + some(34, HEX)],
    "prefect_token": ["pnu_" + some(36)],
    "pulumi_token": ["pul-" + some(40, HEX)],
    "readme_key": ["rdme_" + some(70, string.ascii_lowercase + string.digits)],
    "rubygems_key": ["rubygems_" + some(48, HEX)],
    "shopify_token": ["shpat_" + some(32, HEX)],
    "square_token": ["sq0atp-" + some(22, URL), "EAAA" + some(60, URL)],
    "mailchimp_key": [some(32, HEX) + "-us12"],
    "mailgun_key": ["key-" + some(32, HEX)],
    "sendinblue_key": ["xkeysib-" + some(64, HEX) + "-" + some(16)],
    "newrelic_key": ["NRAK-" + "A1B" * 9],
    "age_key": ["AGE-SECRET-KEY-1" + "Q2" * 29],
    "alibaba_key": ["LTAI" + some(20)],
    "airtable_token": ["pat" + some(14) + "." + some(64, HEX)],
    "atlassian_token": ["ATATT3" + some(180, URL)],
    "artifactory_token": ["AKC" + some(64), "APA" + some(69)],
    "clojars_token": ["CLOJARS_" + some(60, string.ascii_lowercase + string.digits)],
    "duffel_token": ["duffel_live_" + some(43, URL)],
    "easypost_key": ["EZAK" + some(54)],
    "flutterwave_key": ["FLWSECK_TEST-" + some(12, HEX)],
    "frameio_token": ["fio-u-" + some(64, URL)],
    "heroku_key": ["HRKU-" + some(60, URL)],
    "shippo_token": ["shippo_live_" + some(40, HEX)],
    "telegram_token": ["123456789:AA" + some(33, URL)],
    "typeform_token": ["tfp_" + some(44)],
}
"""Credentials that stand alone, by label."""

PASSWORD = "Tr0ub4dor" + "&3x"
AZURE = some(86, WORD + "+/") + "=="
BASIC = base64.b64encode(b"jane:" + PASSWORD.encode()).decode()

BESIDE: dict[str, list[tuple[str, str]]] = {
    "aws_secret_key": [("AKIA" + "A2" * 8 + ", ", secret()), ("ASIA" + "B3" * 8 + '"="', secret())],
    "azure_key": [("DefaultEndpointsProtocol=https;AccountName=a;AccountKey=", AZURE)],
    "azure_signature": [("https://a.blob.core.windows.net/b?sv=2024&sig=", some(43) + "%3D")],
    "slack_webhook": [("https://hooks.slack.com/services/", "T0" + some(8) + "/B0" + some(8) + "/" + some(24))],
    "teams_webhook": [
        (
            "https://x.webhook.office.com/webhookb2/",
            f"{some(36, HEX)}@{some(36, HEX)}/IncomingWebhook/{some(32, HEX)}/{some(36, HEX)}",
        ),
    ],
    "npm_token": [("//registry.npmjs.org/:_authToken=", some(36, HEX))],
    "url_password": [("postgresql://app:", PASSWORD), ("https://:", PASSWORD)],
    "authorization": [("Authorization: Basic ", BASIC), ("authorization: bearer ", some(40))],
    "keyword": [
        ("password = ", PASSWORD), ("DB_PASSWORD=", PASSWORD), ('"api_key": "', PASSWORD),
        ("client_secret: '", PASSWORD),
        ("my password is ", PASSWORD), ("aws_secret_access_key=", secret()), ("access-key := ", PASSWORD),
        ('{\\"token\\": \\"', PASSWORD), ("API key: ", PASSWORD), ("config['secret_key'] = \"", PASSWORD),
        ('passphrase = "', "correct horse 7 battery staple"), ("TOKEN=>", PASSWORD), ("Pwd:", "84651937"),
    ],
}  # fmt: skip
"""Credentials that something before them gives away, by label: what stands before, and what is masked."""
