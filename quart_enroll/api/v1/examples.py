"""Examples of requests for the documentation: commands that a reader can paste into a terminal."""

import json
import shlex
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

AUTHORIZATION = "Authorization: Bearer $TOKEN"
"""The header with the token from a variable of the reader's shell."""

JSON_HEADER = "Content-Type: application/json"


def curl(site_url: str, method: str, path: str, operation: Mapping[str, Any]) -> str:
    """Return the command that performs an operation of the OpenAPI document, with its example values."""
    parameters = operation.get("parameters", ())
    for one in _in("path", parameters):
        path = path.replace("{" + one["name"] + "}", quote(str(_value(one))))
    query = {one["name"]: _value(one) for one in _in("query", parameters) if one["required"] or _has_example(one)}
    body = _request_example(operation)
    is_default = method == ("post" if body else "get")
    url = site_url + path + ("?" + urlencode(query) if query else "")
    lines = [f"curl {'' if is_default else f'-X {method.upper()} '}{shlex.quote(url)}"]
    if "security" in operation:
        lines.append(f'-H "{AUTHORIZATION}"')
    lines += [f'-H "{one["name"]}: $(uuidgen)"' for one in _in("header", parameters)]
    if body:
        lines += [f"-H {shlex.quote(JSON_HEADER)}", f"-d {shlex.quote(json.dumps(body, ensure_ascii=False))}"]
    return " \\\n  ".join(lines)


def _request_example(operation: Mapping[str, Any]) -> Any:
    """Return the example of the operation's request body; None if it has no body."""
    for media in operation.get("requestBody", {}).get("content", {}).values():
        return media["example"]
    return None


def _in(where: str, parameters: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return [one for one in parameters if one["in"] == where]


def _has_example(parameter: Mapping[str, Any]) -> bool:
    return "examples" in parameter["schema"]


def _value(parameter: Mapping[str, Any]) -> Any:
    return parameter["schema"]["examples"][0]
