"""A provider's sign-in server for devices (RFC 8628) on this machine, over TLS with an authority of its own."""

import http.server
import json
import pathlib
import ssl
import subprocess
import threading
import urllib.parse


def openssl(*words):
    subprocess.run(["openssl", *words], check=True, capture_output=True)


class Identity:
    """Answers `authorization_pending` until `typed` is set."""

    CODE = "KMXR-7Q2P"

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        self.authority = folder / "authority.pem"
        key, request, leaf = folder / "key.pem", folder / "request.pem", folder / "leaf.pem"
        curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        openssl("req", "-x509", *curve, "-keyout", str(folder / "authority.key"), "-out", str(self.authority), "-days", "2",
                "-subj", "/CN=Test Authority", "-addext", "basicConstraints=critical,CA:TRUE",
                "-addext", "keyUsage=critical,keyCertSign")
        openssl("req", *curve, "-keyout", str(key), "-out", str(request), "-subj", "/CN=localhost")
        (folder / "names").write_text("subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n")
        openssl("x509", "-req", "-in", str(request), "-CA", str(self.authority), "-CAkey", str(folder / "authority.key"),
                "-CAcreateserial", "-days", "2", "-extfile", str(folder / "names"), "-out", str(leaf))
        self.typed = threading.Event()
        self.polls = 0
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                fields = dict(urllib.parse.parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
                status, answer = outer.answer(self.path, fields)
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(leaf, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path, fields):
        if path.endswith("/device_authorization"):
            return 200, {"device_code": "the-device", "user_code": self.CODE, "verification_uri": f"{self.url}/device",
                         "verification_uri_complete": f"{self.url}/device?code={self.CODE}", "expires_in": 600, "interval": 1}
        self.polls += 1
        if fields.get("device_code") != "the-device":
            return 400, {"error": "invalid_grant"}
        if not self.typed.is_set():
            return 400, {"error": "authorization_pending"}
        return 200, {"access_token": "kat_secret", "refresh_token": "krt_secret", "token_type": "Bearer", "expires_in": 3600}

    def close(self):
        self.server.shutdown()
        self.server.server_close()
