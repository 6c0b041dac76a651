"""The rules: who may do what, and what happens then."""
