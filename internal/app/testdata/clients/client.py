# Python's own clients: python3 client.py HOST PORT CA SIZE. Says "ok" at the end.
import hashlib, http.client, json, socket, ssl, sys, urllib.request

host, port, ca, size = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
data = bytes(range(256)) * (size // 256)
digest = hashlib.sha256(data).hexdigest()


def check(got, want, what):
    if got != want:
        sys.exit(f"{what}: {got!r}, not {want!r}")


class Local(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.opened = getattr(self, "opened", 0) + 1


class LocalTLS(Local):
    def connect(self):
        super().connect()
        context = ssl.create_default_context(cafile=ca)
        context.set_alpn_protocols(["http/1.1"])
        self.sock = context.wrap_socket(self.sock, server_hostname=host)


def ask(c, method, path, body=None, headers={}, **more):
    c.request(method, path, body, headers, **more)
    r = c.getresponse()
    got = r.read()
    check(r.status, 200, f"status of {method} {path}")
    return r, got


for kind in (Local, LocalTLS):
    c = kind(host)
    for want in ("Miss from cloudfront", "Hit from cloudfront", "Hit from cloudfront"):
        r, got = ask(c, "GET", f"/cached/1024?{kind.__name__}", headers={"Accept-Encoding": "identity"})
        check(len(got), 1024, "length of a cached body")
    r, got = ask(c, "PUT", "/sum", data)
    check(json.loads(got), {"bytes": size, "sha256": digest}, "upload")
    chunks = (data[i : i + 70000] for i in range(0, size, 70000))
    r, got = ask(c, "POST", "/sum", chunks, encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
    check(json.loads(got), {"bytes": size, "sha256": digest}, "chunked upload")
    r, got = ask(c, "GET", f"/download/{size}")
    check(hashlib.sha256(got).hexdigest(), digest, "download")
    r, got = ask(c, "GET", f"/stream/{size}")
    check(hashlib.sha256(got).hexdigest(), digest, "download without a length")
    r, got = ask(c, "HEAD", f"/download/{size}")
    check((r.getheader("Content-Length"), got), (str(size), b""), "HEAD")
    check(c.opened, 1, "connections")
    c.request("GET", f"/download/{size}")  # and go away in the middle
    check(len(c.getresponse().read(1000)), 1000, "part of a download")
    c.close()
    ask(kind(host), "GET", "/cached/1024")

proxy = urllib.request.ProxyHandler({"http": f"http://127.0.0.1:{port}", "https": f"http://127.0.0.1:{port}"})
tls = urllib.request.HTTPSHandler(context=ssl.create_default_context(cafile=ca))
opener = urllib.request.build_opener(proxy, tls)
for scheme in ("http", "https"):
    check(len(opener.open(f"{scheme}://{host}/cached/1024").read()), 1024, f"{scheme} through the proxy")
print("ok")
