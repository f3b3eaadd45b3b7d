"""Checks of the infrastructure: what a Bicep compiler would say, and what it would not. Offline, in seconds; `python -m scripts.infra`.

There is no compiler among the packages that we can pin, so: pycep reads the files (structure), `tokens` finds what refers to what, the
management libraries of Azure say which properties there are, and the app itself says which settings it reads and which routes it has.
"""
