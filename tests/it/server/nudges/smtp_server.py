"""A mail server on loopback for the tests: Debian's python3-aiosmtpd, STARTTLS with the certificate given.

usage: smtp_server.py PORT DIR CERT KEY MODE     MODE: starttls, or clear (offers no STARTTLS)

Each message that it takes becomes DIR/N.json: who logged in, whether under TLS, the envelope, the raw bytes in base64.
It ends when its standard input does, so that it never outlives the test that started it.
"""
import asyncio
import base64
import json
import os
import ssl
import sys
import threading

from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

port, directory, certificate, key, mode = sys.argv[1:]
taken = 0


class Handler:
    async def handle_DATA(self, server, session, envelope):
        global taken
        if os.path.exists(os.path.join(directory, "refuse")):
            return "451 4.3.0 not now, " + envelope.rcpt_tos[0]
        record = {
            "tls": session.ssl is not None,
            "login": session.auth_data.login.decode() if session.auth_data else None,
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "raw": base64.b64encode(envelope.original_content).decode(),
        }
        while True:
            path = os.path.join(directory, f"{taken}.json")
            taken += 1
            if not os.path.exists(path):
                break
        with open(path + ".part", "w") as file:
            json.dump(record, file)
        os.rename(path + ".part", path)
        return "250 2.0.0 taken"


def authenticate(server, session, envelope, mechanism, data):
    good = isinstance(data, LoginPassword) and (data.login, data.password) == (b"hn", b"correct horse")
    return AuthResult(success=good, auth_data=data if good else None)


def factory():
    if mode == "clear":
        return SMTP(Handler(), hostname="localhost", loop=loop)
    return SMTP(
        Handler(),
        hostname="localhost",
        tls_context=context,
        require_starttls=True,
        auth_required=True,
        authenticator=authenticate,
        loop=loop,
    )


def until_the_test_is_gone():
    sys.stdin.buffer.read()
    os._exit(0)


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(certificate, key)
loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
loop.run_until_complete(loop.create_server(factory, "127.0.0.1", int(port)))
threading.Thread(target=until_the_test_is_gone, daemon=True).start()
print("ready", flush=True)
loop.run_forever()
