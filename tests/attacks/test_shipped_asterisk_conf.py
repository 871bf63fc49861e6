"""What Callrouter gives an Asterisk to include: it listens on the loopback, lets in two users with the least rights
that do, and nobody without a password. As shipped, as generated, and on the real Asterisk."""

from __future__ import annotations

import asyncio
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

from router import ami
from router.ami import Connection
from router.commands.asterisk import build
from router.errors import RouterError
from router.model import Ami, Ari, Config, Secret
from router.shipped import share
from sandbox.asterisk import Asterisk
from tests.build import make_config, make_trunk

SHIPPED = share("asterisk_conf")
PASSWORDS = ("ari-word-of-the-test", "ami-word-of-the-test")
AMI_RIGHTS = {"system", "reporting"}
"""`system` for PJSIPShowEndpoint, `reporting` for PJSIPShowRegistrationsOutbound: manager.conf says so."""
LOOPBACK = ("127.0.0.1", "@HOST@")


@dataclass(frozen=True)
class Section:
    name: str
    settings: tuple[tuple[str, str], ...]

    def get(self, key: str) -> list[str]:
        return [value for name, value in self.settings if name == key]


def sections(text: str) -> list[Section]:
    """An Asterisk configuration file, without its remarks."""
    found: list[Section] = []
    for line in text.splitlines():
        bare = re.sub(r"(?<!\\);.*", "", line).strip()
        if head := re.fullmatch(r"\[([^]]+)\](\(.*\))?", bare):
            found.append(Section(head[1], ()))
        elif "=" in bare and found:
            name, _, value = bare.partition("=")
            pair = (name.strip(), value.lstrip(">").strip())
            found[-1] = replace(found[-1], settings=(*found[-1].settings, pair))
    return found


def generated(folder: Path, config: Config) -> dict[str, str]:
    return {name.removeprefix("callrouter-"): file.text for name, file in build(config, str(folder)).items()}


def ours(asterisk: Asterisk | None = None) -> Config:
    url = asterisk.ari_url if asterisk else "http://127.0.0.1:8088/ari"
    return replace(
        make_config(trunks=[make_trunk(), make_trunk("second", "PJSIP/{number}@backup", endpoint="backup")]),
        ari=Ari(url, "callrouter", "callrouter"),
        ari_password=Secret(PASSWORDS[0]),
        ami=Ami("127.0.0.1", asterisk.ports.ami if asterisk else 5038, "callrouter"),
        ami_password=Secret(PASSWORDS[1]),
    )


@pytest.fixture(params=["as shipped", "as generated"])
def texts(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    if request.param == "as generated":
        return generated(tmp_path, ours())
    shipped = {file.name: file.read_text(encoding="utf-8") for file in SHIPPED.glob("*.conf")}
    return shipped | {"pjsip.conf": shipped["trunk.conf"]}


def test_ari_and_ami_listen_on_the_loopback(texts: dict[str, str]) -> None:
    (http,) = sections(texts["http.conf"])
    assert [value in LOOPBACK for value in http.get("bindaddr")] == [True]
    assert not {name for name, _ in http.settings} & {"tlsbindaddr", "enablestatic", "enable_static", "redirect"}
    general = sections(texts["manager.conf"])[0]
    assert [value in LOOPBACK for value in general.get("bindaddr")] == [True]
    assert general.get("webenabled") in ([], ["no"]), "no AMI over HTTP"


def test_the_ami_user_has_the_least_rights_and_this_machine_alone(texts: dict[str, str]) -> None:
    _, user = sections(texts["manager.conf"])
    for way in ("read", "write"):
        (rights,) = user.get(way)
        assert set(rights.split(",")) == AMI_RIGHTS
    assert [pair for pair in user.settings if pair[0] in ("deny", "permit")] == [
        ("deny", "0.0.0.0/0.0.0.0"),
        ("permit", "127.0.0.1/255.255.255.255"),
    ]
    remarks = (SHIPPED / "manager.conf").read_text(encoding="utf-8")
    assert "PJSIPShowEndpoint wants `system`" in remarks, "the reason stands beside it"


def test_the_ari_user_is_one_with_a_password_of_its_own(texts: dict[str, str]) -> None:
    (user,) = sections(texts["ari.conf"])
    assert user.get("type") == ["user"]
    (password,) = user.get("password")
    assert password in ("@PASSWORD@", PASSWORDS[0])
    assert not user.get("allowed_origins"), "no page in a browser may use it"


def test_no_secret_is_shipped() -> None:
    for file in SHIPPED.glob("*.conf"):
        for section in sections(file.read_text(encoding="utf-8")):
            for name, value in section.settings:
                if name in ("secret", "password") and file.name != "trunk.conf":
                    assert value == "@PASSWORD@", f"{file.name} has a password that everybody knows"


def test_the_example_of_a_trunk_can_not_be_used_as_it_is() -> None:
    """Its password is no password: a registration with it fails, and the host does not exist (RFC 2606)."""
    text = (SHIPPED / "trunk.conf").read_text(encoding="utf-8")
    hosts = re.findall(r"sip:(?:[^@\s]+@)?([\w.]+)", text)
    assert hosts
    assert all(host.endswith(".example") for host in hosts)


def test_dangerous_functions_are_for_the_dialplan_alone(texts: dict[str, str]) -> None:
    (options,) = sections(texts["asterisk.conf"])
    assert options.get("live_dangerously") == ["no"]


def test_no_module_lets_in_who_is_not_known(texts: dict[str, str]) -> None:
    modules = texts["modules.conf"]
    for module in (
        "res_pjsip_endpoint_identifier_anonymous", "res_pjsip_endpoint_identifier_user", "chan_sip", "chan_iax2",
        "func_shell", "app_system", "res_pjsip_refer", "res_ari_device_states", "pbx_realtime", "res_phoneprov",
        "app_originate", "res_clioriginate", "app_disa", "res_http_post", "cdr_csv",
    ):  # fmt: skip
        assert module not in modules


def test_a_trunk_is_known_by_its_registration_and_decides_nothing(texts: dict[str, str]) -> None:
    endpoints = [each for each in sections(texts["pjsip.conf"]) if each.get("type") == ["endpoint"]]
    assert endpoints
    for endpoint in endpoints:
        assert endpoint.name.lower() != "anonymous"
        assert endpoint.get("context") == ["callrouter"], "an INVITE reaches our numbers, and no way out"
        assert endpoint.get("allow_transfer") == ["no"]
        assert endpoint.get("direct_media") == ["no"]
        assert not endpoint.get("identify_by"), "nobody gets in by calling himself like a trunk"
    assert not [each for each in sections(texts["pjsip.conf"]) if each.name == "anonymous"]


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "::1", "0.0.0.0", "::"])  # noqa: S104 - refused
def test_an_address_that_means_this_machine_opens_no_other(tmp_path: Path, host: str) -> None:
    config = replace(ours(), ami=Ami(host, 5038, "callrouter"))
    made = generated(tmp_path, replace(config, ari=replace(config.ari, url=_url(host))))
    for name in ("http.conf", "manager.conf"):
        assert sections(made[name])[0].get("bindaddr") == ["127.0.0.1"]


def _url(host: str) -> str:
    return f"http://[{host}]:8088/ari" if ":" in host else f"http://{host}:8088/ari"


def test_the_dialplan_has_no_way_out_but_to_salespeople(tmp_path: Path) -> None:
    text = generated(tmp_path, ours())["extensions.conf"]
    code = "\n".join(re.sub(r"(?<!\\);.*", "", line) for line in text.splitlines())
    for word in ("System(", "TrySystem(", "SHELL(", "Originate(", "DISA(", "EVAL(", "ExternalIVR(", "EAGI("):
        assert word not in code
    dialled = re.findall(r"Dial\(([^,)]*)", code)
    assert dialled
    assert not [each for each in dialled if "EXTEN" in each or "CALLERID" in each]
    # t, T, k, K, h, H, w, W, x, X: keys that transfer, park, end or record a call.
    for options in re.findall(r"Dial\([^,]*,[^,]*,([A-Za-z]+)", code):
        assert not set(options) & set("tTkKwWxX"), options


# --- On the real Asterisk -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def included(runtime: Path) -> Iterator[tuple[Asterisk, Config]]:
    """An Asterisk that includes the generated files, and one trunk as in the example."""
    asterisk = Asterisk(runtime / "shipped", verbose=3)
    asterisk.prepare()
    config = replace(ours(asterisk), database=str(runtime / "shipped.db"))
    folder = runtime / "shipped-files"
    folder.mkdir()
    for name, file in build(config, str(folder)).items():
        (folder / name).write_text(file.text, encoding="utf-8")
    stock = {"ari.conf": "[general]\nenabled = yes\n", "http.conf": "[general]\n", "manager.conf": "[general]\n"}
    for name, text in stock.items():
        (asterisk.etc / name).write_text(f"{text}\n#include {folder}/callrouter-{name}\n", encoding="utf-8")
    (asterisk.etc / "extensions.conf").write_text(
        f"#include {folder}/callrouter-extensions.conf\n", encoding="utf-8"
    )
    with (asterisk.etc / "asterisk.conf").open("a", encoding="utf-8") as own:
        own.write(f"\n#include {folder}/callrouter-asterisk.conf\n")
    endpoint = (folder / "callrouter-pjsip.conf").read_text(encoding="utf-8").partition("type = registration")[0]
    endpoint = endpoint.replace("sip.carrier.example", f"127.0.0.1:{asterisk.ports.carrier}")
    endpoint = endpoint.replace("[trunk]", "[like-the-example]").replace("transport-udp", "udp")
    endpoint = endpoint.replace("= trunk", "= like-the-example").replace("qualify_frequency = 30", "")
    with (asterisk.etc / "pjsip.conf").open("a", encoding="utf-8") as own:
        own.write(endpoint.rpartition("[like-the-example]")[0])
    with asterisk:
        yield asterisk, config


def asked(config: Config, path: str, login: str = "", method: str = "GET") -> tuple[int, str]:
    url = config.ari.url.removesuffix("/ari") + path
    request = urllib.request.Request(url, method=method)  # noqa: S310 - http, and ours
    if login:
        request.add_header("Authorization", aiohttp.encode_basic_auth(*login.split(":")))
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            return int(answer.status), answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


RIGHT = f"callrouter:{PASSWORDS[0]}"


@pytest.mark.asterisk
@pytest.mark.parametrize(
    "login", ["", "callrouter:", "callrouter:wrong", "admin:admin", f":{PASSWORDS[0]}", "asterisk:asterisk"]
)
@pytest.mark.parametrize(
    "path", ["/ari/asterisk/info", "/ari/channels", "/ari/events?app=x", "/ari/api-docs/resources.json"]
)
def test_ari_knows_nobody_but_the_router(included: tuple[Asterisk, Config], path: str, login: str) -> None:
    _, config = included
    assert asked(config, path, login)[0] == 401


@pytest.mark.asterisk
@pytest.mark.parametrize(
    "path",
    ["/static/index.html", "/manager", "/rawman?action=login", "/mxml", "/amanager", "/phoneprov/x", "/uploads"],
)
def test_its_server_serves_nothing_else(included: tuple[Asterisk, Config], path: str) -> None:
    _, config = included
    assert asked(config, path)[0] == 404
    assert asked(config, "/ari/asterisk/info", RIGHT)[0] == 200, "and yet it lets the router in"


@pytest.mark.asterisk
@pytest.mark.parametrize(
    "function",
    ["SHELL(id)", "FILE(/etc/passwd)", "ENV(PATH)", "DB(a/b)", "STAT(e,/etc/passwd)", "EVAL(${SHELL(id)})"],
)
def test_not_even_the_router_may_run_a_program_or_read_a_file(
    included: tuple[Asterisk, Config], function: str
) -> None:
    asterisk, config = included
    assert "func_shell.so" in asterisk.cli("module show like func_shell"), "it is there, and refused"
    status, text = asked(config, f"/ari/asterisk/variable?variable={urllib.parse.quote(function)}", RIGHT)
    if function.startswith(("SHELL", "FILE", "EVAL", "STAT")):
        assert "uid=" not in text
        assert "root:" not in text
    if function.startswith(("SHELL", "FILE")):
        assert status >= 400 or json.loads(text)["value"] == ""


@pytest.mark.asterisk
@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("Command", {"Command": "core show version"}),
        ("Originate", {"Channel": "Local/s@callrouter", "Application": "NoOp"}),
        ("Redirect", {"Channel": "x", "Context": "callrouter", "Exten": "s", "Priority": "1"}),
        ("Setvar", {"Variable": "GLOBAL(X)", "Value": "1"}),
        ("UpdateConfig", {"SrcFilename": "ari.conf", "DstFilename": "ari.conf"}),
        ("CreateConfig", {"Filename": "evil.conf"}),
        ("AGI", {"Channel": "x", "Command": "EXEC"}),
        ("UserEvent", {"UserEvent": "x"}),
    ],
)
async def test_the_ami_user_may_ask_and_neither_dial_nor_command(
    included: tuple[Asterisk, Config], action: str, fields: dict[str, str]
) -> None:
    _, config = included
    assert config.ami is not None
    assert config.ami_password is not None
    connection = await Connection.open(config.ami)
    try:
        await connection.log_in(config.ami_password)
        answers = await connection.ask("PJSIPShowEndpoint", Endpoint="trunk")
        assert answers[0]["response"] == "Success"
        try:
            refused = (await connection.ask(action, **fields))[0]
        except RouterError as error:
            refused = {"response": "Error", "message": str(error)}
        assert refused["response"] == "Error"
        assert "may not do" in refused["message"]
    finally:
        connection.close()


@pytest.mark.asterisk
@pytest.mark.parametrize("function", ["SHELL(id)", "FILE(/etc/passwd)"])
async def test_a_function_is_carried_out_for_nobody_over_ami(
    included: tuple[Asterisk, Config], function: str
) -> None:
    """`reporting` allows Getvar, and live_dangerously keeps it from doing anything."""
    _, config = included
    assert config.ami is not None
    assert config.ami_password is not None
    connection = await Connection.open(config.ami)
    try:
        await connection.log_in(config.ami_password)
        (answer,) = await connection.ask("Getvar", Variable=function)
        assert answer.get("value", "") == ""
    finally:
        connection.close()


@pytest.mark.asterisk
async def test_ami_lets_in_nobody_without_the_password(included: tuple[Asterisk, Config]) -> None:
    _, config = included
    assert config.ami is not None
    for password in ("", "wrong", "amp111", PASSWORDS[0]):
        with pytest.raises(RouterError, match="refuses the user"):
            await ami.trunk_health(config.ami, Secret(password), config.trunks.values())
    reader, writer = await asyncio.open_connection(config.ami.host, config.ami.port)
    writer.write(b"Action: PJSIPShowEndpoints\r\nActionID: 1\r\n\r\n")
    told = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
    assert b"Permission denied" in told
    writer.close()


@pytest.mark.asterisk
def test_it_listens_on_the_loopback_alone(included: tuple[Asterisk, Config]) -> None:
    asterisk, _ = included
    inodes = {
        link.removeprefix("socket:[").rstrip("]")
        for file in Path(f"/proc/{asterisk.pid}/fd").iterdir()
        if (link := str(file.readlink())).startswith("socket:[")
    }
    ports: dict[str, list[tuple[str, int]]] = {}
    for kind in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/{asterisk.pid}/net/{kind}").read_text(encoding="ascii").splitlines()[1:]:
            words = line.split()
            if words[9] in inodes and words[3] in ("0A", "07"):
                address, _, port = words[1].partition(":")
                ports.setdefault(kind, []).append((address, int(port, 16)))
    # Resolvers ask from UDP ports of their own: those are no service.
    assert set(ports["tcp"]) == {("0100007F", asterisk.ports.http), ("0100007F", asterisk.ports.ami)}
    assert "tcp6" not in ports
    known = {port for _, port in ports["udp"]} & {asterisk.ports.sip, *asterisk.ports.rtp}
    assert known == {asterisk.ports.sip}
    assert ("0100007F", asterisk.ports.sip) in ports["udp"]


@pytest.mark.asterisk
def test_the_example_of_a_trunk_loads_and_allows_no_transfer(included: tuple[Asterisk, Config]) -> None:
    asterisk, _ = included
    shown = asterisk.cli("pjsip show endpoint like-the-example")
    for setting, value in (("allow_transfer", "false"), ("context", "callrouter"), ("direct_media", "false")):
        assert re.search(rf"^ {setting} +: {value}$", shown, re.MULTILINE), setting
    assert "anonymous" not in asterisk.cli("pjsip show endpoints")
    assert "identifier_anonymous" not in asterisk.cli("module show like anonymous")
