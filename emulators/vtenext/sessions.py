"""Challenges, logins, sessions and the lock after five wrong keys (API.md 1.1, ws-auth-*)."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from emulators.vtenext import zones
from emulators.vtenext.errors import Refused
from emulators.vtenext.state import State, User

CHALLENGE_LIFE = timedelta(seconds=300)
IDLE_LIFE = timedelta(minutes=30)
SESSION_LIFE = timedelta(hours=24)
WRONG_KEYS_BEFORE_LOCK = 5


@dataclass(slots=True)
class Session:
    """An open session; calls on it are served one after another by the caller of ``Sessions``."""

    name: str
    user_number: int
    opened: datetime
    used: datetime


class Sessions:
    """Who is logged in, who tried and who is locked out, for the one channel ``webservice.php``."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._challenges: dict[str, list[tuple[str, datetime]]] = {}
        self._sessions: dict[str, Session] = {}
        self._wrong_keys: Counter[tuple[str, str]] = Counter()
        self.logins_ok = 0
        self.logins_refused = 0

    def challenge(self, user_name: str) -> dict[str, Any]:
        """A token, also for users that do not exist; several open ones of a user are all valid."""
        now = self._state.clock.now()
        token = f"{self._state.random.getrandbits(52):013x}"
        still_open = [entry for entry in self._challenges.get(user_name, ()) if entry[1] > now]
        self._challenges[user_name] = [*still_open, (token, now + CHALLENGE_LIFE)]
        at = int(now.timestamp())
        return {"token": token, "serverTime": at, "expireTime": at + int(CHALLENGE_LIFE.total_seconds())}

    def login(self, user_name: str, key: str, address: str) -> dict[str, Any]:
        """Open a session for md5(token + access key); every refusal is counted."""
        try:
            user = self._authenticated(user_name, key, address)
        except Refused:
            self.logins_refused += 1
            raise
        self.logins_ok += 1
        session = self._open(user)
        return {
            "sessionName": session.name,
            "userId": user.id,
            "version": "0.22",
            "vteVersion": "5.2.1",
            "timezone": self._seconds_ahead(user),
        }

    def login_password(self, user_name: str, password: str, address: str) -> list[str]:
        """The access key for a password, in a list of one (API.md 1.1)."""
        user = self._state.user_named(user_name)
        hashed = hashlib.md5(password.encode()).hexdigest()
        try:
            if user is None:
                raise _wrong()
            self._check(user, hashed == user.values["user_password"], address)
        except Refused:
            self.logins_refused += 1
            raise
        return [user.values["accesskey"]]

    def logout(self, name: str) -> dict[str, str]:
        """Close a session that ``user_of`` has let through."""
        del self._sessions[name]
        return {"message": "successfull"}

    def user_of(self, name: str) -> User:
        """The user of a session, which is used by asking; refuses with one of the four session codes."""
        if not name:
            raise Refused("AUTHENTICATION_REQUIRED", "Authencation required")
        session = self._sessions.get(name)
        if session is None:
            raise Refused("INVALID_SESSIONID", "Session Identifier provided is Invalid")
        now = self._state.clock.now()
        if now - session.opened > SESSION_LIFE:
            del self._sessions[name]
            raise Refused("SESSION_EXPIRED", "Session Life span over please login again")
        if now - session.used > IDLE_LIFE:
            del self._sessions[name]
            raise Refused("SESSION_LEFT_IDLE", "Session has been invalidated to due lack activity")
        session.used = now
        user = self._state.users[session.user_number]
        if not user.active:
            raise Refused("AUTHENTICATION_REQUIRED", "Given user is inactive")
        return user

    def close_all(self) -> int:
        """Forget every session, as a restart of the server does; returns how many there were."""
        count = len(self._sessions)
        self._sessions.clear()
        return count

    def unlock(self, user_name: str) -> None:
        """What an administrator does in the program."""
        for who in [who for who in self._wrong_keys if who[0] == user_name]:
            del self._wrong_keys[who]

    def counters(self) -> dict[str, int]:
        """Login attempts since the start or the last reset."""
        return {"logins_ok": self.logins_ok, "logins_refused": self.logins_refused}

    def _authenticated(self, user_name: str, key: str, address: str) -> User:
        now = self._state.clock.now()
        tokens = [token for token, expires in self._challenges.get(user_name, ()) if expires > now]
        user = self._state.user_named(user_name)
        if user is None or not tokens:  # ws-auth-unknown-user
            raise Refused("INVALID_AUTH_TOKEN", "Specified token is invalid or expired")
        secret = user.values["accesskey"]
        used = next((t for t in tokens if hashlib.md5(f"{t}{secret}".encode()).hexdigest() == key), None)
        self._check(user, used is not None, address)
        self._challenges[user_name] = [entry for entry in self._challenges[user_name] if entry[0] != used]
        return user

    def _check(self, user: User, fits: bool, address: str) -> None:
        """Count wrong secrets; the lock shows itself only to the right one (ws-auth-locked)."""
        who = (user.values["user_name"], address)
        if not fits:
            self._wrong_keys[who] += 1
            raise _wrong()
        if self._wrong_keys[who] >= WRONG_KEYS_BEFORE_LOCK:
            raise Refused("LOGIN_LOCKED", "Login failed because too many unsuccessfully logins")
        if not user.active:
            raise Refused("AUTHENTICATION_REQUIRED", "Given user is inactive")
        self._wrong_keys.pop(who, None)

    def _open(self, user: User) -> Session:
        now = self._state.clock.now()
        name = f"{self._state.random.getrandbits(84):021x}"
        session = self._sessions[name] = Session(name, user.number, now, now)
        return session

    def _seconds_ahead(self, user: User) -> int:
        """How far the user's zone is ahead of the server's right now."""
        now = self._state.clock.now().astimezone(UTC)
        theirs, ours = (now.astimezone(zones.zone(name)).utcoffset() for name in (user.zone, self._state.zone))
        return int(((theirs or timedelta()) - (ours or timedelta())).total_seconds())


def _wrong() -> Refused:
    return Refused("INVALID_USER_CREDENTIALS", "Invalid username or password")
