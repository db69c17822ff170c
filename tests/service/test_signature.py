from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest

from tests.service.signing import (
    BODY,
    KEY,
    NOW,
    SECRET,
    STAMP,
    check,
    common,
    header_signed,
    query_signed,
    urlencoded,
)
from vidprod.errors import InvalidParameter, VidprodError
from vidprod.service.errors import InactiveAccessKey, SignatureMismatch
from vidprod.service.request import SignedRequest
from vidprod.service.signature import (
    Caller,
    canonical_request,
    header_string_to_sign,
    query_string_to_sign,
    read_timestamp,
    sign_headers,
    sign_query,
    verify,
    write_timestamp,
)

VECTOR = common(
    SignatureType="",
    RegionId="cn-shanghai",
    VideoUrl="http://127.0.0.1:9000/a b~(1)*.mp4?x=1&y=2",
) | {"Boxes.1.X": "0.0", "Boxes.1.Y": "0.0", "Boxes.1.W": "0.25", "Boxes.1.H": "1e-05"}
VECTOR_TEXT = (
    "POST&%2F&AccessKeyId%3Dtestid%26Action%3DEraseVideoLogo%26Boxes.1.H%3D1e-05%26Boxes.1.W%3D0.25%26Boxes.1.X%3D0.0"
    "%26Boxes.1.Y%3D0.0%26Format%3DJSON%26RegionId%3Dcn-shanghai%26SignatureMethod%3DHMAC-SHA1"
    "%26SignatureNonce%3D313ef0fb-0393-464f-a6e2-59d9ca2585b1%26SignatureType%3D%26SignatureVersion%3D1.0"
    "%26Timestamp%3D2020-03-10T08%253A18%253A18Z%26Version%3D2020-03-20"
    "%26VideoUrl%3Dhttp%253A%252F%252F127.0.0.1%253A9000%252Fa%2520b~%25281%2529%252A.mp4%253Fx%253D1%2526y%253D2"
)
DIGEST = "9f33c41462ce69ea3267b6d277c63b59923c94a7865f8abfc6db1beb3c4f7c4a"
SIGNED = "content-type;host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version"


def test_version_1_vector() -> None:
    assert query_string_to_sign("POST", VECTOR) == VECTOR_TEXT
    assert sign_query("POST", VECTOR, SECRET) == "GnFSLLmSRjTpSKZbBDB8T40Q9V4="
    signed = {**VECTOR, "Signature": "GnFSLLmSRjTpSKZbBDB8T40Q9V4="}
    caller = check(SignedRequest.parse("POST", f"/?{urlencoded(signed)}", [("host", "h")]))
    assert caller == Caller(KEY, VECTOR["SignatureNonce"], NOW, "EraseVideoLogo", "2020-03-20", signed)


def test_acs3_vector() -> None:
    request = header_signed(BODY)
    canonical = canonical_request(request, SIGNED.split(";"))
    assert canonical == (
        "POST\n/\n\ncontent-type:application/x-www-form-urlencoded\nhost:127.0.0.1:8080\nx-acs-action:EraseVideoLogo\n"
        f"x-acs-content-sha256:{DIGEST}\nx-acs-date:2020-03-10T08:18:18Z\n"
        "x-acs-signature-nonce:313ef0fb0393464fa6e259d9ca2585b1\nx-acs-version:2020-03-20\n\n"
        f"{SIGNED}\n{DIGEST}"
    )
    digest = "e64c1ce643722e213d831ec4ab091fb020470787acafd2e798dbd47fc77ede74"
    assert header_string_to_sign(canonical) == f"ACS3-HMAC-SHA256\n{digest}"
    signature = "90737ffeab32b867b170836cb3e18474b44f8d1a86bb496dded9c560c1509758"
    header = f"ACS3-HMAC-SHA256 Credential=testid,SignedHeaders={SIGNED},Signature={signature}"
    assert request.header("authorization") == header
    unsigned = replace(request, headers=tuple(pair for pair in request.headers if pair[0] != "authorization"))
    assert sign_headers(unsigned, KEY, SECRET) == header
    assert check(request).parameters["Boxes.1.H"] == "0.25"


def test_acs3_vector_of_the_upload_ticket() -> None:
    query = {"Product": "videoenhan", "RegionId": "cn-shanghai"}
    request = header_signed(query=query, method="GET", x_acs_action="AuthorizeFileUpload", x_acs_version="2019-12-19")
    signature = "042394b230e62bd7c07523a47750ac0e28ece59d8c7a6fe61fc7714d1f603d95"
    assert (request.header("authorization") or "").endswith(f"Signature={signature}")
    assert check(request) == Caller(
        KEY, "313ef0fb0393464fa6e259d9ca2585b1", NOW, "AuthorizeFileUpload", "2019-12-19", query
    )


# --- what is refused, with the documented code -----------------------------------------------------------------------

REFUSED: list[tuple[str, Callable[[], SignedRequest], str, int]] = [
    ("PUT", lambda: query_signed(method="PUT"), "UnsupportedHTTPMethod", 405),
    ("path", lambda: replace(query_signed(), path="/api"), "InvalidAction.NotFound", 404),
    ("no version", lambda: query_signed(Version=None), "MissingVersion", 400),
    ("other version", lambda: query_signed(Version="2020-03-21"), "InvalidVersion", 400),
    ("no action", lambda: query_signed(Action=""), "MissingAction", 400),
    ("other action", lambda: query_signed(Action="eraseVideoLogo"), "InvalidAction.NotFound", 404),
    ("action of another version", lambda: query_signed(Action="AuthorizeFileUpload"), "InvalidAction.NotFound", 404),
    ("no key", lambda: query_signed(AccessKeyId=None), "MissingAccessKeyId", 400),
    ("other key", lambda: query_signed(AccessKeyId="other"), "InvalidAccessKeyId.NotFound", 404),
    ("no method", lambda: query_signed(SignatureMethod=None), "MissingSignatureMethod", 400),
    ("other method", lambda: query_signed(SignatureMethod="HMAC-SHA256"), "InvalidSignatureMethod", 400),
    ("bearer", lambda: query_signed(SignatureType="BEARERTOKEN"), "InvalidSignatureMethod", 400),
    ("no signature version", lambda: query_signed(SignatureVersion=None), "MissingSignatureVersion", 400),
    ("signature version 2", lambda: query_signed(SignatureVersion="2.0"), "IncompleteSignature", 400),
    ("token", lambda: query_signed(SecurityToken="x"), "InvalidSecurityToken.Malformed", 400),
    ("no time", lambda: query_signed(Timestamp=None), "MissingTimestamp", 400),
    ("other time", lambda: query_signed(Timestamp="2020-03-10 08:18:18"), "InvalidTimeStamp.Format", 400),
    ("milliseconds", lambda: query_signed(Timestamp="2020-03-10T08:18:18.000Z"), "InvalidTimeStamp.Format", 400),
    ("full width", lambda: query_signed(Timestamp="２020-03-10T08:18:18Z"), "InvalidTimeStamp.Format", 400),
    ("no such day", lambda: query_signed(Timestamp="2020-02-30T08:18:18Z"), "InvalidTimeStamp.Format", 400),
    ("old", lambda: query_signed(Timestamp="2020-03-10T08:03:17Z"), "InvalidTimeStamp.Expired", 400),
    ("ahead", lambda: query_signed(Timestamp="2020-03-10T08:33:19Z"), "InvalidTimeStamp.Expired", 400),
    ("no nonce", lambda: query_signed(SignatureNonce=""), "MissingSignatureNonce", 400),
    ("other secret", lambda: query_signed(secret="other"), "SignatureDoesNotMatch", 400),
    ("h: no version", lambda: header_signed(x_acs_version=None), "MissingVersion", 400),
    ("h: other version", lambda: header_signed(x_acs_version="1"), "InvalidVersion", 400),
    ("h: other action", lambda: header_signed(x_acs_action="Erase"), "InvalidAction.NotFound", 404),
    ("h: no time", lambda: header_signed(x_acs_date=None), "IncompleteSignature", 400),
    ("h: empty time", lambda: header_signed(x_acs_date=""), "MissingTimestamp", 400),
    ("h: old", lambda: header_signed(x_acs_date="2020-03-10T08:03:17Z"), "InvalidTimeStamp.Expired", 400),
    ("h: empty nonce", lambda: header_signed(x_acs_signature_nonce=""), "MissingSignatureNonce", 400),
    ("h: token", lambda: header_signed(x_acs_security_token="x"), "InvalidSecurityToken.Malformed", 400),
    ("h: SM3", lambda: header_signed(algorithm="ACS3-HMAC-SM3"), "InvalidSignatureMethod", 400),
    ("h: RSA", lambda: header_signed(algorithm="ACS3-RSA-SHA256"), "InvalidSignatureMethod", 400),
    ("h: ACS4", lambda: header_signed(algorithm="ACS4-HMAC-SHA256"), "InvalidSignatureMethod", 400),
    ("h: other secret", lambda: header_signed(secret="other"), "SignatureDoesNotMatch", 400),
    ("h: body type unsigned", lambda: header_signed(BODY, unsigned=("content-type",)), "IncompleteSignature", 400),
    ("h: digest of nothing", lambda: header_signed(BODY, x_acs_content_sha256="0" * 64), "SignatureDoesNotMatch", 400),
    *[
        (f"h: {name} unsigned", partial(header_signed, unsigned=(name,)), "IncompleteSignature", 400)
        for name in SIGNED.split(";")[1:]
    ],
]


@pytest.mark.parametrize(("make", "code", "status"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused(make: Callable[[], SignedRequest], code: str, status: int) -> None:
    with pytest.raises(VidprodError) as caught:
        check(make())
    assert (caught.value.code, caught.value.status) == (code, status)


@pytest.mark.parametrize(
    "authorization",
    [
        "ACS3-HMAC-SHA256",
        "ACS3-HMAC-SHA256 Credential=testid",
        "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host",
        "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host,Signature=1,Signature=1",
        "ACS3-HMAC-SHA256 Credential=testid;SignedHeaders=host;Signature=1",
        "ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=,Signature=",
        f"ACS3-HMAC-SHA256 Credential=testid,SignedHeaders={SIGNED};host,Signature=1",
        f"ACS3-HMAC-SHA256 Credential=testid,SignedHeaders={SIGNED};accept,Signature=1",
        f"ACS3-HMAC-SHA256 Credential=testid,SignedHeaders={SIGNED.replace('host', 'Host')},Signature=1",
    ],
)
def test_a_malformed_authorization_header(authorization: str) -> None:
    request = header_signed(BODY)
    headers = (*request.headers[:-1], ("authorization", authorization))
    with pytest.raises(VidprodError, match="does not conform to Aliyun standards") as caught:
        check(replace(request, headers=headers))
    assert caught.value.code == "IncompleteSignature"


@pytest.mark.parametrize("extra", [",Signature=1", ",Extra=1", ","])
def test_an_authorization_header_has_three_parts(extra: str) -> None:
    request = header_signed(BODY)
    name, value = request.headers[-1]
    valid = value.partition("Signature=")[2]
    for changed in (value + extra, value + f",Signature={valid}"):
        with pytest.raises(VidprodError, match="Authorization must read"):
            check(replace(request, headers=(*request.headers[:-1], (name, changed))))


def test_repeated_signed_headers_are_refused() -> None:
    request = header_signed()
    for name in ("x-acs-action", "host", "authorization"):
        headers = (*request.headers, (name, dict(request.headers)[name]))
        with pytest.raises(VidprodError, match=f"{name} occurs 2 times"):
            check(replace(request, headers=headers))


def test_a_parameter_given_twice_is_refused() -> None:
    request = query_signed({"VideoUrl": "http://h/a"}, where="query")
    for extra in (("VideoUrl", "http://h/b"), ("VideoUrl", "http://h/a"), ("Signature", "x")):
        with pytest.raises(InvalidParameter, match="more than once"):
            check(replace(request, query=(*request.query, extra)))
    request = query_signed({"VideoUrl": "http://h/a"})
    with pytest.raises(InvalidParameter, match="more than once"):
        check(replace(request, query=(*request.query, ("VideoUrl", "http://h/b"))))
    assert (
        check(replace(request, query=(*request.query, ("VideoUrl", "http://h/a")))).parameters["VideoUrl"]
        == "http://h/a"
    )


def test_the_first_thing_wrong_is_what_is_told() -> None:
    values = {**common(), "Signature": "wrong"}
    order = [
        ("Signature", "SignatureDoesNotMatch"),
        ("Timestamp", "InvalidTimeStamp.Format"),
        ("SignatureMethod", "InvalidSignatureMethod"),
        ("AccessKeyId", "InvalidAccessKeyId.NotFound"),
        ("Action", "InvalidAction.NotFound"),
        ("Version", "InvalidVersion"),
    ]
    for name, code in order:  # each one more thing wrong, checked earlier than those before
        values[name] = "wrong"
        with pytest.raises(VidprodError) as caught:
            check(SignedRequest.parse("POST", f"/?{urlencoded(values)}", []))
        assert caught.value.code == code


@pytest.mark.parametrize("minutes", [-15, 0, 15])
def test_the_window_is_a_quarter_of_an_hour_either_way(minutes: int) -> None:
    moment = NOW + timedelta(minutes=minutes)
    assert check(query_signed(Timestamp=write_timestamp(moment))).timestamp == moment


def test_timestamps_come_back() -> None:
    assert write_timestamp(read_timestamp(STAMP)) == STAMP


def test_the_mismatch_of_version_1_has_one_colon_before_what_was_signed() -> None:
    with pytest.raises(SignatureMismatch) as caught:
        check(SignedRequest.parse("POST", f"/?{urlencoded({**VECTOR, 'Signature': 'x'})}", []))
    assert caught.value.message == (
        f"Specified signature is not matched with our calculation. server string to sign is:{VECTOR_TEXT}"
    )
    assert caught.value.message.split(":")[1] == VECTOR_TEXT  # what the Python core client does


def test_the_mismatch_of_acs3_shows_what_was_signed() -> None:
    request = header_signed(BODY, secret="other")
    with pytest.raises(SignatureMismatch) as caught:
        check(request)
    canonical = canonical_request(request, SIGNED.split(";"))
    assert caught.value.message == (
        "Specified signature does not match our calculation. "
        f"server StringToSign is [{header_string_to_sign(canonical)}] server CanonicalRequest is [{canonical}]"
    )


def test_secrets_are_not_told() -> None:
    for request in (query_signed(secret="other"), header_signed(secret="other")):
        with pytest.raises(SignatureMismatch) as caught:
            check(request)
        assert SECRET not in caught.value.message


def test_a_disabled_key() -> None:
    def disabled(key: str) -> str | None:
        raise InactiveAccessKey

    with pytest.raises(InactiveAccessKey, match="Specified access key is disabled"):
        verify(query_signed(), disabled, NOW)


def test_the_method_of_signing_may_be_in_any_case() -> None:
    assert check(query_signed(SignatureMethod="hmac-sha1")).access_key_id == KEY


def test_headers_of_acs3_on_a_request_of_version_1_mean_nothing() -> None:
    request = query_signed()
    headers = (*request.headers, ("x-acs-action", "Other"), ("authorization", "Bearer x"))
    assert check(replace(request, headers=headers)).action == "EraseVideoLogo"


def test_a_body_that_is_no_form_is_not_read_but_signed() -> None:
    request = header_signed(b"VideoUrl=x", content_type="text/plain")
    assert check(request).parameters == {}
    assert request.form == ()


def test_signatures_are_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[bytes] = []
    compare = hmac.compare_digest

    def watched(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return compare(one, other)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    check(query_signed())
    check(header_signed(BODY))
    assert len(compared) == 3  # one signature; a signature and a digest
