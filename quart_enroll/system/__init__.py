"""The operating system: files, processes, hosts and background tasks.

Nothing here knows what the site does.
"""
