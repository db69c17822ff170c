from __future__ import annotations

import ast
import base64
import hashlib
import hmac
import json
import os
import re
import shlex
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeGuard

import pytest

from tests.service.models import ACTIONS as SAMPLES
from tests.service.models import Scalars
from vidprod.actions import ACTIONS
from vidprod.actions.generate_video import GenerateVideoParams
from vidprod.actions.spec import ActionSpec, Params
from vidprod.service import explorer
from vidprod.service.request import SignedRequest
from vidprod.service.signature import canonical_query, encode, sign_query, verify
from vidprod.settings import Settings

STATIC = Path(explorer.__file__).parent / "static"


def described(kind: type[Params]) -> dict[str, dict[str, Any]]:
    """Fields by name."""
    spec = ActionSpec(kind.__name__, kind, "What it does.", "nowhere")
    return {field["name"]: field for field in explorer.describe(spec)["fields"]}


# --- what the page learns of actions ----------------------------------------------------------------------------------


def test_a_scalar_has_its_kind_range_and_default() -> None:
    found = described(SAMPLES["EraseVideoSubtitles"])
    assert found["VideoUrl"]["kind"] == "file"
    assert found["VideoUrl"]["required"]
    assert found["BY"].items() >= {"kind": "number", "min": 0, "max": 1, "default": 0.75, "required": False}.items()
    assert described(SAMPLES["AbstractEcommerceVideo"])["Duration"]["above"] == 0
    assert "default" not in described(SAMPLES["SuperResolveVideo"])["BitRate"]


def test_limits_inside_an_optional_type_are_found() -> None:
    width = described(SAMPLES["AbstractEcommerceVideo"])["Width"]
    assert width.items() >= {"kind": "integer", "min": 32, "max": 2160, "required": False}.items()


def test_choices_and_lists_of_objects() -> None:
    assert described(SAMPLES["ChangeVideoSize"])["CropType"]["choices"] == ["smart", "fill", "cut"]
    files = described(SAMPLES["GenerateVideo"])["FileList"]
    assert (files["kind"], files["most"], files["item"]["kind"]) == ("list", 46, "object")
    assert [field["kind"] for field in files["item"]["fields"]] == ["text", "file", "choice"]


def test_a_list_of_files_has_a_control_of_its_own() -> None:
    files = described(GenerateVideoParams)["FileList"]
    assert (files["kind"], files["required"]) == ("files", True)
    assert {field["name"]: field["kind"] for field in files["item"]["fields"]} == {
        "FileName": "text",
        "FileUrl": "file",
        "Type": "choice",
    }
    assert files["item"]["endings"][".jpg"] == "image"
    types = next(field["choices"] for field in files["item"]["fields"] if field["name"] == "Type")
    assert set(files["item"]["endings"].values()) == set(types)


def test_every_type_that_can_be_read_from_the_wire_can_be_shown() -> None:
    kinds = {name: field["kind"] for name, field in described(Scalars).items()}
    assert kinds == {
        "Whole": "integer",
        "Real": "number",
        "Yes": "boolean",
        "Words": "text",
        "Kind": "choice",
        "Rate": "text",
        "Number": "number",
        "Layers": "list",
        "Extra": "file",
    }


@pytest.mark.parametrize("name", ACTIONS)
def test_the_registry_is_shown_in_full(name: str) -> None:
    answer = explorer.asset("actions.json", ACTIONS)
    assert answer is not None
    shown = {action["name"]: action for action in json.loads(answer.body)["actions"]}
    spec = ACTIONS[name]
    assert shown[name]["summary"] == spec.summary
    assert [field["name"] for field in shown[name]["fields"]] == [
        info.alias for info in spec.params.model_fields.values()
    ]


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_lets_nothing_in_from_elsewhere() -> None:
    answer = explorer.page(Settings())
    policy = dict(part.split(" ", 1) for part in answer.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["media-src"] == "'self' blob:"
    assert policy["trusted-types"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_results_in_an_object_storage_can_be_shown() -> None:
    answer = explorer.page(Settings(storage="s3://bucket/prefix"))
    assert "media-src 'self' blob: http: https:;" in answer.headers["Content-Security-Policy"]
    assert "script-src 'self';" in answer.headers["Content-Security-Policy"]


def test_everything_the_page_names_is_there_and_ours() -> None:
    page = explorer.page(Settings()).body.decode()
    named = re.findall(r'(?:src|href)="([^"#]+)"', page)
    own = [name.removeprefix(explorer.PREFIX) for name in named if name.startswith(explorer.PREFIX)]
    assert {"explorer.js", "explorer.css", "icon.svg"} <= set(own)
    assert set(named) - {explorer.PREFIX + name for name in own} == {"/metrics", "/healthz"}
    for script in STATIC.glob("*.js"):
        own += re.findall(r'from "\./([^"]+)"', script.read_text())
    for name in own:
        answer = explorer.asset(name, ACTIONS)
        assert answer is not None, name
        assert answer.body


def test_no_script_makes_markup_of_text() -> None:
    sources = "".join(path.read_text() for path in STATIC.glob("*.js"))
    assert len(sources) > 10_000
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc"):
        assert way not in sources


@pytest.mark.parametrize(
    "name", ["", "explorer.html", "nothing.js", "../explorer.py", "..%2fexplorer.py", "__init__.py"]
)
def test_there_are_no_other_files(name: str) -> None:
    assert explorer.asset(name, ACTIONS) is None


def test_each_label_names_a_control_and_each_control_has_a_label() -> None:
    page = explorer.page(Settings()).body.decode()
    labels = set(re.findall(r'<label for="([^"]+)"', page))
    controls = set(re.findall(r'<(?:input|select|textarea) id="([^"]+)"', page))
    assert labels == controls != set()


# --- signing in JavaScript --------------------------------------------------------------------------------------------

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


def javascript(code: str, value: Any) -> Any:
    """The value of an expression, to which the page's signing functions and `value` are known."""
    program = f"import * as it from {json.dumps((STATIC / 'sign.js').as_uri())};"
    program += f"const value = JSON.parse(process.argv[1]); console.log(JSON.stringify({code}));"
    done = subprocess.run(
        ["node", "--input-type=module", "-e", program, json.dumps(value)], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


@needs_node
def test_the_page_signs_as_the_cloud_does() -> None:
    parameters = {
        "Action": "EraseVideoLogo",
        "Version": "2020-03-20",
        "Format": "JSON",
        "AccessKeyId": "testid",
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureType": "",
        "SignatureNonce": "313ef0fb-0393-464f-a6e2-59d9ca2585b1",
        "Timestamp": "2020-03-10T08:18:18Z",
        "RegionId": "cn-shanghai",
        "VideoUrl": "http://127.0.0.1:9000/a b~(1)*.mp4?x=1&y=2",
        "Boxes.1.X": "0.0",
        "Boxes.1.Y": "0.0",
        "Boxes.1.W": "0.25",
        "Boxes.1.H": "1e-05",
    }
    assert javascript("it.sign('POST', value, 'testsecret')", parameters) == "GnFSLLmSRjTpSKZbBDB8T40Q9V4="


@needs_node
def test_digests_agree_with_pythons() -> None:
    texts = ["", "a", "é" * 31, *("x" * count for count in (55, 56, 63, 64, 65, 119, 120, 4000))]
    found = javascript("value.map((each) => Array.from(it.sha1(each)))", texts)
    assert [bytes(each) for each in found] == [hashlib.sha1(text.encode()).digest() for text in texts]
    found = javascript("value.map((each) => Array.from(it.hmacSha1(each, 'text')))", texts)
    assert [bytes(each) for each in found] == [hmac.digest(text.encode(), b"text", "sha1") for text in texts]


@needs_node
def test_encoding_agrees_with_the_servers() -> None:
    parameters = {"B": "a b+c*d~e!f'g(h)", "A.10": "é中😀", "A.2": "", "a": "%41/&=?#", "_": '\n\t"\\'}
    assert javascript("it.canonical(value)", parameters) == canonical_query(parameters.items())
    signature = javascript("it.sign('POST', value, 'gehe\u00efm')", parameters)
    assert signature == sign_query("POST", parameters, "geheïm")
    assert len(base64.b64decode(signature)) == 20


@needs_node
@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_the_call_as_curl_is_one_that_the_server_takes(tmp_path: Path) -> None:
    action = {"name": "SuperResolveVideo", "snake": "super_resolve_video", "kebab": "super-resolve-video"}
    url = "http://h/it's%20a+b(1)~*$HOME`x`.mp4?a=1&b=%E4%B8%AD"
    call = {
        "action": action,
        "endpoint": "http://127.0.0.1:8080",
        "keyId": "testid",
        "files": [],
        "parameters": {"VideoUrl": url, "BitRate": "4"},
        "tree": {},
    }
    program = f"import {{ snippets }} from {json.dumps((STATIC / 'snippets.js').as_uri())};"
    program += "console.log(snippets(JSON.parse(process.argv[1])).find((each) => each.name === 'curl').text);"
    made = subprocess.run(
        ["node", "--input-type=module", "-e", program, json.dumps(call)], capture_output=True, text=True, check=True
    )
    assert "testsecret" not in made.stdout
    # Instead of sending it, curl tells what it would send.
    script = 'curl() { for each in "$@"; do printf "%s\\n" "$each"; done; }\n' + made.stdout
    sent = subprocess.run(
        ["sh", "-eu", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"], "ACCESS_KEY_SECRET": "testsecret"},
    ).stdout.splitlines()
    form = sent[sent.index("--data") + 1]
    signature = sent[sent.index("--data-urlencode") + 1].removeprefix("Signature=")
    body = f"{form}&Signature={encode(signature)}".encode()
    request = SignedRequest.parse("POST", "/", [("content-type", "application/x-www-form-urlencoded")], body)
    caller = verify(request, {"testid": "testsecret"}.get, datetime.now(UTC))
    assert caller.action == "SuperResolveVideo"
    assert caller.parameters["VideoUrl"] == url


def shown_as_code(values: list[dict[str, Any]]) -> dict[str, str]:
    """The call of GenerateVideo with these files as code, by the name of its tab. A value is FileName, FileUrl and Type."""
    spec = ActionSpec("GenerateVideo", GenerateVideoParams, "", "nowhere")
    field = explorer.describe(spec)["fields"][0]
    by_name = {inner["name"]: inner for inner in field["item"]["fields"]}
    members = [{name: {"field": by_name[name], "value": value} for name, value in each.items()} for each in values]
    files = [
        {"path": f"FileList.{n}.FileUrl", "file": {"name": each["FileUrl"]["file"]}}
        for n, each in enumerate(values, 1)
        if "file" in each["FileUrl"]
    ]
    call = {
        "action": {"name": spec.name, "snake": spec.snake_name, "kebab": spec.kebab_name},
        "endpoint": "http://127.0.0.1:8080",
        "keyId": "testid",
        "files": files,
        "parameters": {},
        "tree": {"FileList": {"field": field, "value": members}},
    }
    program = f"import {{ snippets }} from {json.dumps((STATIC / 'snippets.js').as_uri())};"
    program += "console.log(JSON.stringify(snippets(JSON.parse(process.argv[1]))));"
    done = subprocess.run(
        ["node", "--input-type=module", "-e", program, json.dumps(call)], capture_output=True, text=True, check=True
    )
    return {each["name"]: each["text"] for each in json.loads(done.stdout)}


@needs_node
def test_a_list_of_files_as_code() -> None:
    url = "https://h/%E7%89%87%.png?x=it's"
    values = [
        {"FileName": "my clip.mp4", "FileUrl": {"file": "my clip.mp4"}, "Type": "video"},
        {"FileName": "other", "FileUrl": {"url": url}, "Type": "image"},
    ]
    code = shown_as_code(values)
    words = shlex.split(code["Command line"], comments=True)
    assert words[:3] == ["vidprod", "generate-video", "my clip.mp4"]
    assert json.loads(words[3]) == {"FileName": "other", "FileUrl": url, "Type": "image"}
    calls = {node.func.attr: node for node in ast.walk(ast.parse(code["Python"])) if is_method(node)}
    given = ast.literal_eval(calls["generate_video"].keywords[0].value)
    assert given == ["my clip.mp4", {"file_name": "other", "file_url": url, "type": "image"}]
    calls = {node.func.attr: node for node in ast.walk(ast.parse(code["Cloud SDK"])) if is_method(node)}
    members = calls["GenerateVideoAdvanceRequest"].keywords[0].value
    assert isinstance(members, ast.List)
    assert [ast.unparse(member) for member in members.elts] == [
        "models.GenerateVideoAdvanceRequestFileList(file_name='my clip.mp4', "
        "file_url_object=open('my clip.mp4', 'rb'), type='video')",
        f"models.GenerateVideoAdvanceRequestFileList(file_name='other', file_url_object=BytesIO(urlopen({url!r}).read()), "
        "type='image')",
    ]


def is_method(node: ast.AST) -> TypeGuard[Any]:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
