"""A stand-in for vtenext CE 20.04.3's ``webservice.php``, judged by recorded transcripts. See README.md."""

from emulators.vtenext.emulator import VtenextEmulator
from emulators.vtenext.pacing import WriteCap
from emulators.vtenext.people import access_key, password

__all__ = ["VtenextEmulator", "WriteCap", "access_key", "password"]
