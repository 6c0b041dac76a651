"""Static files, and what routers and monitoring ask for."""

from quart_enroll.pages import health, metrics
from quart_enroll.web import static_files
from quart_enroll.web.route import Audience, Route

EVERYBODY = Audience.EVERYBODY

ROUTES = [
    Route("/static/<path:filename>", "static", static_files.static, audience=EVERYBODY, is_localized=False),
    Route("/healthz", "healthz", health.healthz, audience=EVERYBODY, is_localized=False, allows_http=True),
    Route("/readyz", "readyz", health.readyz, audience=EVERYBODY, is_localized=False, allows_http=True),
    Route("/metrics", "metrics", metrics.metrics, audience=EVERYBODY),
]
