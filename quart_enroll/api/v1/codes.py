"""The codes of problems, each with what it means: the page of the API explains them, and `type` leads there."""

from quart_enroll.domain.errors import Busy, all_refusals

HTTP_CODES = {
    "bad_request": "What was sent is not JSON, or a browser sent it for another site.",
    "sign_in_first": "This needs a token or a password.",
    "not_found": "There is nothing at this address.",
    "method_not_allowed": "The address can't be used in that way; the header `Allow` says how.",
    "request_timeout": "The body of the request did not come in time.",
    "content_too_large": "A request may have 64 KiB.",
    "unsupported_media_type": "The body has another type than application/json.",
    "unprocessable_content": "The body is no JSON object.",
    "internal_server_error": "Something went wrong on our side.",
    "database_read_only": "The database server has no transactions; an operator must make it a replica set.",
    "database_away": "The database did not answer in time; ask again after `Retry-After` seconds.",
}
"""Codes that come from no refusal of the rules."""

CODES = HTTP_CODES | {Busy.code: Busy.meaning} | {kind.code: kind.meaning for kind in all_refusals()}
