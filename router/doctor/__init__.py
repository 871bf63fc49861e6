"""What is wrong with an installation, and the command that mends each thing.

finding    one line of the answer
switch     Asterisk: reached over ARI and AMI, its modules, the dialplan it has loaded, the trunks
records    the database and what lies beside it
machine    this machine: the clock, the router's process, what Asterisk's user may read and write
answers    what monitoring is told
sounds     what is heard: recordings, and what has been spoken

Every look is bounded in time, and none of them changes anything.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from router.doctor import answers, machine, records, sounds, switch
from router.doctor.finding import Finding
from router.model import Config


def examine(config: Config, modules: Iterable[str], now: float) -> list[Finding]:
    """Every finding, Asterisk's first. `modules`: those that it needs; `now`: epoch seconds.

    Raises nothing that a broken installation could cause.
    """
    asterisk = asyncio.run(switch.examine(config, tuple(modules), now))
    return [
        *asterisk,
        *records.examine(config, now),
        *machine.examine(config, now),
        *answers.examine(config),
        *sounds.examine(config),
    ]
