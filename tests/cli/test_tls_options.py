"""What the TLS options of a client mean together."""

from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.tls_options import TlsOptions, refuse_lone_key
from sockctl.errors import FingerprintError, OptionError

SHA256 = ":".join(["AB"] * 32)


def test_without_tls_there_is_no_policy(tmp_path: Path) -> None:
    assert TlsOptions().make_policy(wanted=False, state_dir=tmp_path, may_ask=True) is None


@pytest.mark.parametrize(
    "options",
    [{"fingerprint": SHA256}, {"accept_new": True}, {"ca": Path("ca.pem")}, {"verify_system": True}, {"key": Path()}],
)
def test_options_of_tls_without_tls_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="TLS is not: add --tls"):
        TlsOptions(**options).make_policy(wanted=False, state_dir=None, may_ask=True)


def test_the_policy(tmp_path: Path) -> None:
    options = TlsOptions(tls=True, fingerprint=SHA256.lower().replace(":", ""), cert=Path("a.pem"), key=Path("b.pem"))
    policy = options.make_policy(wanted=True, state_dir=tmp_path, may_ask=False)
    assert policy is not None
    assert (policy.fingerprint, policy.certificate, policy.key) == (SHA256, Path("a.pem"), Path("b.pem"))
    assert (policy.state_dir, policy.may_ask, policy.accept_new) == (tmp_path, False, False)


@pytest.mark.parametrize(
    "options",
    [
        {"fingerprint": SHA256, "accept_new": True},
        {"fingerprint": SHA256, "ca": Path("ca.pem")},
        {"accept_new": True, "verify_system": True},
    ],
)
def test_ways_to_trust_exclude_each_other(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="exclude each other"):
        TlsOptions(**options).make_policy(wanted=True, state_dir=None, may_ask=True)


def test_what_can_not_be_understood() -> None:
    with pytest.raises(FingerprintError):
        TlsOptions(fingerprint="AB").make_policy(wanted=True, state_dir=None, may_ask=True)
    with pytest.raises(OptionError, match="--key belongs to --cert"):
        refuse_lone_key(None, Path("key.pem"))


@pytest.mark.parametrize(
    ("options", "authorities"),
    [({}, True), ({"fingerprint": SHA256}, False), ({"accept_new": True}, False), ({"ca": Path("ca.pem")}, False)],
)
def test_authorities_vouch_by_themselves_unless_the_user_says_else(
    tmp_path: Path, options: dict[str, Any], authorities: bool
) -> None:
    policy = TlsOptions(**options).make_policy(wanted=True, state_dir=tmp_path, may_ask=False, vouched=True)
    assert policy is not None
    assert (policy.system_authorities, policy.vouched) == (authorities, authorities)
