"""The rehearsal of an opening: invented students, the site's own processes, measurements, advice, and a report.

`rehearse` runs one. What it stores and reads is in services/maintenance/rehearsal; arguments and output are in cli.
"""
