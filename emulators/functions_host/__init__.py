"""A local Azure Functions host around Microsoft's own Python engine (PyPI `azure-functions-runtime`).

The engine indexes function_app.py, converts bindings and calls functions; this package adds what the host process
adds on Azure: HTTP, timers, queue polling, outputs, retries, time limits. README.md lists what it leaves out.
It never imports the application's packages: it only runs the app that `--app` names.
"""
