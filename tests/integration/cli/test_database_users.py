"""The database users that docs/deploy.md prescribes: their roles suffice, and a missing role is named."""

import asyncio
import os
import re
import secrets
import shlex
import signal
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from pymongo import MongoClient

from config import PROJECT_FOLDER
from quart_enroll.app import create_app
from quart_enroll.cli.local_mongod import SMALL_FOOTPRINT_OPTIONS, find_mongod
from quart_enroll.db import transactions
from quart_enroll.db.client import APP_NAME, open_database, other_database_uri
from quart_enroll.db.collections import courses, sections, terms
from quart_enroll.services.maintenance.rehearsal import (
    RehearsalRefused,
    database_name,
    open_rehearsal_database,
    read_server_usage,
)
from quart_enroll.services.maintenance.upgrade import UpgradeDefaults, upgrade
from quart_enroll.state import EXTENSION
from quart_enroll.system.process import child_process
from tests.integration.cache.test_catalog_cache import wait_until_catalog
from tests.integration.server.test_outage import OPEN_TERM, SECTION
from tests.support.people import COURSES, Browser, Clock, config, registration
from tests.support.processes import PROJECT, TIMEOUT_SECONDS, environment, free_port, wait_until

DATABASE = "FLASK_Enrollment"
ROOT, PASSWORD = "root", "no secret"
SECTION_FILTER = {"term": OPEN_TERM.term, "courseID": SECTION.courseID, "section": SECTION.section}

Documents = MongoClient[dict[str, Any]]
UriOfUser = Callable[[str], str]


@pytest.fixture(scope="module")
def uri_of(quick_folder: Path) -> Iterator[UriOfUser]:
    """Run a mongod that requires authentication, with the users of docs/deploy.md; yield a function for their URIs."""
    folder, port = quick_folder / "users", free_port()
    (folder / "data").mkdir(parents=True)
    key = folder / "key"
    key.write_text(secrets.token_hex(32))
    key.chmod(0o600)
    command = [
        find_mongod(),
        "--dbpath",
        str(folder / "data"),
        "--port",
        str(port),
        "--replSet",
        "users",
        *SMALL_FOOTPRINT_OPTIONS,
    ]

    def uri_of(user: str) -> str:
        return f"mongodb://{user}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}?replicaSet=users&authSource=admin"

    with (
        open(folder / "log", "wb") as log,
        child_process([*command, "--auth", "--keyFile", str(key)], output=log, orphaned=signal.SIGKILL) as process,
    ):
        with Documents("127.0.0.1", port, directConnection=True) as nobody:
            member = {"_id": 0, "host": f"127.0.0.1:{port}"}
            nobody.admin.command("replSetInitiate", {"_id": "users", "members": [member]})
            wait_until(lambda: bool(nobody.admin.command("hello")["isWritablePrimary"]))
            nobody.admin.command("createUser", ROOT, pwd=PASSWORD, roles=["root"])
        with Documents(uri_of(ROOT)) as root:
            for user, roles in prescribed_users().items():
                root.admin.command("createUser", user, pwd=PASSWORD, roles=roles)
        yield uri_of
        process.kill()  # if told to stop, it would wait for its clients to disconnect


def prescribed_users() -> dict[str, list[dict[str, str]]]:
    rows = re.findall(
        r"^ +\| `([\w-]+)` \| (.+?) \|", (PROJECT_FOLDER / "docs" / "deploy.md").read_text("utf-8"), re.MULTILINE
    )
    return {
        user: [{"role": role, "db": database} for role, database in re.findall(r"`(\w+)@(\w+)`", roles)]
        for user, roles in rows
    }


@pytest.fixture
def root(uri_of: UriOfUser) -> Iterator[Documents]:
    """Yield an administrator's client, with an empty database."""
    with Documents(uri_of(ROOT)) as client:
        client.drop_database(DATABASE)
        yield client


def upgrade_db(uri: str, upgrade_uri: str = "") -> Result:
    app = create_app(config(mongo_uri=uri, upgrade_mongo_uri=upgrade_uri))
    return app.test_cli_runner().invoke(args=["upgrade-db"])


def weaken_a_validator(root: Documents) -> None:
    root[DATABASE].command("collMod", "course", validator={"title": {"$exists": True}})


def test_the_docs_prescribe_two_database_users() -> None:
    may_write = {"role": "readWrite", "db": DATABASE}
    assert prescribed_users() == {
        "enroll": [may_write],
        "enroll-upgrade": [may_write, {"role": "dbAdmin", "db": DATABASE}],
    }


async def test_the_release_phase_and_the_site_need_only_the_prescribed_users(
    uri_of: UriOfUser, root: Documents, clock: Clock
) -> None:
    settings = {"MONGO_URI": uri_of("enroll"), "UPGRADE_MONGO_URI": uri_of("enroll-upgrade")}
    first, second = [await asyncio.to_thread(release, **settings) for _ in range(2)]
    assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
    assert second.stdout == "The database is up to date; nothing was changed.\n"
    app = create_app(config(mongo_uri=uri_of("enroll")))
    async with app.test_app(), open_database(uri_of("enroll"), 20) as db:
        browser = Browser(app.test_client())
        assert (await browser.get("/readyz")).status_code == 200
        await terms.put_all(db, [OPEN_TERM])
        await db.course.insert_one(courses.to_row(COURSES[0]))
        await sections.put_all(db, [SECTION])
        # The update arrives through a change stream.
        await wait_until_catalog(
            app.extensions[EXTENSION].catalog_cache, lambda catalog: bool(catalog.sections_of("1111", OPEN_TERM))
        )
        assert (await browser.post("/register", form=registration())).status_code == 303
        with Documents(uri_of("enroll"), appname=APP_NAME) as stranded, stranded.start_session() as session:
            session.start_transaction()  # the site can't tell it from one of a killed process
            stranded[DATABASE].section.update_one(SECTION_FILTER, {"$inc": {"version": 1}}, session=session)
            await browser.post("/enrollment", form={"courseID": SECTION.courseID})
        assert await db.enrollment.count_documents({"status": "enrolled"}) == 1


def release(**settings: str) -> subprocess.CompletedProcess[str]:
    """Run the release command of the Procfile."""
    [command] = re.findall(r"^release: (.+)$", (PROJECT_FOLDER / "Procfile").read_text("utf-8"), re.MULTILINE)
    path = os.pathsep.join([sysconfig.get_path("scripts"), os.environ["PATH"]])
    return subprocess.run(
        shlex.split(command),
        cwd=PROJECT,
        env=environment(**settings) | {"PATH": path},
        text=True,
        capture_output=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )


def test_deploys_that_change_no_validator_need_only_the_site_s_user(uri_of: UriOfUser, root: Documents) -> None:
    first, second = upgrade_db(uri_of("enroll")), upgrade_db(uri_of("enroll"))
    assert (first.exit_code, second.exit_code) == (0, 0), first.output
    assert second.output == "The database is up to date; nothing was changed.\n"


def test_a_user_who_may_not_change_a_validator_gets_a_sentence_before_anything_changes(
    uri_of: UriOfUser, root: Documents
) -> None:
    assert upgrade_db(uri_of("enroll")).exit_code == 0
    weaken_a_validator(root)
    root[DATABASE].course.drop_index("courseID_1")
    refused = upgrade_db(uri_of("enroll"))
    assert (refused.exit_code, refused.output) == (
        1,
        "Error: The user in MONGO_URI may not run collMod on FLASK_Enrollment. That requires the role dbAdmin; "
        "see docs/deploy.md.\n",
    )
    assert "courseID_1" not in root[DATABASE].course.index_information()
    result = upgrade_db(uri_of("enroll"), uri_of("enroll-upgrade"))
    assert result.output == "course: index courseID_1 created\ncourse: validator set\n"
    assert upgrade_db(uri_of("enroll")).exit_code == 0


def test_a_user_of_another_database_is_told_which_role_is_missing(uri_of: UriOfUser, root: Documents) -> None:
    root.admin.command("createUser", "reader", pwd=PASSWORD, roles=[{"role": "read", "db": DATABASE}])
    refused = upgrade_db(uri_of("enroll"), uri_of("reader"))
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: The user in UPGRADE_MONGO_URI may not run ")
    assert "requires the role readWrite" in refused.output


def test_a_wrong_database_password_is_reported(uri_of: UriOfUser, root: Documents) -> None:
    refused = upgrade_db(uri_of("enroll").replace(PASSWORD, "another"))
    assert refused.exit_code == 1
    assert refused.output == "Error: The database rejected the user name or password in MONGO_URI.\n"


def test_an_upgrade_ends_the_transaction_of_a_killed_process_of_the_site(
    uri_of: UriOfUser, root: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transactions, "UNRELATED_ABANDONED_AFTER_SECONDS", 1.0)
    assert upgrade_db(uri_of("enroll")).exit_code == 0
    weaken_a_validator(root)
    root.admin.command("setParameter", 1, transactionLifetimeLimitSeconds=600)  # MongoDB itself won't end it in time
    with Documents(uri_of("enroll"), appname=APP_NAME) as stranded, stranded.start_session() as session:
        session.start_transaction()
        stranded[DATABASE].course.insert_one(courses.to_row(COURSES[0]), session=session)
        result = upgrade_db(uri_of("enroll"), uri_of("enroll-upgrade"))
    assert (result.exit_code, result.output) == (0, "course: validator set\n")


async def test_a_rehearsal_needs_one_more_role(uri_of: UriOfUser, root: Documents) -> None:
    name = database_name(DATABASE)
    async with open_database(other_database_uri(uri_of("enroll"), name), 20) as db:
        with pytest.raises(RehearsalRefused, match=rf"readWrite@{name} as well"):
            async with open_rehearsal_database(db, DATABASE):
                pass
        root.admin.command("grantRolesToUser", "enroll", roles=[{"role": "readWrite", "db": name}])
        async with open_rehearsal_database(db, DATABASE):
            await upgrade(db, datetime.now(UTC), UpgradeDefaults())
            assert name in root.list_database_names()
            assert await read_server_usage(db) is None  # that would need clusterMonitor
        assert name not in root.list_database_names()
    root.admin.command("revokeRolesFromUser", "enroll", roles=[{"role": "readWrite", "db": name}])
