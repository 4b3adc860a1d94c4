"""Makes the sealed object of a batch: names, compression, manifest, head.

When a batch is one, and where it is kept, is the business of `sealing` and `outbox`.
"""

from __future__ import annotations

import hashlib
from urllib.parse import quote

from routeiq_audit import merkle
from routeiq_audit.chain import Chained, Head
from routeiq_audit.packing import pack
from routeiq_audit.sealed import OBJECT_SUFFIX, Sealed, chain_of, manifest_of, stem_of
from routeiq_audit.signing import Signer


def make_sealed(stream: str, tenant: str, chain: Chained, created: str, signer: Signer) -> tuple[Sealed, Head]:
    """The object of a batch, and where its chain then stands. `created` is ISO 8601 (UTC) and dates the name."""
    body = pack(b"".join(line + b"\n" for line in chain.lines))
    digest = hashlib.sha256(body).hexdigest()
    first, last = chain.before.seq + 1, chain.last
    folder = f"v1/tenant={quote(tenant, safe='')}/dt={created[:10]}/hr={created[11:13]}"
    name = f"{folder}/{stem_of(stream, first, last, digest)}{OBJECT_SUFFIX}"
    about = {"version": 1, "stream": stream, "tenant": tenant, "created": created}
    manifest = signer.signed(
        {
            **about,
            "object": name,
            "sha256": digest,
            "size": len(body),
            "count": len(chain.lines),
            "first_seq": first,
            "last_seq": last,
            "first_prev": chain.before.hash,
            "last_hash": chain.hash,
            "merkle_root": merkle.root(chain.lines),
            "previous_manifest": chain.before.manifest,
        }
    )
    after = Head(last, chain.hash, hashlib.sha256(manifest).hexdigest())
    sealed = Sealed(
        name=name,
        body=body,
        sha256=digest,
        manifest_name=manifest_of(name),
        manifest=manifest,
        head_name=f"heads/{quote(chain_of(stream, tenant), safe='')}.json",
        head=signer.signed({**about, "seq": last, "hash": chain.hash, "manifest": after.manifest}),
        key_name=f"keys/{signer.key_id}.pub",
        key=signer.public_pem,
        stream=stream,
        tenant=tenant,
        first_seq=first,
        last_seq=last,
        count=len(chain.lines),
    )
    return sealed, after
