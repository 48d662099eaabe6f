#!/usr/bin/env python3
"""What stands before several servers: balancer.py PORT HOST:PORT… passes each connection on to the first one in its list
that is there."""

import asyncio
import sys


async def pump(reader, writer):
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def serve(reader, writer, servers):
    for server in servers:
        host, port = server.rsplit(":", 1)
        try:
            there = await asyncio.open_connection(host, int(port))
        except OSError:
            continue
        await asyncio.gather(pump(reader, there[1]), pump(there[0], writer))
        return
    writer.close()


async def main():
    port, servers = int(sys.argv[1]), sys.argv[2:]
    server = await asyncio.start_server(lambda reader, writer: serve(reader, writer, servers), "0.0.0.0", port)
    await server.serve_forever()


asyncio.run(main())
