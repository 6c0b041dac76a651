"""The metrics for Prometheus. Without the token, the page doesn't exist."""

from hmac import compare_digest

from quart import Response, abort, current_app, request

from quart_enroll.observability.metrics import CONTENT_TYPE, exposition


async def metrics() -> Response:
    token = current_app.config["METRICS_TOKEN"]
    sent = request.authorization.token if request.authorization and request.authorization.type == "bearer" else None
    if not token or not compare_digest((sent or "").encode(), token.encode()):
        abort(404)
    response = Response(exposition(), content_type=CONTENT_TYPE)
    response.headers["Cache-Control"] = "no-store"
    return response
