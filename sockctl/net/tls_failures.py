"""Explains OpenSSL's errors to a person."""

import ssl

_WHY = {
    "UNEXPECTED_MESSAGE": "the other side does not speak TLS, what it sent is something else",
    "WRONG_VERSION_NUMBER": "the other side does not speak TLS, or an unknown version of it",
    "UNSUPPORTED_PROTOCOL": "the other side speaks an older TLS than 1.2",
    "NO_SHARED_CIPHER": "the two sides know no cipher in common",
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "the client showed no certificate, and one is asked for",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the server asks for a client certificate: give --cert and --key",
    "CERTIFICATE_VERIFY_FAILED": "the certificate can't be verified",
    "TLSV1_ALERT_UNKNOWN_CA": "the other side does not trust the certificate",
}


def explain(error: ssl.SSLError) -> str:
    """Return the problem in words for a person, with OpenSSL's own words behind them."""
    reason = getattr(error, "reason", None) or ""  # Python makes errors without one
    detail = getattr(error, "verify_message", "") or reason.replace("_", " ").lower() or str(error)
    return f"{_WHY[reason]} ({detail})" if reason in _WHY else detail
