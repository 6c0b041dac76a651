"""Every setting of the site: read once, when a process starts, from the environment and the file `.env`."""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from dotenv import dotenv_values
from pymongo.errors import PyMongoError
from pymongo.uri_parser import parse_uri
from werkzeug.security import generate_password_hash

from quart_enroll.domain.synonyms import read_synonyms
from quart_enroll.i18n.language import known_languages
from quart_enroll.services.notifications.mail import mail_from, public_url, smtp_url
from quart_enroll.system.files import read_or_create
from quart_enroll.system.hosts import is_local_host

PROJECT_FOLDER = Path(__file__).parent

DATABASE_NAME = "FLASK_Enrollment"
"""The same as in quart_enroll/db/client.py, which can't be imported before asgi.py sets the driver's threads."""

MAX_SCHOOL_NAME_LENGTH = 60
"""In characters: a longer one would not fit into the header."""

IMAGE_SUFFIXES = (".svg", ".png", ".webp", ".jpg", ".jpeg")

MIN_SCRYPT_COST = 1024
"""With a much lower cost, OpenSSL rejects the memory limit that Werkzeug sets."""

MIN_KEY_LENGTH = 32
PUBLIC_KEYS = {
    "secret_string",  # the default of the Flask site, published with it
    "secret",
    "dev",
    "change-me",
    "changeme",
    "192b9bdd22ab9ed4d12e236c78afcb9a393ec15f71bbf5dc987d54727823bcbf",  # printed in Flask's own manual
}

DEVELOPMENT_HINT = "; on your own machine, set APP_ENV=development instead"


class ConfigError(SystemExit):
    """A setting is invalid; the process exits with this sentence on stderr and no stack trace."""


def _one_of(*choices: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"must be {' or '.join(choices)}")
        return text

    return read


def _number(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            value = kind(text)
        except ValueError:
            value = low - 1
        if not low <= value <= high:
            raise ValueError(f"must be a {'whole ' if kind is int else ''}number from {low} to {high}")
        return value

    return read


def _mongo_uri(text: str) -> str:
    if not re.match(r"mongodb(\+srv)?://[^/?]", text):
        raise ValueError("must begin with mongodb:// or mongodb+srv:// and name a server")
    try:
        _parsed(text)
    except (PyMongoError, ValueError, OSError) as error:
        raise ValueError(f"is invalid: {error}") from None
    return text


def _parsed(uri: str) -> Mapping[str, Any]:
    return parse_uri(uri.replace("mongodb+srv://", "mongodb://", 1))  # the same format, but needs no DNS


def _password_method(text: str) -> str:
    name, *costs = text.split(":")
    try:
        if name == "scrypt" and costs and int(costs[0]) < MIN_SCRYPT_COST:
            raise ValueError
        # The full name, as in every hash: "scrypt" is an abbreviation.
        return generate_password_hash("tried", text).split("$")[0]
    except (ValueError, OverflowError, MemoryError):
        raise ValueError(
            f"must be like scrypt:32768:8:1, with a cost of at least {MIN_SCRYPT_COST}, or pbkdf2:sha256:1000000"
        ) from None


def _timezone(text: str) -> str:
    try:
        return ZoneInfo(text).key
    except (ValueError, OSError, LookupError):  # the name may lead to any file
        raise ValueError("must be a name like Europe/Berlin or America/New_York") from None


def _folder(text: str) -> Path:
    path = PROJECT_FOLDER / os.path.expanduser(text)  # noqa: PTH111  # Path.expanduser() raises for an unknown user
    if not path.is_dir():
        raise ValueError("must be an existing folder")
    return path


def _school_name(text: str) -> str:
    name = " ".join(text.split())
    if not (0 < len(name) <= MAX_SCHOOL_NAME_LENGTH and name.isprintable()):
        raise ValueError(f"must have at most {MAX_SCHOOL_NAME_LENGTH} characters")
    return name


def _image(text: str) -> Path:
    path = PROJECT_FOLDER / os.path.expanduser(text)  # noqa: PTH111  # Path.expanduser() raises for an unknown user
    if not (path.is_file() and path.suffix in IMAGE_SUFFIXES):
        raise ValueError(f"must be an existing file that ends in {', '.join(IMAGE_SUFFIXES)}")
    return path


def _languages(text: str) -> tuple[str, ...]:
    languages = tuple(dict.fromkeys(text.replace(",", " ").split()))
    if not set(languages) <= set(known_languages()):
        raise ValueError(f"must be one or more of {', '.join(known_languages())}, separated by spaces")
    return languages


def _token(text: str) -> str:
    if not re.fullmatch(r"[!-~]{16,}", text):
        raise ValueError("must have at least 16 characters and no spaces")
    return text


def _origins(text: str) -> tuple[str, ...]:
    origins = tuple(text.replace(",", " ").split())
    for origin in origins:
        if not re.fullmatch(r"https?://[a-z0-9.-]+(:\d{1,5})?", origin):
            raise ValueError("must be origins like https://app.school.example, separated by spaces")
    return origins


def _setting(sentence: str, read: Callable[[str], Any] = str, **options: Any) -> Any:
    return field(metadata={"sentence": sentence, "read": read}, **options)


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings; their environment variables have the same names in capitals."""

    app_env: str = _setting(
        "production or development. Development uses plain HTTP and creates its own SECRET_KEY and database.",
        _one_of("production", "development"),
        default="production",
    )
    secret_key: str = _setting(
        "Signs cookies and sessions. Use at least 32 random characters. Changing it signs everyone out.",
        repr=False,
    )
    mongo_uri: str = _setting(
        "The URI of the MongoDB replica set. The database is FLASK_Enrollment unless the URI names another.",
        _mongo_uri,
        default="",
        repr=False,  # it may hold a password
    )
    upgrade_mongo_uri: str = _setting(
        "The same database, with a user who may also change validators, for `upgrade-db`. MONGO_URI if empty.",
        _mongo_uri,
        default="",
        repr=False,
    )
    port: int = _setting("The port the site listens on.", _number(int, 1, 65535), default=8000)
    web_concurrency: int = _setting(
        "The number of processes that serve the site: at most one per core.", _number(int, 1, 64), default=1
    )
    proxies: int = _setting(
        "The number of proxies that append to X-Forwarded-For, such as Heroku's router. 0 in development.",
        _number(int, 0, 10),
        default=1,
    )
    school_name: str = _setting(
        "The school's name, in the header and the title of each page and in calendars: at most 60 characters.",
        _school_name,
        default="Quart Enroll",
    )
    school_logo: Path | None = _setting(  # noqa: RUF009  # it gives a dataclass field
        "An image beside the school's name: an .svg, .png, .webp or .jpg file. If empty, the site's own.",
        _image,
        default=None,
    )
    template_overrides: Path | None = _setting(  # noqa: RUF009  # it gives a dataclass field
        "A folder with the school's own templates, searched before the site's.", _folder, default=None
    )
    languages: tuple[str, ...] = _setting(
        "Languages to offer, such as es en-GB, default first. If empty, all; with TEMPLATE_OVERRIDES, only English.",
        _languages,
        default=(),
    )
    search_synonyms: tuple[str, ...] = _setting(
        "The school's own synonyms for searches of the catalog, such as gym, phys ed; lab, workshop.",
        read_synonyms,
        default=(),
    )
    timezone: str = _setting(
        "The school's time zone: the default for terms, and for daily digests and times without an offset in files.",
        _timezone,
        default="UTC",
    )
    max_credits: float = _setting(
        "The default credit limit, for terms that don't set their own.", _number(float, 0, 100), default=18.0
    )
    section_capacity: int = _setting(
        "The capacity of the sections that `upgrade-db` creates for the courses of a Flask site.",
        _number(int, 0, 100_000),
        default=30,
    )
    password_method: str = _setting(
        "How passwords are hashed, in Werkzeug's notation. Other hashes are replaced at the next sign-in.",
        _password_method,
        default="scrypt:32768:8:1",
    )
    password_threads: int = _setting(
        "How many passwords each process may hash at a time; idle slots are shared. 0 divides the cores evenly.",
        _number(int, 0, 64),
        default=0,
    )
    password_queue: int = _setting(
        "How many passwords may wait to be hashed before users are asked to try again in a moment.",
        _number(int, 1, 100_000),
        default=256,
    )
    database_timeout: float = _setting(
        "Seconds to wait for the database before a page reports that it didn't answer.",
        _number(float, 0.1, 25),  # Heroku's router gives up after 30
        default=3.5,
    )
    database_pool: int = _setting(
        "The maximum number of database connections, each with a thread, per process. Two more read change streams.",
        _number(int, 4, 500),
        default=64,
    )
    metrics_token: str = _setting(
        "The bearer token Prometheus needs to read /metrics: at least 16 characters. If empty, /metrics is off.",
        _token,
        default="",
        repr=False,
    )
    slow_request: float = _setting(
        "Requests that take longer than this many seconds are logged as slow.", _number(float, 0.01, 30), default=1.0
    )
    slow_query: float = _setting(
        "Database commands that take longer than this many seconds are logged as slow.",
        _number(float, 0.001, 30),
        default=0.5,
    )
    session_idle: float = _setting(
        "Hours of inactivity after which a sign-in ends. Remembered sign-ins last 30 days.",
        _number(float, 0.1, 720),
        default=2.0,
    )
    session_age: float = _setting(
        "Hours after which a sign-in ends even if it is in use. Remembered sign-ins last 30 days.",
        _number(float, 0.1, 720),
        default=12.0,
    )
    smtp_url: str = _setting(
        "The mail server, as smtp://user:password@host:587 or smtps://… If empty, no emails are sent.",
        smtp_url,
        default="",
        repr=False,  # it may hold a password
    )
    public_url: str = _setting(
        "The site's own URL, such as https://enroll.school.example, for links in emails. Required with SMTP_URL.",
        public_url,
        default="",
    )
    mail_from: str = _setting("The email address that emails come from. Required with SMTP_URL.", mail_from, default="")
    allow_plaintext: int = _setting(
        "1 allows production to connect to MongoDB and the mail server without TLS. Only for a private network.",
        _number(int, 0, 1),
        default=0,
    )
    account_removal: str = _setting(
        "Who deletes accounts: registrar (at the user's request) or user (immediately, the default in development).",
        _one_of("registrar", "user"),
        default="registrar",
    )
    cors_origins: tuple[str, ...] = _setting(
        "Origins whose pages may use the API, such as https://app.school.example, separated by spaces.",
        _origins,
        default=(),
    )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ, folder: Path = PROJECT_FOLDER) -> "Config":
        """Read the settings from `environ`, and missing ones from `.env` in `folder`; empty values count as missing.

        Raises ConfigError for the first invalid value.
        """
        given = {**dotenv_values(folder / ".env"), **environ}
        values: dict[str, Any] = {}
        for setting in fields(cls):
            if text := (given.get(setting.name.upper()) or "").strip():
                try:
                    values[setting.name] = setting.metadata["read"](text)
                except ValueError as wrong:
                    raise _error(setting.name, str(wrong)) from None
        if values.get("smtp_url") and not values.get("mail_from"):
            raise _error("mail_from", "must be set when SMTP_URL is")
        uris = [values[name] for name in ("mongo_uri", "upgrade_mongo_uri") if name in values]
        if len({_parsed(uri)["database"] or DATABASE_NAME for uri in uris}) > 1:
            raise _error("upgrade_mongo_uri", "must name the same database as MONGO_URI")
        if values.get("app_env") == "development":
            values.setdefault("proxies", 0)
            values.setdefault("account_removal", "user")
            values["secret_key"] = values.get("secret_key") or _stored_secret_key(folder / ".secret-key")
            values.setdefault("public_url", f"http://localhost:{values.get('port', cls.port)}")
        else:
            _check_production(values)
        return cls(**values)


def _error(name: str, wrong: str) -> ConfigError:
    sentence = Config.__dataclass_fields__[name].metadata["sentence"]
    return ConfigError(f"{name.upper()} {wrong}. ({sentence})")


def _check_production(values: Mapping[str, Any]) -> None:
    key = values.get("secret_key", "")
    if not key:
        raise _error("secret_key", f"must be set in production{DEVELOPMENT_HINT}")
    # Few different characters suggest a repeated word.
    if len(key) < MIN_KEY_LENGTH or key.lower() in PUBLIC_KEYS or len(set(key)) < 8:
        raise _error("secret_key", "is too short or publicly known")
    if not values.get("mongo_uri"):
        raise _error("mongo_uri", f"must be set in production{DEVELOPMENT_HINT}")
    for name in ("mongo_uri", "upgrade_mongo_uri"):
        if name in values and not values.get("allow_plaintext") and not _is_private(values[name]):
            raise _error(name, "must use TLS: mongodb+srv:// or tls=true (or ALLOW_PLAINTEXT=1 on a private network)")
    if values.get("smtp_url") and not values.get("public_url", "").startswith("https://"):
        raise _error("public_url", "must be set when SMTP_URL is, and begin with https://")


def _is_private(mongo_uri: str) -> bool:
    """Return whether the traffic to the database is encrypted or stays on this machine."""
    parsed = _parsed(mongo_uri)
    uses_dns = mongo_uri.startswith("mongodb+srv://")  # then the host only leads to the names of the servers
    if not uses_dns and all(is_local_host(host) for host, _ in parsed["nodelist"]):
        return True
    options = parsed["options"]
    unchecked = ("tlsInsecure", "tlsAllowInvalidCertificates", "tlsAllowInvalidHostnames")
    encrypted = options.get("tls", uses_dns)
    return bool(encrypted) and not any(options.get(name) for name in unchecked)


def _stored_secret_key(path: Path) -> str:
    try:
        key = read_or_create(path, lambda: secrets.token_urlsafe(48))
    except OSError as error:
        raise _error("secret_key", f"is not set and can't be stored in {path}: {error.strerror}") from None
    if len(key) < MIN_KEY_LENGTH:
        raise _error("secret_key", f"in {path} is too short: remove the file to create a new one")
    return key
