"""The operations of the control API by topic: models of bodies and answers, a handler each, and the tuple `ENDPOINTS` (control/endpoint.py)."""
