"""``python -m emulators.vtenext --port N [--seed FILE] [--zone Europe/Rome]``: the emulator on its own."""

from __future__ import annotations

import json
from pathlib import Path

from emulators.serving import arguments, serve
from emulators.vtenext.emulator import VtenextEmulator


def main() -> None:
    parser = arguments("An emulated vtenext: webservice.php and a control corner under /_emulator/.")
    parser.add_argument("--seed", type=Path, help="a file of seed.json's shape; without it the CRM is empty")
    parser.add_argument("--zone", help="the server's zone; default the seed's, else Europe/Rome")
    given = parser.parse_args()
    seed = json.loads(given.seed.read_text(encoding="utf-8")) if given.seed else None
    serve(VtenextEmulator(seed, zone=given.zone).app, host=given.host, port=given.port)


if __name__ == "__main__":
    main()
