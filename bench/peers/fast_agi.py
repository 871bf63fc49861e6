"""A FastAGI server that names the dial string; the dialplan does the rest with `Dial()`.

Usage: fast_agi.py PORT DID=DIAL_STRING... Serves on 127.0.0.1 until it is ended.
"""

from __future__ import annotations

import asyncio
import sys

import uvloop

ROUTES = dict(argument.split("=", 1) for argument in sys.argv[2:])


async def serve_call(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One AGI conversation: the variables of the channel, one command, its answer."""
    variables = {}
    while line := (await reader.readline()).decode().strip():
        name, _, value = line.partition(": ")
        variables[name] = value
    route = ROUTES.get(variables.get("agi_extension", ""), "")
    writer.write(f'SET VARIABLE TARGET "{route}"\n'.encode())
    await reader.readline()
    writer.close()


async def main(port: int) -> None:
    server = await asyncio.start_server(serve_call, "127.0.0.1", port, backlog=256)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
