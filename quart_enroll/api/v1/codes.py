"""The problem codes and their meanings: the API's page explains them, and a problem's `type` links to them."""

from quart_enroll.domain.errors import Busy, all_refusals

HTTP_CODES = {
    "bad_request": "The body is not valid JSON, or a browser sent the request for another site.",
    "sign_in_first": "This requires a token or a password.",
    "forbidden": "None of your roles allows this.",
    "not_found": "There is nothing at this URL.",
    "method_not_allowed": "This URL does not support the method; the header `Allow` lists those it supports.",
    "request_timeout": "The request's body did not arrive in time.",
    "content_too_large": "A request can have at most 16 KiB.",
    "unsupported_media_type": "The content type is not application/json.",
    "unprocessable_content": "The body is not a JSON object.",
    "internal_server_error": "Something went wrong on our side.",
    "database_read_only": "The database server does not support transactions; an operator must make it a replica set.",
    "database_away": "The database did not respond in time; try again after `Retry-After` seconds.",
}
"""Codes that belong to no refusal."""

CODES = HTTP_CODES | {Busy.code: Busy.meaning} | {kind.code: kind.meaning for kind in all_refusals()}
