"""The operating system: files, processes, hosts, the clock and background tasks.

Nothing here knows what the site does.
"""
