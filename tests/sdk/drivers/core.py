# mypy: ignore-errors
"""Drives aliyun-python-sdk-core with aliyun-python-sdk-videoenhan: one JSON request per line in, one JSON answer per line out.

Runs in an environment of its own, where nothing of vidprod is installed.
"""

import importlib
import json
import sys

from aliyunsdkcore.acs_exception.exceptions import ClientException, ServerException
from aliyunsdkcore.client import AcsClient
from aliyunsdkcore.request import CommonRequest

VERSION = "2020-03-20"


def typed(action, parameters):
    """A request of the product's own package."""
    module = importlib.import_module(f"aliyunsdkvideoenhan.request.v20200320.{action}Request")
    request = getattr(module, f"{action}Request")()
    for name, value in parameters.items():
        setter = getattr(request, f"set_{name}", None) or getattr(request, f"set_{name}s")
        setter(value)
    return request


def common(action, parameters, method):
    """A request without the product's package."""
    request = CommonRequest(domain="unused", version=VERSION, action_name=action, product="videoenhan")
    request.set_method(method)
    for name, value in parameters.items():
        request.add_query_param(name, value)
    return request


def call(client, options, action, parameters, common_method=None, form="JSON"):
    """One call; with `common_method` a CommonRequest by that method. XML comes back as text."""
    request = common(action, parameters, common_method) if common_method else typed(action, parameters)
    request.set_endpoint(options["endpoint"])
    if options["protocol"] == "https":
        request.set_protocol_type("https")
    request.set_accept_format(form)
    if form == "JSON":
        return json.loads(client.do_action_with_exception(request))
    return client.do_action(request).decode()  # the other one asks for JSON, whatever it was told


def main():
    """Answers until there are no more requests."""
    options = json.loads(sys.stdin.readline())
    more = {"verify": options["ca"]} if options.get("ca") else {}
    client = AcsClient(options["key"], options["secret"], "cn-shanghai", **more)
    for line in sys.stdin:
        try:
            answer = {"answer": call(client, options, **json.loads(line))}
        except ServerException as error:
            answer = {
                "error": {
                    "kind": "ServerException",
                    "code": error.get_error_code(),
                    "message": error.get_error_msg(),
                    "status": error.get_http_status(),
                }
            }
        except ClientException as error:
            answer = {"error": {"kind": "ClientException", "code": error.get_error_code(), "message": str(error)}}
        except Exception as error:
            answer = {"error": {"kind": type(error).__name__, "code": None, "message": str(error)}}
        print(json.dumps(answer), flush=True)


main()
