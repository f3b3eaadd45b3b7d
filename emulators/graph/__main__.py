"""`python -m emulators.graph --port N [--entra URL | --no-auth]`."""

from __future__ import annotations

from emulators.graph.app import GraphEmulator
from emulators.graph.auth import RemoteKeys
from emulators.serving import arguments, serve


def main() -> None:
    """Start alone, with the keys of the Entra emulator at --entra."""
    parser = arguments("Microsoft Graph emulator")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--entra", metavar="URL", help="address of the Entra emulator, for the signing keys")
    which.add_argument("--no-auth", action="store_true", help="take every request for granted")
    args = parser.parse_args()
    keys = RemoteKeys(args.entra) if args.entra else None
    serve(GraphEmulator(keys=keys, auth=not args.no_auth).app, host=args.host, port=args.port)


if __name__ == "__main__":
    main()
