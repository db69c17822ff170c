from __future__ import annotations

import inspect
from typing import Annotated, Any

import pytest
from pydantic import Field

from vidprod.actions import ACTIONS
from vidprod.actions.files import file_fields
from vidprod.actions.spec import ActionSpec, Params, VideoUrl
from vidprod.errors import InvalidParameter, InvalidParameterFormat, MissingParameter, VidprodError

SPECS = list(ACTIONS.values())


class Sample(Params):
    video_url: VideoUrl
    width: Annotated[int, Field(ge=32, le=2160, description="pixels")]
    tightness: Annotated[float, Field(ge=0, le=1, description="share")] = 0.6


def test_both_spellings_are_understood() -> None:
    assert Sample.parse({"VideoUrl": "a", "Width": 64}) == Sample.parse({"video_url": "a", "width": 64})


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ({"VideoUrl": "a"}, MissingParameter, "Width is required"),
        ({"VideoUrl": "a", "Width": 31}, InvalidParameter, "Width is 31.*32"),
        ({"VideoUrl": "a", "Width": "wide"}, InvalidParameterFormat, "Width is 'wide'"),
        ({"VideoUrl": "a", "Width": 40.5}, InvalidParameterFormat, "Width is 40.5"),
        ({"VideoUrl": "a", "Width": 64, "Tightness": float("nan")}, InvalidParameter, "Tightness"),
        ({"VideoUrl": "a", "Width": 64, "Hight": 64}, InvalidParameter, "Hight is not a parameter"),
    ],
)
def test_what_is_wrong_has_the_documented_code_and_says_why(
    values: dict[str, Any], kind: type[VidprodError], words: str
) -> None:
    with pytest.raises(kind, match=words) as caught:
        Sample.parse(values)
    assert type(caught.value) is kind
    assert "\n" not in caught.value.message


def test_file_fields_are_found() -> None:
    assert list(file_fields(Sample)) == ["video_url"]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_every_parameter_is_described(spec: ActionSpec[Any]) -> None:
    for name, info in spec.params.model_fields.items():
        assert info.description, f"{spec.name}.{name} has no description"


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.name)
def test_names_follow_from_one_another(spec: ActionSpec[Any]) -> None:
    assert "".join(part.title() for part in spec.snake_name.split("_")) == spec.name
    assert spec.kebab_name == spec.snake_name.replace("_", "-")
    assert [p.name for p in spec.parameters()] == list(spec.params.model_fields)
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in spec.parameters())
