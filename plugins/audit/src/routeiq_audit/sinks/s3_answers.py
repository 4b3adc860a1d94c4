"""What the refusals of S3 mean: which of them pass by themselves, and what mends the others.

Asking is the sink's business.
"""

from __future__ import annotations

import re

from routeiq_audit.sinks.base import SinkRefused, SinkUnavailable
from routeiq_audit.sinks.calling import Answer

_CODE = re.compile(rb"<Code>([A-Za-z0-9.]+)</Code>")
_PASSING = frozenset({"RequestTimeout", "SlowDown", "OperationAborted", "ConditionalRequestConflict"})
_PERMISSIONS = "the credentials may not do this; allow s3:PutObject and s3:GetObject"
_MENDS = {
    "NoSuchBucket": "there is no such bucket; create it, with Object Lock if `object_lock` is set",
    "AccessDenied": f"{_PERMISSIONS}, with `object_lock` s3:PutObjectRetention, with `kms_key` kms:GenerateDataKey and "
    "kms:Decrypt",
    "InvalidAccessKeyId": "the access key is not known there; correct `access_key_id`",
    "SignatureDoesNotMatch": "the secret does not belong to the access key; correct `secret_access_key`",
    "ExpiredToken": "the temporary credentials are over; renew `session_token` and its keys",
    "InvalidToken": "the session token is not valid; correct `session_token`",
    "RequestTimeTooSkewed": "this machine's clock is wrong; set it",
    "AuthorizationHeaderMalformed": "the bucket is in another region; correct `region`",
    "PermanentRedirect": "the bucket is in another region; correct `region`",
    "TemporaryRedirect": "the bucket is new and its name not known everywhere; wait, or set `region`",
    "ObjectLockConfigurationNotFoundError": "the bucket has no Object Lock; create one that has it",
    "InvalidRequest": "the bucket may lack Object Lock; create one that has it, or leave `object_lock` out",
    "InvalidRetentionPeriod": "the bucket allows no such retention; correct `object_lock.days`",
    "NotImplemented": "this store does not know conditional writes or Object Lock; choose one that does",
    "EntityTooLarge": "the object is too large for this store; set a smaller `seal.bytes`",
    "QuotaExceeded": "the store is full; make room",
    "KMS.NotFoundException": "there is no such KMS key in this region; correct `kms_key`",
    "KMS.DisabledException": "the KMS key is disabled; enable it",
}
_BY_STATUS = {
    301: "PermanentRedirect",
    307: "TemporaryRedirect",
    403: "AccessDenied",
    501: "NotImplemented",
}
"""The answer to a HEAD has no body, so no code."""


def failure(sink: str, method: str, key: str, answer: Answer) -> SinkRefused | SinkUnavailable:
    """What to raise for an answer that is no success."""
    code = code_of(answer)
    told = f"{sink}: {method} {key} was answered {answer.status} {code}".rstrip()
    if answer.passes or code in _PASSING:
        return SinkUnavailable(told, retry_after=answer.retry_after)
    mend = _MENDS.get(code or _BY_STATUS.get(answer.status, ""))
    return SinkRefused(f"{told}: {mend}" if mend else told)


def code_of(answer: Answer) -> str:
    """The error's code; empty when it has none."""
    found = _CODE.search(answer.body)
    return found[1].decode() if found is not None else ""
