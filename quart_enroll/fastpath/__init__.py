"""Responses sent without the framework: cached responses, pages, the Hypercorn writer, and streaming.

The site gives the same responses with `create_app(…, fastpath=False)`; nothing that decides the content of a response
belongs here.
"""
