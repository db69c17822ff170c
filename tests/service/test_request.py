"""Requests as HTTP servers hand them over."""

from __future__ import annotations

import pytest

from vidprod.errors import InvalidParameter, VidprodError
from vidprod.service.request import FORM, SignedRequest


@pytest.mark.parametrize("target", ["/?a=1&b=", "http://openplatform.aliyuncs.com/?a=1&b=", "HTTP://h?a=1&b="])
def test_targets(target: str) -> None:
    request = SignedRequest.parse("get", target, [("Host", " h ")])
    assert (request.method, request.path, request.query) == ("GET", "/", (("a", "1"), ("b", "")))
    assert request.header("host") == "h"


def test_a_charset_beside_the_type_of_a_form() -> None:
    request = SignedRequest.parse("POST", "/", [("Content-Type", f"{FORM}; charset=utf-8")], b"a=%E4%B8%AD+b&c")
    assert request.parameters == {"a": "中 b", "c": ""}


def test_values_that_are_not_text_are_refused() -> None:
    request = SignedRequest.parse("POST", "/", [("Content-Type", FORM)], b"a=%ff")
    with pytest.raises(VidprodError, match="UTF-8") as caught:
        _ = request.parameters
    assert caught.value.code == "InvalidParameter.Format"
    with pytest.raises(VidprodError, match="UTF-8"):
        SignedRequest.parse("POST", "/?a=\xff", [])


def test_too_many_parameters_are_refused() -> None:
    with pytest.raises(InvalidParameter, match="more than 2000"):
        SignedRequest.parse("POST", "/?" + "&".join(f"a{n}=" for n in range(3000)), [])
