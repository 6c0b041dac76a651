"""The schemas of accounts and their roles."""

from dataclasses import replace
from typing import Annotated, ClassVar, Literal, Self

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from quart_enroll.api.v1.schemas import Cursor, Flag, Limit, Next, Text
from quart_enroll.api.v1.staff.section_schemas import DryRun, UserIDs
from quart_enroll.api.v1.staff.student_schemas import StatusName, StudentAttributesSchema
from quart_enroll.domain.models import Profile, User
from quart_enroll.domain.roles import Role, in_order, read_roles
from quart_enroll.domain.student_attributes import (
    MAX_EARNED_CREDITS,
    MAX_VALUE_LENGTH,
    MAX_VALUES,
    PLACEMENT,
    StudentAttributes,
    StudentStatus,
)

RoleName = Literal["student", "instructor", "advisor", "scheduler", "registrar", "auditor"]
Roles = Annotated[
    list[RoleName],
    Meta(min_length=1, max_length=6, extra={"sentence": f"Send a list with any of {', '.join(Role)}."}),
]
AttributeName = Annotated[str, Meta(max_length=MAX_VALUE_LENGTH)]
AttributeNames = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=MAX_VALUE_LENGTH)]], Meta(max_length=MAX_VALUES)
]
Placements = Annotated[
    list[Annotated[str, Meta(max_length=MAX_VALUE_LENGTH, pattern=f"^{PLACEMENT.pattern}$")]],
    Meta(max_length=MAX_VALUES),
]
EarnedCredits = Annotated[float, Meta(ge=0, le=MAX_EARNED_CREDITS)]
Subjects = Annotated[
    list[Annotated[str, Meta(min_length=1, max_length=50)]],
    Meta(max_length=100, extra={"sentence": "Send a list of subjects."}),
]


ATTRIBUTES_SENTENCE = (
    f"Send an object: programs and cohorts are lists of at most {MAX_VALUES} names, placements a list of tests with "
    f"scores, such as Math 70, level, standing and campus are texts, all of at most {MAX_VALUE_LENGTH} characters; "
    f"earned_credits is a number from 0 to {MAX_EARNED_CREDITS}, or null; and status is {', '.join(StudentStatus)}."
)


class EditAttributes(Struct, frozen=True):
    """The attributes to change; those that you don't send keep their values, and an empty one is removed."""

    programs: AttributeNames | UnsetType = UNSET
    level: AttributeName | UnsetType = UNSET
    standing: AttributeName | UnsetType = UNSET
    cohorts: AttributeNames | UnsetType = UNSET
    campus: AttributeName | UnsetType = UNSET
    earned_credits: EarnedCredits | UnsetType | None = UNSET
    placements: Placements | UnsetType = UNSET
    status: StatusName | UnsetType = UNSET

    def applied_to(self, before: StudentAttributes) -> StudentAttributes:
        """Return the attributes with these changes."""
        sent = {name: value for name, value in structs.asdict(self).items() if value is not UNSET}
        for name in ("programs", "cohorts", "placements"):
            if name in sent:
                sent[name] = tuple(dict.fromkeys(sent[name]))
        if "status" in sent:
            sent["status"] = StudentStatus(sent["status"])
        return replace(before, **sent)


class PersonSchema(Struct, frozen=True):
    """A person's account, with the values that registrars set."""

    user_id: int
    email: str
    first_name: str
    last_name: str
    preferred_name: Annotated[str, Meta(description="What to call the person instead of the first name, or empty.")]
    pronouns: Annotated[str, Meta(description="As the person wrote them, such as they/them, or empty.")]
    roles: list[RoleName]
    subjects: Annotated[list[str], Meta(description="The subjects whose sections a scheduler can change.")]
    advisors: Annotated[list[int], Meta(description="The user_ids of a student's advisors.")]
    directory_opt_out: bool
    attributes: StudentAttributesSchema
    version: Annotated[str, Meta(description="Identifies these values; send it with your edit.")]

    @classmethod
    def of(cls, user: User, profile: Profile | None = None) -> Self:
        """Describe the person; with a `profile`, as if it were set."""
        shown = profile or Profile.of(user)
        return cls(
            user.user_id,
            user.email,
            user.first_name,
            user.last_name,
            user.preferred_name,
            user.pronouns,
            [role.value for role in in_order(shown.roles)],
            list(shown.subjects),
            list(shown.advisors),
            shown.directory_opt_out,
            StudentAttributesSchema.of(shown.attributes),
            shown.fingerprint,
        )


class PersonPage(Struct, frozen=True):
    """A page of people, sorted by user_id."""

    people: list[PersonSchema]
    next: Next = None


class PersonQuery(Struct, frozen=True):
    """Filters for people."""

    q: Annotated[Text, Meta(description="Each word begins one of a name or the email, or is the user_id.")] = ""
    role: Annotated[
        Literal["", "staff", "student", "instructor", "advisor", "scheduler", "registrar", "auditor"],
        Meta(description="Only people with this role; `staff` for every role but student."),
    ] = ""
    limit: Limit = 50
    cursor: Cursor = ""


class EditPersonBody(Struct, frozen=True):
    """The fields to change; fields that you don't send keep their values."""

    example: ClassVar = {"version": "3f7c…", "roles": ["student", "advisor"], "dry_run": True}

    version: Annotated[
        str,
        Meta(
            max_length=64,
            description="The `version` that you have read; if someone has changed the person since, nothing is stored.",
            extra={"sentence": "Send the version of the person that you have read."},
        ),
    ]
    roles: Roles | UnsetType = UNSET
    subjects: Subjects | UnsetType = UNSET
    advisors: UserIDs | UnsetType = UNSET
    directory_opt_out: Flag | UnsetType = UNSET
    attributes: Annotated[EditAttributes, Meta(extra={"sentence": ATTRIBUTES_SENTENCE})] | UnsetType = UNSET
    dry_run: DryRun = False

    def applied_to(self, before: Profile) -> Profile:
        """Return the profile with these changes."""
        return Profile(
            before.roles if self.roles is UNSET else read_roles(self.roles),
            before.subjects if self.subjects is UNSET else tuple(sorted(set(self.subjects))),
            before.advisors if self.advisors is UNSET else tuple(sorted(set(self.advisors))),
            before.directory_opt_out if self.directory_opt_out is UNSET else self.directory_opt_out,
            before.attributes if self.attributes is UNSET else self.attributes.applied_to(before.attributes),
        )
