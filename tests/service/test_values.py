from __future__ import annotations

import pytest

from tests.service.models import ACTIONS, URL, AdjustVideoColor, EraseVideoSubtitles, Kind, Scalars
from vidprod.errors import InvalidParameter, InvalidParameterFormat, MissingParameter, VidprodError
from vidprod.service.values import read


def one(**values: str) -> Scalars:
    return read(Scalars, {name[0].upper() + name[1:]: value for name, value in values.items()})


# --- scalars ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"), [("0", 0), ("64", 64), ("+7", 7), ("-3", -3), ("007", 7), ("1" * 40, int("1" * 40))]
)
def test_integers(text: str, value: int) -> None:
    assert one(whole=text).whole == value


@pytest.mark.parametrize(
    "text", ["1_000", "0x40", "64.0", "1e3", " 64", "64 ", "６４", "٤", "+", "--1", "true", "None", "1\n", "\x00"]
)
def test_not_integers(text: str) -> None:
    with pytest.raises(InvalidParameterFormat, match=r"Whole is .*must be an integer"):
        one(whole=text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5", 5.0),
        ("5.0", 5.0),
        ("1e-05", 1e-5),
        ("1.0E-5", 1e-5),
        ("-0.5", -0.5),
        ("+.5", 0.5),
        ("5.", 5.0),
        ("1e-999", 0.0),
    ],
)
def test_floats(text: str, value: float) -> None:
    assert one(real=text).real == value


@pytest.mark.parametrize(
    "text", ["NaN", "nan", "Infinity", "-inf", "1_0.0", "1,5", "0x1p3", "1e", ".", "e5", " 1", "１.5", "1.5f", ""]
)
def test_not_floats(text: str) -> None:
    if not text:
        assert one(real=text).real == 0.0  # empty: absent
        return
    with pytest.raises(InvalidParameterFormat, match=r"Real is .*must be a decimal number"):
        one(real=text)


@pytest.mark.parametrize("text", ["1e999", "-1e400", "9" * 400])
def test_floats_that_overflow(text: str) -> None:
    with pytest.raises(InvalidParameter, match=r"Real is .*too large") as caught:
        one(real=text)
    assert len(caught.value.message) < 200


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("FALSE", False), ("false", False)])
def test_booleans(text: str, value: bool) -> None:
    assert one(yes=text).yes is value


@pytest.mark.parametrize("text", ["1", "0", "yes", "on", "t", "true ", "tru\u0435", "None"])
def test_not_booleans(text: str) -> None:
    with pytest.raises(InvalidParameterFormat, match=r"Yes is .*must be true or false"):
        one(yes=text)


def test_strings_are_left_as_they_are() -> None:
    assert one(words=" 片 段 ").words == " 片 段 "
    assert one(words="123").words == "123"


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
def test_strings_that_no_file_name_can_hold(text: str) -> None:
    with pytest.raises(InvalidParameterFormat, match="Words"):
        one(words=text)


def test_enumerations_are_case_sensitive() -> None:
    assert one(kind="one").kind is Kind.ONE
    with pytest.raises(InvalidParameter, match=r"Kind is 'One': input should be 'one'"):
        one(kind="One")
    with pytest.raises(InvalidParameter, match=r"Mode is 'logc': input should be 'LogC' or 'Rec709'"):
        read(AdjustVideoColor, {"VideoUrl": URL, "Mode": "logc"})


def test_with_a_choice_of_types_text_stays_text() -> None:
    assert one(rate="15000").rate == "15000"
    assert one(rate="15000k").rate == "15000k"
    assert one(number="1e2").number == 100


def test_a_number_of_a_thousand_digits() -> None:
    with pytest.raises(InvalidParameter, match="too large") as caught:
        one(whole="9" * 100_000)
    assert len(caught.value.message) < 200


# --- what is absent, what is unknown ---------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [{}, {"VideoUrl": ""}, {"video_url": URL}, {"videourl": URL}, {"VideoUrl.1": URL}])
def test_a_required_parameter_is_absent(values: dict[str, str]) -> None:
    with pytest.raises(MissingParameter, match="VideoUrl is mandatory for this action") as caught:
        read(ACTIONS["SuperResolveVideo"], values)
    assert caught.value.message == "VideoUrl is mandatory for this action."


def test_empty_values_count_as_absent() -> None:
    assert read(EraseVideoSubtitles, {"VideoUrl": URL, "BX": "", "BY": "0.5"}).model_dump() == {
        "video_url": URL,
        "bx": 0.0,
        "by": 0.5,
        "bw": 1.0,
        "bh": 0.25,
    }


def test_unknown_parameters_are_ignored() -> None:
    values = {"VideoUrl": URL, "Async": "true", "Format": "JSON", "Boxes": "[", "": "x", ".": "x", "VideoUrl.x": "y"}
    assert read(ACTIONS["SuperResolveVideo"], values).model_dump() == {"video_url": URL, "bit_rate": None}


@pytest.mark.parametrize(
    ("action", "values", "kind", "words"),
    [
        ("SuperResolveVideo", {"BitRate": "101"}, InvalidParameter, "BitRate is 101: input should be less"),
        ("SuperResolveVideo", {"BitRate": "0"}, InvalidParameter, "BitRate is 0"),
        ("AbstractFilmVideo", {"Length": "1"}, InvalidParameter, "Length is 1"),
        ("AbstractEcommerceVideo", {"Duration": "0"}, InvalidParameter, "Duration is 0.0"),
        ("AbstractEcommerceVideo", {}, MissingParameter, "Duration is mandatory"),
        ("ChangeVideoSize", {"Width": "64", "Height": "2161"}, InvalidParameter, "Height is 2161"),
        ("ChangeVideoSize", {"Width": "64", "Height": "64", "R": "256"}, InvalidParameter, "R is 256"),
        ("AdjustVideoColor", {"VideoBitrate": "0k"}, InvalidParameter, "VideoBitrate is '0k'"),
        ("EraseVideoSubtitles", {"BH": "1.5"}, InvalidParameter, "BH is 1.5"),
    ],
)
def test_ranges(action: str, values: dict[str, str], kind: type[VidprodError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        read(ACTIONS[action], {"VideoUrl": URL, **values})
    assert type(caught.value) is kind
