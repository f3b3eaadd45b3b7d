"""The HTML face of the control API: pages for admins and for users, in Italian and English (SPEC 3-5).

It decides nothing and knows no store: whatever it shows or does it asks of the API's own endpoints, in process (`Visit.ask`), so that guards,
checks, audit and sentences are theirs. Recipe for a page: `page.py`.
"""
