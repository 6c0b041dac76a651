"""What it means to change a person's roles, subjects and advisors, in words."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from quart_enroll.domain.models import Profile
from quart_enroll.domain.roles import ROLE_NAMES, ROLE_PERMISSIONS, Role, in_order
from quart_enroll.domain.student_attributes import ATTRIBUTE_NAMES
from quart_enroll.forms.attributes import attribute_texts
from quart_enroll.i18n.language import gettext, plural


class ProfileChange(NamedTuple):
    """A field that changes: its name, and its values before and after."""

    label: str
    before: str
    after: str


def describe_changes(before: Profile, after: Profile, names: Mapping[int, str]) -> list[ProfileChange]:
    """Return the fields that differ; `names` are those of the advisors, by user_id."""
    rows = zip(_values(before, names), _values(after, names), strict=True)
    return [ProfileChange(label, old, new) for (label, old), (_, new) in rows if old != new]


def describe_effects(before: Profile, after: Profile, advisees: int, *, is_self: bool) -> list[str]:
    """Return a sentence for each thing that the person can do from now on, or no longer can.

    `advisees` is the number of students whose advisor the person is.
    """
    gained, lost = in_order(after.roles - before.roles), in_order(before.roles - after.roles)
    sentences = [f"{ROLE_NAMES[role]}: {ROLE_PERMISSIONS[role]}" for role in gained]
    sentences += [gettext("No longer %(role)s: %(permission)s", **_named(role)) for role in lost]
    if Role.ADVISOR in lost and advisees:
        sentence = plural(
            "%(number)s student keeps this advisor, who can no longer see the student’s record.",
            "%(number)s students keep this advisor, who can no longer see their records.",
            advisees,
        )
        sentences.append(str(sentence))
    if before.attributes.is_active and not after.attributes.is_active:
        sentences.append(gettext("Can no longer enroll or join waitlists, but keeps courses and places on waitlists."))
    elif after.attributes.is_active and not before.attributes.is_active:
        sentences.append(gettext("Can enroll again, and gets any open seat on a waitlist at once."))
    if Role.REGISTRAR in lost and is_self:
        sentences.append(gettext("This is your own account. After you save, you won’t be able to open this page."))
    return sentences


def _named(role: Role) -> dict[str, str]:
    return {"role": str(ROLE_NAMES[role]), "permission": str(ROLE_PERMISSIONS[role])}


def _values(profile: Profile, names: Mapping[int, str]) -> Iterator[tuple[str, str]]:
    none = gettext("none")
    yield gettext("Roles"), ", ".join(str(ROLE_NAMES[role]) for role in in_order(profile.roles))
    yield gettext("Subjects"), ", ".join(profile.subjects) or none
    yield gettext("Advisors"), ", ".join(names.get(one, str(one)) for one in profile.advisors) or none
    yield gettext("Opted out of the directory"), gettext("yes") if profile.directory_opt_out else gettext("no")
    for name, text in attribute_texts(profile.attributes).items():
        yield str(ATTRIBUTE_NAMES[name]), str(profile.attributes.status.label) if name == "status" else text or none
