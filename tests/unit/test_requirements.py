"""The files that `make requirements` writes: everything that pyproject.toml names, pinned, with hashes."""

import re
import tomllib
from collections import defaultdict

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from config import PROJECT_FOLDER

PROJECT = tomllib.loads((PROJECT_FOLDER / "pyproject.toml").read_text("utf-8"))
SITE, GROUPS = PROJECT["project"]["dependencies"], PROJECT["dependency-groups"]
DECLARED = {
    "requirements.txt": SITE,
    "requirements-dev.txt": SITE + GROUPS["dev"],
    "requirements-bench.txt": GROUPS["bench"],
    "requirements-load.txt": GROUPS["load"],
    "requirements-tools.txt": GROUPS["tools"],
}
COMMENT = re.compile(r"^ *#.*\n", re.MULTILINE)
PIN = re.compile(r"^(\S+==\S.*?)(?: \\\n    --hash=sha256:[0-9a-f]{64})+$", re.MULTILINE)


def _read(file: str) -> str:
    return COMMENT.sub("", (PROJECT_FOLDER / file).read_text("utf-8"))


def _versions(file: str) -> dict[str, str]:
    """Return the version that the file pins for each package."""
    pins = [Requirement(match[1]) for match in PIN.finditer(_read(file))]
    return {canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in pins}


def test_every_requirements_file_is_declared() -> None:
    assert {path.name for path in PROJECT_FOLDER.glob("requirements*.txt")} == DECLARED.keys()


@pytest.mark.parametrize("file", DECLARED)
def test_every_package_is_pinned_with_hashes_and_comes_from_the_usual_index(file: str) -> None:
    assert PIN.sub("", _read(file)).split() == []  # nothing but pins: no --index-url, no package without a hash


@pytest.mark.parametrize("file", DECLARED)
def test_declared_packages_are_pinned_to_a_version_that_pyproject_allows(file: str) -> None:
    versions = _versions(file)
    for declared in map(Requirement, DECLARED[file]):
        assert versions[canonicalize_name(declared.name)] in declared.specifier


def test_a_package_has_one_version_in_all_files() -> None:
    versions = defaultdict(set)
    for file in DECLARED:
        for name, version in _versions(file).items():
            versions[name].add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}
