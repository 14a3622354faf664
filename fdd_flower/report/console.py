"""A console whose reader may leave: `fdd run ... | head` goes on to its end."""

from __future__ import annotations

import os
from contextlib import suppress

from rich.console import Console


class SteadyConsole(Console):
    """A console that falls silent when nobody reads it any more, where rich's exits."""

    def on_broken_pipe(self) -> None:
        """Print nothing more, and let all else that is written there vanish."""
        self.quiet = True
        with suppress(OSError):  # a file of memory has no number
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.file.fileno())
            os.close(nowhere)
