from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, model_validator

from tests.service.models import URL, Box, EraseVideoLogo, GenerateVideo, Layer, MediaFile, Part, Scalars
from vidprod.actions import ACTIONS as REGISTRY
from vidprod.actions.spec import ActionSpec, Params
from vidprod.errors import FileURL, InvalidParameter, InvalidParameterFormat, MissingParameter, VidprodError
from vidprod.service.values import read

FILES = {
    "FileList.2.FileName": "片段.jpg",
    "FileList.2.FileUrl": "https://h/b.jpg",
    "FileList.2.Type": "image",
    "FileList.1.FileName": "a",
    "FileList.1.FileUrl": URL,
    "FileList.1.Type": "video",
}


def test_flattened_lists() -> None:
    assert read(GenerateVideo, FILES | {"Mute": "True"}).model_dump(exclude_defaults=True) == {
        "file_list": [
            {"file_name": "a", "file_url": URL, "type": "video"},
            {"file_name": "片段.jpg", "file_url": "https://h/b.jpg", "type": "image"},
        ],
        "mute": True,
    }


def test_indices_are_ordered_as_numbers_and_gaps_are_closed() -> None:
    values = {f"Boxes.{n}.{side}": f"0.{n}" for n in (10, 9, 2) for side in "WH"}
    assert [box.w for box in read(EraseVideoLogo, {"VideoUrl": URL, **values}).boxes] == [0.2, 0.9, 0.10]


@pytest.mark.parametrize(
    ("index", "kind"),
    [
        ("0", InvalidParameter),
        ("-1", InvalidParameter),
        ("1001", InvalidParameter),
        ("9" * 5000, InvalidParameter),
        ("x", InvalidParameterFormat),
        ("", InvalidParameterFormat),
        ("01", InvalidParameterFormat),
        ("1_0", InvalidParameterFormat),
        ("+1", InvalidParameterFormat),
        ("１", InvalidParameterFormat),
        ("1 ", InvalidParameterFormat),
    ],
)
def test_indices_that_are_refused(index: str, kind: type[VidprodError]) -> None:
    with pytest.raises(kind, match=r"Boxes\..*1000") as caught:
        read(EraseVideoLogo, {"VideoUrl": URL, f"Boxes.{index}.W": "0.5"})
    assert type(caught.value) is kind
    assert len(caught.value.message) < 250


def test_what_is_wrong_inside_a_list_is_named_as_the_client_wrote_it() -> None:
    boxes = {"VideoUrl": URL, "Boxes.3.W": "0.5", "Boxes.3.H": "0.5", "Boxes.7.W": "0.5"}
    with pytest.raises(MissingParameter, match=r"^Boxes\.7\.H is mandatory for this action\.$"):
        read(EraseVideoLogo, boxes)
    with pytest.raises(InvalidParameter, match=r"^Boxes\.7\.H is 1\.5"):
        read(EraseVideoLogo, boxes | {"Boxes.7.H": "1.5"})
    with pytest.raises(InvalidParameterFormat, match=r"^Boxes\.7\.H is 'x'"):
        read(EraseVideoLogo, boxes | {"Boxes.7.H": "x"})
    with pytest.raises(FileURL, match="ftp"):
        read(GenerateVideo, FILES | {"FileList.2.FileUrl": "ftp://h/a"})


def test_members_that_are_empty_or_unknown() -> None:
    values = {"VideoUrl": URL, "Boxes.1.X": "", "Boxes.0.X": "", "Boxes": ""}
    assert read(EraseVideoLogo, values).boxes == ()
    values = {"VideoUrl": URL, "Boxes.1.W": "1", "Boxes.1.H": "1", "Boxes.1.Z": "1", "Boxes.1.W.Q.1": "1"}
    assert read(EraseVideoLogo, values).boxes == (Box(w=1, h=1),)


def test_a_list_as_one_json_document() -> None:
    boxes = [{"X": 0.5, "W": "0.25", "H": 1e-05, "Y": None}, None, {}, {"W": 1, "H": 1}]
    found = read(EraseVideoLogo, {"VideoUrl": URL, "Boxes": json.dumps(boxes)})
    assert found.boxes == (Box(x=0.5, w=0.25, h=1e-5), Box(w=1, h=1))
    assert read(EraseVideoLogo, {"VideoUrl": URL, "Boxes": "[]"}).boxes == ()


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "x",
        "1",
        '"x"',
        "[1]",
        "[[]]x",
        '{"X":1}',
        "[" * 100_000,
        "[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]",
        '[{"W":NaN,"H":1}]',
    ],
)
def test_json_that_is_refused(text: str) -> None:
    with pytest.raises(VidprodError, match="Boxes") as caught:
        read(EraseVideoLogo, {"VideoUrl": URL, "Boxes": text})
    assert caught.value.status == 400
    assert len(caught.value.message) < 400


def test_a_list_in_both_forms_is_refused() -> None:
    with pytest.raises(InvalidParameter, match="Boxes is given twice"):
        read(EraseVideoLogo, {"VideoUrl": URL, "Boxes": '[{"W":1,"H":1}]', "Boxes.1.W": "1"})


def test_lists_of_objects_with_lists() -> None:
    values = {
        "Layers.1.Parts.1.Sizes.1": "3",
        "Layers.1.Parts.1.Sizes.4": "5",
        "Layers.1.Parts.2.Note": "x",
        "Layers.1.Frame.W": "0.5",
        "Layers.1.Frame.H": "1",
        "Layers.2.Parts": '[{"Sizes":[7]}]',
    }
    assert read(Scalars, values).layers == (
        Layer(parts=[Part(sizes=(3, 5)), Part(note="x")], frame=Box(w=0.5, h=1)),
        Layer(parts=[Part(sizes=(7,))]),
    )
    with pytest.raises(InvalidParameterFormat, match=r"^Layers\.1\.Parts\.1\.Sizes\.4 is 'x'"):
        read(Scalars, values | {"Layers.1.Parts.1.Sizes.4": "x"})


def test_rules_about_several_parameters_explain_themselves() -> None:
    class Ruled(Params):
        first: int
        last: int

        @model_validator(mode="after")
        def _ordered(self) -> Ruled:
            if self.last < self.first:
                raise ValueError("Last must not be less than First")
            return self

    with pytest.raises(InvalidParameter, match=r"^Last must not be less than First$"):
        read(Ruled, {"First": "2", "Last": "1"})


def test_a_type_without_a_form_on_the_wire_is_the_programmers_error() -> None:
    class Wrong(BaseModel):
        data: dict[str, int]

    with pytest.raises(TypeError, match="no form on the wire"):
        read(Wrong, {})


@pytest.mark.parametrize("spec", REGISTRY.values(), ids=lambda spec: spec.name)
def test_every_action_can_be_read(spec: ActionSpec[Any]) -> None:
    with pytest.raises(MissingParameter):
        read(spec.params, {})


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=20)
SHARES = st.floats(0, 1)


@given(
    st.lists(
        st.builds(MediaFile, FileName=NAMES, FileUrl=st.just(URL), Type=st.sampled_from(["video", "image"])),
        min_size=1,
        max_size=9,
    ),
    st.integers(1, 50),
    st.sampled_from([str, str.lower, str.upper]),
)
def test_lists_come_back(files: list[MediaFile], step: int, case: Callable[[str], str]) -> None:
    flat = {
        f"FileList.{1 + place * step}.{name}": value
        for place, file in enumerate(files)
        for name, value in file.model_dump(by_alias=True).items()
    }
    found = read(GenerateVideo, flat | {"Mute": case("True")})
    assert found == GenerateVideo(file_list=files, mute=True)


@given(st.lists(st.builds(Box, X=SHARES, Y=SHARES, W=SHARES, H=SHARES), max_size=9), st.booleans())
def test_numbers_come_back_exactly(boxes: list[Box], as_json: bool) -> None:
    plain = [box.model_dump(by_alias=True) for box in boxes]
    flat = {f"Boxes.{n}.{name}": repr(value) for n, box in enumerate(plain, 1) for name, value in box.items()}
    values = {"Boxes": json.dumps(plain)} if as_json else flat
    assert read(EraseVideoLogo, {"VideoUrl": URL, **values}).boxes == tuple(boxes)


@given(
    st.dictionaries(
        st.from_regex(r"(Boxes|FileList|VideoUrl|Mute|X)(\.[0-9A-Za-z-]{0,3}){0,4}", fullmatch=True),
        st.text(max_size=9),
    )
)
def test_whatever_comes_the_error_is_a_documented_one(values: dict[str, str]) -> None:
    for model in (EraseVideoLogo, GenerateVideo):
        with suppress(InvalidParameter, InvalidParameterFormat, MissingParameter, FileURL):
            read(model, values)
