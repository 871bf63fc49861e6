"""What router.dialling asks of Asterisk where a request may fail, and the answers, which take their time."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from router.errors import AriConflict, AriDisconnected, AriError, AriGone, AriTimeout
from tests.properties.lines import Fate, Person

if TYPE_CHECKING:
    from tests.properties.lines import Lines

_ERRORS: Final = {
    Fate.REFUSED: AriError("refused"),
    Fate.LATE: AriTimeout("late"),
    Fate.SWALLOWED: AriDisconnected("swallowed"),
    Fate.CUT: AriDisconnected("cut"),
}


class Answer:
    """As much of a future as is looked at. In flight until it is called."""

    def __init__(self, result: Any, error: AriError | None) -> None:
        self._result = result
        self._error = error
        self._told: list[Callable[[Answer], None]] = []

    def __call__(self) -> None:
        told, self._told = self._told, []
        for tell in told:
            tell(self)

    def lose(self) -> None:
        """The link breaks before it: a request ends, one way or another."""
        self._error = _ERRORS[Fate.CUT]

    def add_done_callback(self, tell: Callable[[Answer], None]) -> None:
        self._told.append(tell)

    def cancelled(self) -> bool:
        return False

    def exception(self) -> AriError | None:
        return self._error

    def result(self) -> Any:
        return self._result


class Requests:
    """The part of router.ari.client.Client that dials."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._silent: set[str] = set()
        """Legs of which it was said that their far end has not said anything."""

    def create(self, _endpoint: str, *, channel_id: str, **_: object) -> Answer:
        return self._ask(lambda: self._created(channel_id))

    def dial(self, leg: str, **_: object) -> Answer:
        return self._ask(lambda: self._dialled(leg))

    def variable(self, leg: str, _name: str, **_: object) -> Answer:
        """Whether the far end has said anything yet."""
        return self._ask(lambda: self._heard(leg))

    def _ask(self, carry_out: Callable[[], Any]) -> Answer:
        fate, self._lines.fate = self._lines.fate, Fate.DONE
        result, error = None, _ERRORS.get(fate)
        if fate in (Fate.DONE, Fate.LATE, Fate.CUT):
            try:
                result = carry_out()
            except AriError as refused:
                error = error or refused
        answer = Answer(result, error)
        self._lines.flight.append(answer)
        return answer

    def _person(self, leg: str) -> Person:
        if leg not in self._lines.legs:
            raise AriGone(leg)
        return self._lines.legs[leg]

    def _created(self, leg: str) -> None:
        if not self._lines.caller:
            raise AriGone("its originator")
        self._lines.legs[leg] = Person.CREATED
        self._lines.enters(leg)

    def _heard(self, leg: str) -> str:
        if self._person(leg) not in (Person.CREATED, Person.PLACED):
            return "1"
        self._silent.add(leg)
        return ""

    def _dialled(self, leg: str) -> None:
        """Asterisk ends a channel that is dialled again while it is `Down`, and refuses it later."""
        person = self._person(leg)
        self._lines.dials(leg)
        if person is Person.CREATED:
            self._lines.legs[leg] = Person.PLACED
            return
        assert leg in self._silent, "nobody is dialled again of whom it was not asked"
        if person.state == "Down":
            self._lines.gone(leg)
        else:
            raise AriConflict("it is not Down")
