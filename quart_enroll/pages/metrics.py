"""The metrics for Prometheus. Without the token, the page doesn't exist."""

from hmac import compare_digest

from quart import Response, abort, current_app, request

from quart_enroll.observability.metrics import CONTENT_TYPE, exposition


async def metrics() -> Response:
    token = current_app.config["METRICS_TOKEN"]
    try:
        credentials = request.authorization
    except ValueError:  # the header is not base64-encoded text
        credentials = None
    sent = credentials.token if credentials and credentials.type == "bearer" else None
    if not token or not compare_digest((sent or "").encode(), token.encode()):
        abort(404)
    response = Response(exposition(), content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response
