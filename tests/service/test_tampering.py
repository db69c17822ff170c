"""Any parameters are carried, and no change is."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.service.signing import BODY, check, header_signed, query_signed, urlencoded
from vidprod.errors import VidprodError
from vidprod.service.errors import SignatureMismatch
from vidprod.service.request import SignedRequest

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
BUSINESS = st.dictionaries(TEXT.map(lambda name: f"P{name}"), TEXT, max_size=6)


@given(BUSINESS, st.sampled_from(["GET", "POST"]), st.sampled_from(["form", "query"]))
def test_any_parameters_survive_version_1(business: dict[str, str], method: str, where: str) -> None:
    found = check(query_signed(business, method=method, where=where)).parameters
    assert {name: found[name] for name in business} == business


@given(BUSINESS, BUSINESS)
def test_any_parameters_survive_acs3(query: dict[str, str], form: dict[str, str]) -> None:
    form = {name: value for name, value in form.items() if name not in query}
    found = check(header_signed(urlencoded(form).encode(), query=query)).parameters
    assert found == query | form


@given(st.data())
def test_a_changed_byte_of_the_body_fails(data: st.DataObject) -> None:
    request = data.draw(st.sampled_from([header_signed(BODY), query_signed({"VideoUrl": "http://h/a b中"})]))
    place = data.draw(st.integers(0, len(request.body) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda value: value != request.body[place]))
    changed = replace(request, body=request.body[:place] + bytes([byte]) + request.body[place + 1 :])
    if request.header("authorization") is None and _reads_the_same(changed, request):
        return  # `%4E` and `%4e`, `+` and `%20`: version 1.0 signs what was meant, not the bytes
    with pytest.raises(VidprodError):
        check(changed)


def _reads_the_same(one: SignedRequest, other: SignedRequest) -> bool:
    try:
        return dict(one.parameters) == dict(other.parameters)
    except VidprodError:
        return False


@given(st.data())
def test_a_changed_signed_header_fails(data: st.DataObject) -> None:
    request = header_signed(BODY, accept="application/json", user_agent="x y")
    place = data.draw(st.integers(0, len(request.headers) - 1))
    name, value = request.headers[place]
    position = data.draw(st.integers(0, len(value) - 1))
    letter = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != value[position]))
    changed = value[:position] + letter + value[position + 1 :]
    headers = (*request.headers[:place], (name, changed), *request.headers[place + 1 :])
    with pytest.raises(VidprodError):
        check(replace(request, headers=headers))


@given(st.data())
def test_a_changed_letter_of_the_query_fails(data: st.DataObject) -> None:
    query = {"Product": "videoenhan", "RegionId": "cn-shanghai"}
    request = data.draw(st.sampled_from([header_signed(query=query), query_signed(query, where="query")]))
    place = data.draw(st.integers(0, len(request.query) - 1))
    name, value = request.query[place]
    text = f"{name}={value}"
    position = data.draw(st.integers(0, len(text) - 1))
    letter = data.draw(TEXT.filter(lambda new: new != text[position]))
    new_name, _, new_value = (text[:position] + letter + text[position + 1 :]).partition("=")
    if (new_name, new_value) == (name, value) or new_name.upper() == name == "Format":
        return
    changed = (*request.query[:place], (new_name, new_value), *request.query[place + 1 :])
    with pytest.raises(VidprodError):
        check(replace(request, query=changed))


def test_the_method_is_signed() -> None:
    for request in (query_signed(method="GET", where="query"), header_signed(method="GET")):
        with pytest.raises(SignatureMismatch):
            check(replace(request, method="POST"))
