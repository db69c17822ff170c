# mypy: ignore-errors
"""Drives alibabacloud-videoenhan20200320, any version: one JSON request per line in, one JSON answer per line out.

Runs in an environment of its own, where nothing of vidprod is installed.
"""

import contextlib
import importlib
import json
import re
import sys

from alibabacloud_tea_util.models import RuntimeOptions
from alibabacloud_videoenhan20200320 import models
from alibabacloud_videoenhan20200320.client import Client


def open_client(
    *, endpoint, protocol, key, secret, signature_algorithm=None, ca=None, upload_endpoint=None, http_proxy=None
):
    """The client as its user would make it."""
    base = Client.__mro__[1].__module__  # releases up to 1.0 are built on tea-rpc, later ones on tea-openapi
    config = importlib.import_module(base.replace(".client", ".models")).Config(
        access_key_id=key,
        access_key_secret=secret,
        endpoint=endpoint,
        protocol=protocol,
        region_id="cn-shanghai",
    )
    if signature_algorithm:
        config.signature_algorithm = signature_algorithm
    if ca:
        config.ca = ca
    client = Client(config)
    if upload_endpoint:
        client._open_platform_endpoint = upload_endpoint
    client.proxy_of_this_driver = http_proxy
    return client


def call(client, action, parameters, file=None, files=False):
    """One call; with `file` the one that uploads it first, with `files` the one that uploads the members of FileList."""
    name = re.sub(r"(?<!^)([A-Z])", r"_\1", action).lower()
    runtime = (
        RuntimeOptions(http_proxy=client.proxy_of_this_driver) if client.proxy_of_this_driver else RuntimeOptions()
    )
    if files:
        request = getattr(models, f"{action}AdvanceRequest")().from_map(parameters)
        with contextlib.ExitStack() as stack:
            for member in request.file_list:
                member.file_url_object = stack.enter_context(open(member.file_url_object, "rb"))
            answer = getattr(client, f"{name}_advance")(request, runtime)
    elif file is not None:
        request = getattr(models, f"{action}AdvanceRequest")().from_map(parameters)
        with open(file, "rb") as request.video_url_object:
            answer = getattr(client, f"{name}_advance")(request, runtime)
    else:
        request = getattr(models, f"{action}Request")().from_map(parameters)
        method = getattr(client, f"{name}_with_options", None) or getattr(client, name)
        answer = method(request, runtime)
    found = answer.to_map()
    return found.get("body", found)  # 1.0 has flat answers


def main():
    """Answers until there are no more requests."""
    client = open_client(**json.loads(sys.stdin.readline()))
    for line in sys.stdin:
        try:
            answer = {"answer": call(client, **json.loads(line))}
        except Exception as error:
            code = getattr(error, "code", None)
            data = getattr(error, "data", None) or {}
            status = data.get("statusCode") or getattr(error, "status_code", None)
            if status is None and (told := re.search(r"code: ([0-9]{3}),", str(error))):
                status = int(told[1])  # 1.0 has it only in its words
            answer = {"error": {"kind": type(error).__name__, "code": code, "message": str(error), "status": status}}
        print(json.dumps(answer), flush=True)


main()
