"""The panel in a real browser: Chromium, headless, against the whole product on the local host."""
