"""The yardstick: aiohttp, uvloop and msgspec decode a review and allow it, without any policy.

Run by `bench/admission.py` beside the real server, in the same run and on the same machine.
"""

import argparse
import ssl
from typing import Any

import msgspec
import uvloop
from aiohttp import web

HOST = "127.0.0.1"


async def validate(request: web.Request) -> web.Response:
    review: dict[str, Any] = msgspec.json.decode(await request.read())
    answer = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {"uid": review["request"]["uid"], "allowed": True},
    }
    return web.Response(body=msgspec.json.encode(answer), content_type="application/json")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cert", required=True)
    parser.add_argument("--key", required=True)
    arguments = parser.parse_args()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(arguments.cert, arguments.key)
    app = web.Application()
    app.router.add_post("/validate", validate)
    uvloop.install()
    web.run_app(app, host=HOST, port=arguments.port, ssl_context=context, access_log=None, print=None)


if __name__ == "__main__":
    main()
