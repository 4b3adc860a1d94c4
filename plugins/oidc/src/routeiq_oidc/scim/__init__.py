"""SCIM 2.0 (RFC 7643, RFC 7644) over the gateway's directory. How people sign in is told nowhere here."""
