"""The site's responses match its OpenAPI document: Schemathesis generates valid and invalid requests for each
operation, and checks that the document describes each response."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings, strategies
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from quart_enroll.api.v1.document import EXTENSION
from quart_enroll.app import create_app
from quart_enroll.db import client
from quart_enroll.domain.scopes import Scope
from tests.support import school
from tests.support.api_clients import token
from tests.support.people import ADA, PASSWORD_METHOD, RITA, TERMS, config
from tests.support.processes import fresh_database, server

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]

APP = create_app(config(mongo_uri="mongodb://mock.example"))
DOCUMENT = json.loads(APP.extensions[EXTENSION].json)
OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()]

REQUESTS_PER_OPERATION = {"visitor": 3, "ada": 10, "rita": 10}
"""The number of requests generated for each operation."""

STAFF_OPERATIONS = "/api/v1/staff/"
"""What their paths begin with: rita requests these, and ada the others."""


Site = tuple[str, Mapping[str, str]]
"""The base URL of a site, and a token of each user."""


@pytest.fixture(scope="module")
def site(mongod: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve a school whose terms are open now; yield its base URL and the users' API tokens."""
    with fresh_database(mongod) as uri:
        tokens = asyncio.run(_fill_database(uri))
        log = tmp_path_factory.mktemp("openapi") / "log"
        with server(log, MONGO_URI=uri, PASSWORD_METHOD=PASSWORD_METHOD) as running:
            yield f"http://127.0.0.1:{running.port}", tokens


async def _fill_database(uri: str) -> Mapping[str, str]:
    now = datetime.now(UTC)
    terms_open_now = [
        replace(
            term,
            opens_at=now - timedelta(days=1),
            **dict.fromkeys(("add_deadline", "drop_deadline", "withdraw_deadline"), now + timedelta(days=1)),
        )
        for term in TERMS
    ]
    async with client.open_database(uri, 20) as db:
        await school.build(db)
        await school.fill(db, terms_open_now)
        facts = {"expires_at": now + timedelta(days=1), "now": now}
        return {
            "ada": await token(db, ADA, **facts),
            "rita": await token(db, RITA, Scope.STAFF_WRITE, **facts),
        }


def test_the_openapi_document_lists_every_url(site: Site) -> None:
    assert len(OPERATIONS) == 47
    assert requests.get(f"{site[0]}/api/v1/openapi.json", timeout=20).json() == DOCUMENT


def _users(operation: APIOperation) -> list[str]:
    return ["visitor", "rita" if operation.path.startswith(STAFF_OPERATIONS) else "ada"]


@pytest.mark.parametrize(
    ("operation", "user"),
    [
        pytest.param(operation, user, id=f"{operation.label} {user}")
        for operation in OPERATIONS
        for user in _users(operation)
    ],
)
def test_every_response_is_documented(operation: APIOperation, user: str, site: Site) -> None:
    base_url, tokens = site
    headers = {"Authorization": f"Bearer {tokens[user]}"} if user in tokens else {}

    with requests.Session() as session:

        @settings(
            max_examples=REQUESTS_PER_OPERATION[user],
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategies.data())
        def check_response(data: strategies.DataObject) -> None:
            case = data.draw(_requests(operation))
            case.call_and_validate(base_url=base_url, session=session, headers=headers, checks=CHECKS, timeout=20)

        check_response()


def _requests(operation: APIOperation) -> strategies.SearchStrategy[schemathesis.Case]:
    strategies_by_mode = [operation.as_strategy(mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]
    examples = operation.schema.get_strategies_from_examples(operation)
    return strategies.one_of([*examples, *strategies_by_mode])
