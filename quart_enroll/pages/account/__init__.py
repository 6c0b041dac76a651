"""Pages about the user: signing in, passwords, email confirmation, access tokens, one's own data, deletion.

Authentication of each request belongs in web.auth.
"""
