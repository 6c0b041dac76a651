"""Version 1 of the API: the catalog for everybody, and what a student can do, for the student's programs."""
