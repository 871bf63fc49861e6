"""A configuration for tests, built by hand: sound by default, so that a test names only what it is about.

    config = make_config(campaigns=[make_campaign("spring", numbers=["+33184801001"], to=["alice", "bob"])])

The default has one trunk (`main`), office hours (`office`, Monday to Friday 09:00-12:30 and 14:00-18:30,
Saturday 09:00-12:00, Europe/Paris), two salespeople (`alice`, `bob`) and one campaign (`spring-flyer`,
+33184801001).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from types import MappingProxyType

from router.model import (
    Accept,
    Ami,
    Ari,
    CallbackPolicy,
    Campaign,
    Config,
    Cost,
    Hours,
    Inbound,
    OpenDay,
    Overflow,
    Ring,
    RingStep,
    Salesperson,
    Screening,
    Secret,
    Sound,
    Span,
    Speech,
    Strategy,
    Trunk,
    Vip,
    Voicemail,
    Window,
    Withheld,
)

DID = "+33184801001"
CALLER = "+33145678901"
ALICE = "+33612345678"
BOB = "+33687654321"
CAROL = "+33698765432"
VIP = "+33140000009"
CALLBACK = CallbackPolicy(due=900.0, retries=(600.0, 3600.0, 14400.0), expire=432000.0)

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE: Mapping[str, Sequence[str]] = {
    **dict.fromkeys(DAYS[:5], ("09:00-12:30", "14:00-18:30")),
    "sat": ("09:00-12:00",),
}


def window(text: str) -> Window:
    """`09:00-12:30` as a Window; `22:00-02:00` crosses midnight."""
    start, end = ((int(clock[:2]) * 60 + int(clock[3:])) for clock in text.split("-"))
    return Window(start, end)


def span(text: str) -> Span:
    """`2026-08-01..2026-08-21`, or one day, as a Span."""
    first, _, last = text.partition("..")
    return Span(date.fromisoformat(first), date.fromisoformat(last or first))


def make_hours(
    id: str = "office",
    *,
    timezone: str = "Europe/Paris",
    weekly: Mapping[str, Sequence[str]] = OFFICE,
    holidays: Mapping[str, str] | None = None,
    closed: Iterable[str] = (),
    open: Mapping[str, Sequence[str]] | None = None,
) -> Hours:
    """`make_hours(weekly={"mon": ["09:00-12:30"]}, holidays={"2026-12-25": "Noël"}, open={"2026-12-13":
    [...]})`.
    """
    return Hours(
        id=id,
        timezone=timezone,
        weekly=tuple(tuple(map(window, weekly.get(day, ()))) for day in DAYS),
        holidays=MappingProxyType({date.fromisoformat(day): name for day, name in (holidays or {}).items()}),
        closed=tuple(map(span, closed)),
        open=tuple(OpenDay(date.fromisoformat(day), tuple(map(window, w))) for day, w in (open or {}).items()),
    )


def make_salesperson(
    id: str = "alice",
    mobile: str = ALICE,
    *,
    name: str = "",
    timezone: str = "Europe/Paris",
    absent: Iterable[str] = (),
    max_calls: int = 1,
    accept: Accept | None = None,
    voicemail_after: float | None = None,
) -> Salesperson:
    return Salesperson(
        id,
        name or id.title(),
        mobile,
        timezone,
        tuple(map(span, absent)),
        max_calls=max_calls,
        accept=accept,
        voicemail_after=voicemail_after,
    )


def make_step(to: Iterable[str], timeout: float = 20.0, *, keep: bool = False) -> RingStep:
    return RingStep(tuple(to), timeout, keep)


def make_ring(
    to: Iterable[str] = ("alice", "bob"),
    *,
    strategy: Strategy = Strategy.SEQUENTIAL,
    timeout: float = 20.0,
    max_wait: float = 60.0,
    weights: Mapping[str, int] | None = None,
    steps: Iterable[RingStep] = (),
    sticky: float = 0.0,
) -> Ring:
    """With `steps` (see `make_step`), `to` is everybody in them."""
    written = tuple(steps)
    people = tuple(dict.fromkeys(person for step in written for person in step.to)) or tuple(to)
    shares = MappingProxyType(dict(weights or {}))
    return Ring(strategy, people, timeout, max_wait, weights=shares, steps=written, sticky=sticky)


def make_overflow(
    to: Iterable[str] = (),
    *,
    ring: Ring | None = None,
    number: str = "",
    timeout: float = 30.0,
    announcement: Sound | str | None = None,
    voicemail: Voicemail | Sound | str | None = None,
    longest: float = 120.0,
) -> Overflow:
    """`make_overflow(["carol"], number="+33145000000", announcement="We are closed.", voicemail="Recorded.")`;
    a text is spoken. `ring` goes before `to`."""
    people = tuple(to)
    if isinstance(voicemail, Sound | str):
        voicemail = Voicemail(Sound(voicemail) if isinstance(voicemail, str) else voicemail, longest)
    return Overflow(
        ring=ring or (make_ring(people) if people else None),
        number=number,
        timeout=timeout,
        announcement=Sound(announcement) if isinstance(announcement, str) else announcement,
        voicemail=voicemail,
    )


def make_vip(id: str = "big-account", numbers: Iterable[str] = (VIP,), *, to: Iterable[str] = ("bob",)) -> Vip:
    return Vip(id, tuple(numbers), make_ring(to))


def make_screening(
    block: Iterable[str] = (),
    *,
    vips: Iterable[Vip] = (),
    withheld: Withheld = Withheld.ALLOW,
    max_per_minute: int | None = None,
) -> Screening:
    return Screening(tuple(block), tuple(vips), withheld, max_per_minute)


def make_campaign(
    id: str = "spring-flyer",
    numbers: Iterable[str] = (DID,),
    *,
    name: str = "",
    medium: str = "flyer",
    hours: str | None = None,
    accept: Accept = Accept.NONE,
    caller_id: str = "did",
    to: Iterable[str] = ("alice", "bob"),
    ring: Ring | None = None,
    callback: CallbackPolicy | None = CALLBACK,
    cost: Iterable[Cost] = (),
    accept_timeout: float = 15.0,
    whisper: Sound | str | None = None,
    overflow: Overflow | None = None,
    closed: Overflow | None = None,
) -> Campaign:
    """A campaign that is always open and rings Alice, then Bob. `ring` goes before `to`; a whisper that is a text
    is spoken."""
    return Campaign(
        id=id,
        name=name or id.replace("-", " ").capitalize(),
        medium=medium,
        numbers=tuple(numbers),
        hours=hours,
        accept=accept,
        caller_id=caller_id,
        ring=ring or make_ring(to),
        callback=callback,
        cost=tuple(cost),
        accept_timeout=accept_timeout,
        whisper=Sound(whisper) if isinstance(whisper, str) else whisper,
        overflow=overflow,
        closed=closed,
    )


def make_trunk(
    id: str = "main",
    dial: str = "PJSIP/{number}@trunk",
    *,
    endpoint: str = "trunk",
    identity: str = "pai",
    did_from: Iterable[str] = ("exten",),
    number_format: str = "e164",
    caller_id: str = "",
    asserts: str = "shown",
    diversion: bool = False,
    max_calls: int | None = None,
) -> Trunk:
    return Trunk(
        id,
        dial,
        endpoint,
        identity,
        tuple(did_from),
        number_format,
        caller_id=caller_id,
        asserts=asserts,
        diversion=diversion,
        max_calls=max_calls,
    )


def make_config(
    *,
    campaigns: Iterable[Campaign] | None = None,
    salespeople: Iterable[Salesperson] | None = None,
    hours: Iterable[Hours] | None = None,
    trunks: Iterable[Trunk] | None = None,
    unknown: Campaign | None = None,
    country: str = "FR",
    timezone: str = "Europe/Paris",
    version: str = "0123456789ab",
    file: str = "/nonexistent/campaigns.yaml",
    database: str = "/nonexistent/callrouter.db",
    node: str = "test",
    ari: Ari | None = None,
    ari_password: str = "",
    ami: Ami | None = None,
    ami_password: str | None = None,
    screening: Screening | None = None,
    speech: Iterable[str] = (),
    pins: Mapping[str, str] | None = None,
) -> Config:
    """A whole configuration; each part is replaced by naming it."""
    owned = list(campaigns) if campaigns is not None else [make_campaign()]
    people = salespeople if salespeople is not None else [make_salesperson(), make_salesperson("bob", BOB)]
    return Config(
        version=version,
        file=file,
        country=country,
        timezone=timezone,
        language="fr",
        node=node,
        database=database,
        ari=ari or Ari("http://127.0.0.1:8088/ari", "callrouter", "callrouter"),
        ari_password=Secret(ari_password),
        ami=ami,
        ami_password=Secret(ami_password) if ami_password is not None else None,
        trunks={trunk.id: trunk for trunk in (trunks if trunks is not None else [make_trunk()])},
        hours={one.id: one for one in (hours if hours is not None else [make_hours()])},
        salespeople={person.id: person for person in people},
        campaigns={campaign.id: campaign for campaign in owned},
        unknown=unknown or make_campaign("unknown", (), name="Unknown number", medium="", to=["alice"]),
        by_number={number: campaign for campaign in owned for number in campaign.numbers},
        screening=screening or Screening(),
        speech=Speech(tuple(speech)),
        pins={person: Secret(pin) for person, pin in (pins or {}).items()},
    )


def make_inbound(
    exten: str = DID,
    caller: str = CALLER,
    *,
    endpoint: str = "trunk",
    headers: Mapping[str, str] | None = None,
    name: str = "",
    withheld: bool = False,
) -> Inbound:
    return Inbound(exten, endpoint, headers or {}, caller, name, withheld)
