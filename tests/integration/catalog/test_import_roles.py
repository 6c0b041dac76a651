"""An import of users: roles, a scheduler's subjects, a student's advisors, and the last registrar."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import Result
from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.roles import Role
from quart_enroll.domain.student_attributes import StudentAttributes
from tests.support.people import ADA, ARON, BOB, RITA, SAMI

Run = Callable[[str], Awaitable[Result]]

pytestmark = pytest.mark.usefixtures("other_staff")


@pytest.fixture
def run(app: Quart, tmp_path: Path) -> Run:
    """Import the text as a CSV file of users, in a thread, because a command starts its own event loop."""

    async def invoke(text: str) -> Result:
        path = tmp_path / "users.csv"
        path.write_text(text, "utf-8")
        return await asyncio.to_thread(app.test_cli_runner().invoke, args=["import", "user", str(path)])

    return invoke


async def test_roles_subjects_and_advisors_are_stored(run: Run, db: Database) -> None:
    rows = [
        "email,first_name,last_name,roles,subjects,advisors,directory_opt_out",
        "ada@school.example,Ada,Winters,student,,aron@school.example new@school.example,yes",
        "sami@school.example,Sami,Haddad,scheduler; instructor,Computing; Web,,",
        "new@school.example,Nia,New,advisor,,,",
    ]
    result = await run("\n".join(rows))
    assert result.exit_code == 0, result.output
    new = await users.find_credentials(db, "new@school.example")
    assert new is not None
    found = await users.find_many(db, [ADA.user_id, SAMI.user_id])
    assert found[ADA.user_id] == replace(ADA, advisors=(ARON.user_id, new.user.user_id), directory_opt_out=True)
    assert found[SAMI.user_id] == replace(
        SAMI, roles=frozenset({Role.SCHEDULER, Role.INSTRUCTOR}), subjects=("Computing", "Web")
    )
    stored = await db.user.find_one({"user_id": new.user.user_id})
    assert stored is not None
    assert (stored["role"], stored["roles"]) == ("student", ["advisor"])


async def test_columns_that_a_file_does_not_have_keep_their_values(run: Run, db: Database) -> None:
    fields = {"advisors": [ARON.user_id], "directory_opt_out": True}
    await db.user.update_one({"user_id": ADA.user_id}, {"$set": fields})
    result = await run("email,first_name,last_name\nada@school.example,Ada,Sommer\nsami@school.example,Sam,Haddad\n")
    assert result.exit_code == 0, result.output
    found = await users.find_many(db, [ADA.user_id, SAMI.user_id])
    assert found[ADA.user_id] == replace(ADA, last_name="Sommer", advisors=(ARON.user_id,), directory_opt_out=True)
    assert found[SAMI.user_id] == replace(SAMI, first_name="Sam")


async def test_attributes_are_imported_and_a_missing_column_keeps_its_value(run: Run, db: Database) -> None:
    header = "email,first_name,last_name,Major,class standing,Cohort,Credits earned,Placement scores,status"
    await run(f"{header}\nada@school.example,Ada,Winters,Nursing; Biology,Senior,,61.5,Math 70; Art 3,Leave\n")
    result = await run("email,first_name,last_name,standing,campus,status\nada@school.example,Ada,Winters,,North,\n")
    assert result.exit_code == 0, result.output
    attributes = StudentAttributes(
        ("Nursing", "Biology"), campus="North", earned_credits=61.5, placements=("Math 70", "Art 3")
    )
    assert await users.find(db, ADA.user_id) == replace(ADA, attributes=attributes)
    result = await run("email,first_name,last_name,status\nada@school.example,Ada,Winters,away\n")
    assert "This must be active, leave, graduated or inactive." in result.output


@pytest.mark.parametrize("name", ["bob@school.example", "nobody@school.example", "999"])
async def test_an_advisor_must_have_that_role(run: Run, db: Database, name: str) -> None:
    result = await run(f"email,first_name,last_name,advisors\nada@school.example,Ada,Winters,{name}\n")
    assert result.exit_code == 1
    assert f"{name} isn’t an advisor." in result.output
    assert await users.find(db, ADA.user_id) == ADA


async def test_the_last_registrar_stays_one(run: Run, db: Database) -> None:
    header = "email,first_name,last_name,roles\n"
    result = await run(f"{header}rita@school.example,Rita,Moreno,auditor\n")
    assert result.exit_code == 1
    assert "This would leave the school without a registrar." in result.output
    assert await users.find(db, RITA.user_id) == RITA
    result = await run(f"{header}rita@school.example,Rita,Moreno,auditor\nbob@school.example,Bob,Okafor,registrar\n")
    assert result.exit_code == 0, result.output
    found = await users.find_many(db, [BOB.user_id, RITA.user_id])
    assert [Role.REGISTRAR in found[one.user_id].roles for one in (BOB, RITA)] == [True, False]
