"""How the site is served: client connections and worker processes.

This is the only package besides fastpath that knows Hypercorn; it knows nothing of the application.
"""
