"""HTML pages: a view reads a form, calls one service, and renders a template, flashes a message or redirects.

Rules belong in services and domain; what several pages need of HTTP itself (sign-in, CSRF, templates) belongs in web.
"""
