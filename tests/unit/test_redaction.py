"""Nothing that is secret is shown, whatever its spelling."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from disttask_project.kernel.redaction import MASK, Redactor


@pytest.mark.parametrize(
    "name",
    ["password", "db_passwd", "X-Api-Key", "apiKey", "Set-Cookie", "access_token", "userPhone", "id-card"],
)
def test_it_masks_by_key_name(name: str) -> None:
    assert Redactor().value({"a": [{name: "value", "b": 1}]}) == {"a": [{name: MASK, "b": 1}]}


def test_it_leaves_what_is_no_secret() -> None:
    value = {"sku": "A-1", "password": None, "has_token": True, "secret": "", "n": 1.5}
    assert Redactor().value(value) == value


def test_it_shows_which_secret_a_config_names() -> None:
    value = {"Authorization": "Bearer ${secret:PAY}", "token": "x${secret:PAY}"}
    assert Redactor().value(value) == {"Authorization": "Bearer ${secret:PAY}", "token": MASK}


def test_it_takes_further_names() -> None:
    redactor = Redactor()
    redactor.add_names(["Bank-Account"])
    assert redactor.value({"bank_account": "1"}) == {"bank_account": MASK}


@given(secret=st.text(min_size=8, max_size=40), before=st.binary(max_size=7), after=st.binary(max_size=7))
def test_it_finds_a_registered_secret_in_every_form(secret: str, before: bytes, after: bytes) -> None:
    redactor = Redactor()
    redactor.register(secret)
    basic = base64.b64encode(before + secret.encode() + after).decode()
    for form in (secret, quote(secret, safe=""), basic):
        shown = redactor.text(f"<{form}>")
        assert MASK in shown
        assert secret not in shown.replace(MASK, "")


def test_it_ignores_a_secret_too_short_to_tell_from_text() -> None:
    redactor = Redactor()
    redactor.register("abc")
    assert redactor.text("abcdef") == "abcdef"


def test_it_does_not_change_what_it_was_given() -> None:
    value = {"token": "t", "list": ["x"]}
    Redactor().value(value)
    assert value == {"token": "t", "list": ["x"]}
