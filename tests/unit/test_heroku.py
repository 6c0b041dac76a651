"""The files for Heroku are valid, and what they name exists."""

import json
import tomllib
from typing import Any

import jsonschema_rs
import pytest

from config import PROJECT_FOLDER

TEXT, FLAG = {"type": "string"}, {"type": "boolean"}
SCRIPTS = {"type": "object", "properties": {"postdeploy": TEXT, "pr-predestroy": TEXT}, "additionalProperties": False}


def _object(properties: dict[str, Any], *required: str) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _named(of: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "patternProperties": {of: value}, "additionalProperties": False}


VARIABLE = _object({"description": TEXT, "value": TEXT, "required": FLAG, "generator": {"const": "secret"}})
# A value that is there, and one that is made, exclude each other.
VARIABLE |= {"not": {"required": ["value", "generator"]}}
ADDON = {"anyOf": [TEXT, _object({"plan": TEXT, "as": TEXT, "options": {"type": "object"}}, "plan")]}
SCHEMA = _object(
    {
        "name": {"type": "string", "minLength": 1, "maxLength": 30},
        **dict.fromkeys(("description", "image", "success_url", "stack"), TEXT),
        **dict.fromkeys(("website", "repository", "logo"), TEXT | {"format": "uri"}),
        "keywords": {"type": "array", "items": TEXT},
        "addons": {"type": "array", "items": ADDON},
        "buildpacks": {"type": "array", "items": _object({"url": TEXT}, "url")},
        "scripts": SCRIPTS,
        "env": _named("^[A-Z][A-Z0-9_]*$", {"anyOf": [TEXT, VARIABLE]}),
        "formation": _named("^[a-z][a-z0-9_-]*$", _object({"quantity": {"type": "integer"}, "size": TEXT})),
        "environments": {"type": "object"},
    }
)
"""The rules of devcenter.heroku.com/articles/app-json-schema, as far as an app of this kind may need them."""


@pytest.fixture
def form() -> dict[str, Any]:
    return dict(json.loads((PROJECT_FOLDER / "app.json").read_text("utf-8")))


@pytest.fixture
def processes() -> dict[str, str]:
    lines = (PROJECT_FOLDER / "Procfile").read_text("utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines)


def test_app_json_follows_herokus_schema(form: dict[str, Any]) -> None:
    rules = jsonschema_rs.Draft7Validator(SCHEMA, validate_formats=True)
    assert [str(error) for error in rules.iter_errors(form)] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"env": {"PORT": {"value": 8000}}},
        {"env": {"port": "8000"}},
        {"env": {"KEY": {"generator": "password"}}},
        {"env": {"KEY": {"generator": "secret", "value": "x"}}},
        {"formation": {"web": {"number": 1}}},
        {"buildpacks": ["heroku/python"]},
        {"stak": "heroku-24"},
    ],
)
def test_an_invalid_app_json_is_detected(form: dict[str, Any], wrong: dict[str, Any]) -> None:
    assert not jsonschema_rs.Draft7Validator(SCHEMA).is_valid(form | wrong)


def test_each_process_of_app_json_is_in_the_procfile(form: dict[str, Any], processes: dict[str, str]) -> None:
    assert form["formation"].keys() <= processes.keys()
    assert processes.keys() == {"release", "web"}  # `release` is the name by which Heroku runs it before a new version


def test_heroku_uses_a_supported_python() -> None:
    minor = (PROJECT_FOLDER / ".python-version").read_text("utf-8").strip()
    range_ = tomllib.loads((PROJECT_FOLDER / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert range_ == ">=3.11,<3.14"
    assert minor in ("3.11", "3.12", "3.13")
