"""The settings: accepted and refused values, and the files that list all settings."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from dataclasses import MISSING, Field, fields
from pathlib import Path

import pytest

from config import PROJECT_FOLDER, Config, ConfigError

KEY = "not known to anybody else, and long enough"
PRODUCTION = {"SECRET_KEY": KEY, "MONGO_URI": "mongodb+srv://school.example/"}
SETTINGS = pytest.mark.parametrize("setting", fields(Config), ids=lambda setting: setting.name)


def test_production_is_the_default(tmp_path: Path) -> None:
    assert Config.from_env(PRODUCTION, tmp_path) == Config(secret_key=KEY, mongo_uri="mongodb+srv://school.example/")
    assert Config.from_env(PRODUCTION, tmp_path).app_env == "production"


def test_the_environment_takes_precedence_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=8001\nWEB_CONCURRENCY=2\n")
    config = Config.from_env({**PRODUCTION, "PORT": "8002"}, tmp_path)
    assert (config.port, config.web_concurrency) == (8002, 2)


def test_an_empty_value_counts_as_missing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=8001\n")
    assert Config.from_env({**PRODUCTION, "PORT": ""}, tmp_path).port == 8000


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("APP_ENV", "staging"),
        ("SECRET_KEY", ""),
        ("SECRET_KEY", "secret_string"),
        ("SECRET_KEY", "twenty-nine characters of key"),
        ("SECRET_KEY", "secret" * 10),
        ("SECRET_KEY", "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf"),
        ("MONGO_URI", ""),
        ("MONGO_URI", "localhost:27017"),
        ("MONGO_URI", "mongodb://"),
        ("MONGO_URI", "mongodb://127.0.0.1:x/"),
        ("MONGO_URI", "mongodb://rita:p@ss@db.example/"),
        ("MONGO_URI", "mongodb://db.example/bad name"),
        ("UPGRADE_MONGO_URI", "db.example"),
        ("UPGRADE_MONGO_URI", "mongodb://db.example/another_database"),
        ("PORT", "http"),
        ("PORT", "0"),
        ("PORT", "65536"),
        ("PORT", "8000.5"),
        ("WEB_CONCURRENCY", "0"),
        ("SCHOOL_NAME", "A college whose name is much longer than any header could ever show it"),
        ("SCHOOL_NAME", "two\0names"),
        ("SCHOOL_LOGO", "/no/such/logo.svg"),
        ("SCHOOL_LOGO", "README.md"),
        ("TEMPLATE_OVERRIDES", "/no/such/folder"),
        ("TEMPLATE_OVERRIDES", "~nobody-of-this-name/x"),
        ("PASSWORD_METHOD", "md5"),
        ("TIMEZONE", "Mars/Olympus"),
        ("TIMEZONE", "../etc/passwd"),
        ("TIMEZONE", "America"),
        ("SEARCH_SYNONYMS", "gym"),
        ("SEARCH_SYNONYMS", "gym, phys ed; lab"),
        ("SEARCH_SYNONYMS", "gym, GYM!"),
        ("MAX_CREDITS", "-1"),
        ("SECTION_CAPACITY", "2.5"),
        ("PASSWORD_METHOD", "scrypt:1000:8:1"),
        ("PASSWORD_METHOD", "scrypt:16:8:1"),
        ("PASSWORD_METHOD", "scrypt:512:8:1"),
        ("SMTP_URL", "mail.example"),
        ("MAIL_FROM", "school"),
        ("PUBLIC_URL", "enroll.school.example"),
        ("PUBLIC_URL", "ftp://enroll.school.example"),
        ("PUBLIC_URL", "https://rita:p@enroll.school.example"),
        ("PUBLIC_URL", "https://enroll.school.example/site"),
        ("SESSION_IDLE", "0"),
        ("SESSION_AGE", "1000"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "https://app.school.example/"),
        ("CORS_ORIGINS", "https://app.school.example, app.school.example"),
        ("PASSWORD_THREADS", "-1"),
        ("PASSWORD_QUEUE", "0"),
        ("DATABASE_TIMEOUT", "nan"),
        ("DATABASE_TIMEOUT", "30"),
        ("DATABASE_POOL", "0"),
        ("METRICS_TOKEN", "too short"),
        ("METRICS_TOKEN", "sixteen characters"),
        ("SLOW_REQUEST", "0"),
        ("SLOW_QUERY", "-1"),
        ("ALLOW_PLAINTEXT", "yes"),
        ("MONGO_URI", "mongodb://db.example/"),
    ],
)
def test_an_invalid_value_ends_the_start_with_an_explanation(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        Config.from_env({**PRODUCTION, name: value}, tmp_path)
    sentence = Config.__dataclass_fields__[name.lower()].metadata["sentence"]
    assert str(error.value).startswith(f"{name} ")
    assert str(error.value).endswith(f"({sentence})")


def test_upgrades_may_use_a_database_user_of_their_own(tmp_path: Path) -> None:
    uri = "mongodb+srv://upgrade:password@school.example/FLASK_Enrollment"
    assert Config.from_env({**PRODUCTION, "UPGRADE_MONGO_URI": uri}, tmp_path).upgrade_mongo_uri == uri


def test_a_short_password_method_is_expanded(tmp_path: Path) -> None:
    assert Config.from_env({**PRODUCTION, "PASSWORD_METHOD": "scrypt"}, tmp_path).password_method == "scrypt:32768:8:1"


def test_production_with_mail_requires_a_public_url(tmp_path: Path) -> None:
    given = {**PRODUCTION, "SMTP_URL": "smtps://mail.example", "MAIL_FROM": "no-reply@school.example"}
    for wrong in ("", "http://enroll.school.example"):
        with pytest.raises(ConfigError, match="PUBLIC_URL must be set when SMTP_URL is"):
            Config.from_env({**given, "PUBLIC_URL": wrong}, tmp_path)
    config = Config.from_env({**given, "PUBLIC_URL": "https://enroll.school.example/"}, tmp_path)
    assert config.public_url == "https://enroll.school.example"


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://db.example/enroll",
        "mongodb://localhost,db.example/?replicaSet=rs0",
        "mongodb://db.example/?tls=false",
        "mongodb+srv://db.example/?tls=false",
        "mongodb://db.example/?tls=true&tlsAllowInvalidCertificates=true",
        "mongodb+srv://db.example/?tlsInsecure=true",
        "mongodb+srv://localhost/?tls=false",
    ],
)
def test_production_connects_to_no_database_in_plain_text_unless_allowed(uri: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MONGO_URI must use TLS") as error:
        Config.from_env({**PRODUCTION, "MONGO_URI": uri}, tmp_path)
    assert "db.example" not in str(error.value)
    upgrades = {"MONGO_URI": "mongodb://127.0.0.1/enroll", "UPGRADE_MONGO_URI": uri.replace("/?", "/enroll?")}
    with pytest.raises(ConfigError, match="UPGRADE_MONGO_URI must use TLS"):
        Config.from_env({**PRODUCTION, **upgrades}, tmp_path)
    assert Config.from_env({**PRODUCTION, "MONGO_URI": uri, "ALLOW_PLAINTEXT": "1"}, tmp_path).mongo_uri == uri
    assert Config.from_env({"APP_ENV": "development", "MONGO_URI": uri}, tmp_path).mongo_uri == uri


@pytest.mark.parametrize("options", ["tls=true&tlsCAFile=/no/such/file", "ssl_cert_reqs=CERT_NONE", "no_such_option=1"])
def test_an_option_refused_by_the_driver_is_explained(options: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="MONGO_URI is invalid"):
        Config.from_env({**PRODUCTION, "MONGO_URI": f"mongodb://db.example/?{options}"}, tmp_path)


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb+srv://school:password@cluster.example/enroll",
        "mongodb://a.example,b.example:27018/?tls=true&replicaSet=rs0",
        "mongodb://a.example/?ssl=true",
        "mongodb://127.0.0.1:27017,[::1]:27018,localhost:27019/?replicaSet=rs0",
        "mongodb://%2Ftmp%2Fmongodb-27017.sock/enroll",
    ],
)
def test_production_connects_to_databases_over_tls_or_on_the_same_machine(uri: str, tmp_path: Path) -> None:
    assert Config.from_env({**PRODUCTION, "MONGO_URI": uri}, tmp_path).mongo_uri == uri


def test_development_links_to_localhost(tmp_path: Path) -> None:
    config = Config.from_env({"APP_ENV": "development", "PORT": "8001"}, tmp_path)
    assert config.public_url == "http://localhost:8001"


def test_secrets_are_not_in_the_repr() -> None:
    shown = repr(Config(secret_key=KEY, mongo_uri="mongodb://rita:password@db.example/"))
    assert KEY not in shown
    assert "password@" not in shown


def test_the_schools_own_templates_are_found(tmp_path: Path) -> None:
    config = Config.from_env({**PRODUCTION, "TEMPLATE_OVERRIDES": str(tmp_path)}, tmp_path)
    assert config.template_overrides == tmp_path


def test_development_creates_a_secret_key_once(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:  # as several workers would that start at once
        keys = set(pool.map(lambda _: Config.from_env({"APP_ENV": "development"}, tmp_path).secret_key, range(8)))
    assert len(keys) == 1
    assert len(keys.pop()) >= 32
    assert [file.name for file in tmp_path.iterdir()] == [".secret-key"]
    assert stat.S_IMODE((tmp_path / ".secret-key").stat().st_mode) == 0o600


def test_a_secret_key_that_was_emptied_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".secret-key").touch()
    with pytest.raises(ConfigError, match="remove the file"):
        Config.from_env({"APP_ENV": "development"}, tmp_path)


def default(setting: Field[object]) -> str:
    """Return the default as people write it; empty for none."""
    value = setting.default
    return "" if value in (MISSING, None, ()) else f"{value:g}" if isinstance(value, float) else str(value)


@SETTINGS
def test_the_example_lists_every_setting(setting: Field[object]) -> None:
    name, sentence = setting.name.upper(), setting.metadata["sentence"]
    value = "APP_ENV=development" if name == "APP_ENV" else f"#{name}={default(setting)}"
    assert f"# {sentence}\n{value}\n" in (PROJECT_FOLDER / ".env.example").read_text()


@SETTINGS
def test_the_docs_list_every_setting(setting: Field[object]) -> None:
    shown = f"`{default(setting)}`" if default(setting) else ""
    row = f"| `{setting.name.upper()}` | {shown} | {setting.metadata['sentence']} |"
    assert row in (PROJECT_FOLDER / "docs" / "settings.md").read_text("utf-8")


def test_app_json_requires_every_setting_without_a_default() -> None:
    settings = json.loads((PROJECT_FOLDER / "app.json").read_text())["env"]
    for name, entry in settings.items():
        assert entry["description"] == Config.__dataclass_fields__[name.lower()].metadata["sentence"]
    assert settings["SECRET_KEY"]["generator"] == "secret"
    assert settings["MONGO_URI"]["required"]
