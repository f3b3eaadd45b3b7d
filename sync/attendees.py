"""Re-export while the work on meetings is under way."""

from mapping.attendees import *  # noqa: F403
