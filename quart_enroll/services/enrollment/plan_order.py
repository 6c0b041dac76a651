"""The order in which the courses of a plan are taken: each after its corequisites, whatever its place in the plan."""

from collections.abc import Mapping, Sequence


def group_by_needs(needs: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Return the keys in an order in which each comes after those it needs; keys that need each other form one group.

    Keys without needs keep their place. Every needed key must be one of `needs`.
    """
    if not any(needs.values()):  # true of most plans, and thousands are ordered in a second
        return [[key] for key in needs]
    reachable = {key: _reachable(key, needs) for key in needs}
    groups: list[list[str]] = []
    done: set[str] = set()

    def visit(key: str) -> None:
        if key in done:
            return
        group = [other for other in needs if other == key or (other in reachable[key] and key in reachable[other])]
        done.update(group)
        for other in needs:
            if other in reachable[key]:
                visit(other)
        groups.append(group)

    for key in needs:
        visit(key)
    return groups


def _reachable(key: str, needs: Mapping[str, Sequence[str]]) -> set[str]:
    """Return everything that the key needs, directly or indirectly."""
    reached: set[str] = set()
    ahead = [key]
    while ahead:
        ahead = [other for each in ahead for other in needs[each] if other not in reached]
        reached.update(ahead)
    return reached
