# Runs one Python function in this process. Foregate's requests come on fd 3 and the answers go to fd 4, so that the
# function's own output has stdout and stderr to itself. frame.go describes the frames.
import base64, datetime, decimal, hashlib, hmac, importlib, json, logging, os, re, sys, time, traceback, urllib.parse  # noqa: E401,F401

REQUESTS = 3
ANSWERS = 4
READ_SIZE = 65536
MAX_RESPONSE = 6291556

_pending = b""


def _read_exactly(size):
    """Returns size bytes of the requests; ends the process when Foregate has closed them."""
    global _pending
    data = _pending
    if len(data) < size:
        parts = [data]
        have = len(data)
        while have < size:
            part = os.read(REQUESTS, max(READ_SIZE, size - have))
            if not part:
                os._exit(0)
            parts.append(part)
            have += len(part)
        data = parts[1] if len(parts) == 2 and not parts[0] else b"".join(parts)
    _pending = data[size:]
    return data[:size] if _pending else data


def _read_frame():
    global _pending
    frame = _pending or os.read(REQUESTS, READ_SIZE)
    length = 4 + int.from_bytes(frame[:4], "big") if len(frame) >= 10 else 0
    if length != len(frame):
        _pending = frame
        if not frame:
            os._exit(0)
        head = _read_exactly(10)
        frame = head + _read_exactly(int.from_bytes(head[:4], "big") - 6)
    else:
        _pending = b""
    meta_end = 10 + int.from_bytes(frame[8:10], "big")
    return frame[4:8], frame[10:meta_end].decode(), frame[meta_end:]


def _send(kind, seq, data):
    frame = (5 + len(data)).to_bytes(4, "big") + kind + seq + data
    sent = os.write(ANSWERS, frame)
    if sent != len(frame):
        view = memoryview(frame)
        while sent < len(frame):
            sent += os.write(ANSWERS, view[sent:])


class _Fault(Exception):
    def __init__(self, kind, message, trace=None):
        super().__init__(message)
        self.kind = "Runtime." + kind
        self.message = message
        self.trace = trace or []


class _Bag:
    """An object with the attributes that it is given."""

    def __init__(self, **values):
        self.__dict__.update(values)

    def __repr__(self):
        return "%s([%s])" % (type(self).__name__, ",".join("%s=%s" % item for item in self.__dict__.items()))


class CognitoIdentity(_Bag):
    pass


class Client(_Bag):
    pass


class ClientContext(_Bag):
    pass


def _client_context(text):
    given = json.loads(text)
    names = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")
    client = given.get("client") or {}
    return ClientContext(
        custom=given.get("custom"),
        env=given.get("env"),
        client=Client(**{name: client.get(name) for name in names}) if client else None,
    )


def _identity(text):
    given = json.loads(text) if text else {}
    return CognitoIdentity(
        cognito_identity_id=given.get("cognitoIdentityId"), cognito_identity_pool_id=given.get("cognitoIdentityPoolId")
    )


class LambdaContext:
    """What a handler knows about its invocation, with the names of AWS's Python runtime."""

    def __init__(self, meta, config):
        self.aws_request_id = meta[0]
        self._deadline = int(meta[1])
        self.invoked_function_arn = meta[3]
        self.client_context = _client_context(meta[4]) if meta[4] else None
        self.identity = _identity(meta[5])
        self.function_name = config["name"]
        self.function_version = config["version"]
        self.memory_limit_in_mb = config["memory"]
        self.log_group_name = config["logGroup"]
        self.log_stream_name = config["logStream"]

    def get_remaining_time_in_millis(self):
        return max(self._deadline - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))


_request_id = ""


class _RequestFilter(logging.Filter):
    def filter(self, record):
        record.aws_request_id = _request_id
        return True


class _Handler(logging.Handler):
    def emit(self, record):
        sys.stdout.write(self.format(record))


def _setup_logging():
    # The format of Lambda's default handler (awslambdaric, bootstrap.py).
    logging.Formatter.converter = time.gmtime
    handler = _Handler()
    handler.setFormatter(
        logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n", "%Y-%m-%dT%H:%M:%S"
        )
    )
    handler.addFilter(_RequestFilter())
    logging.getLogger().addHandler(handler)


def _error(message, kind, trace, request_id):
    return {"errorMessage": message or "", "errorType": kind or "", "requestId": request_id, "stackTrace": trace}


def _describe(request_id):
    """The error being handled, as Lambda reports it: without the frames of this file."""
    kind, value, tb = sys.exc_info()
    if isinstance(value, _Fault):
        return _error(value.message, value.kind, value.trace, request_id)
    frames = traceback.extract_tb(tb)
    at = next((i for i, frame in enumerate(frames) if frame.filename != __file__), 0)
    return _error(str(value), kind.__name__, traceback.format_list(frames[at:]), request_id)


def _log_error(error):
    lines = ["[ERROR] %s: %s" % (error["errorType"], error["errorMessage"]), "Traceback (most recent call last):"]
    for entry in error["stackTrace"]:
        for line in entry.splitlines() or [""]:
            kept = line.lstrip(" ")
            lines.append("\u00a0" * (len(line) - len(kept)) + kept)
    sys.stdout.write("\n".join(lines) + "\n")


def _load(handler):
    module, dot, name = handler.rpartition(".")
    if not dot:
        raise _Fault(
            "MalformedHandlerName", "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % handler
        )
    if module.split(".")[0] in sys.builtin_module_names:
        raise _Fault("BuiltInModuleConflict", "Cannot use built-in module %s as a handler module" % module)
    try:
        loaded = importlib.import_module(module.replace("/", "."))
    except ImportError as err:
        raise _Fault("ImportModuleError", "Unable to import module '%s': %s" % (module, err))
    except SyntaxError as err:
        trace = ['  File "%s" Line %s\n    %s' % (err.filename, err.lineno, err.text)]
        raise _Fault("UserCodeSyntaxError", "Syntax error in module '%s': %s" % (module, err), trace)
    if not hasattr(loaded, name):
        raise _Fault("HandlerNotFound", "Handler '%s' missing on module '%s'" % (name, module))
    return getattr(loaded, name)


def _encoder(runtime):
    def default(value):
        if isinstance(value, decimal.Decimal):
            return float(value)
        raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)

    # Since python3.12 Lambda leaves Unicode as it is (awslambdaric, lambda_runtime_marshaller.py).
    minor = re.match(r"python3\.(\d+)", runtime)
    ascii_only = bool(minor) and int(minor.group(1)) < 12
    return json.JSONEncoder(ensure_ascii=ascii_only, default=default).encode


def _too_large():
    text = "Response payload size exceeded maximum allowed payload size (%d bytes)." % MAX_RESPONSE
    return json.dumps({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": text}).encode()


def _serve(handler, config):
    global _request_id
    encode = _encoder(config["runtime"])
    loads = json.loads
    trace_id = ""
    out, err = sys.stdout, sys.stderr
    while True:
        seq, meta, payload = _read_frame()
        meta = meta.split("\n")
        _request_id = meta[0]
        if meta[2] != trace_id:
            trace_id = meta[2]
            if trace_id:
                os.environ["_X_AMZN_TRACE_ID"] = trace_id
            else:
                os.environ.pop("_X_AMZN_TRACE_ID", None)
        kind = b"O"
        try:
            context = LambdaContext(meta, config)
            try:
                event = loads(payload)
            except Exception as e:
                raise _Fault("UnmarshalError", "Unable to unmarshal input: %s" % e)
            response = handler(event, context)
            if isinstance(response, bytes):
                data = response
            else:
                try:
                    data = encode(response).encode()
                except Exception as e:
                    raise _Fault("MarshalError", "Unable to marshal response: %s" % e)
            if len(data) > MAX_RESPONSE:
                kind, data = b"E", _too_large()
        except Exception:
            error = _describe(_request_id)
            _log_error(error)
            kind, data = b"E", json.dumps(error).encode()
        out.flush()
        err.flush()
        _send(kind, seq, data)


def _main():
    sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    sys.stderr.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    for fd in (REQUESTS, ANSWERS):
        os.set_inheritable(fd, False)
    _, _, payload = _read_frame()
    config = json.loads(payload)
    if config.get("env"):
        os.environ.clear()
        os.environ.update(config["env"])
        time.tzset()
    os.chdir(config["root"])
    sys.argv = [sys.argv[0]]
    sys.path[0] = config["root"]
    if not config["bytecode"]:
        sys.dont_write_bytecode = True
    elif config["bytecode"] != "here":
        sys.pycache_prefix = config["bytecode"]
    _setup_logging()
    try:
        handler = _load(config["handler"])
    except Exception:
        error = _describe("")
        _log_error(error)
        sys.stdout.flush()
        _send(b"I", b"\0\0\0\0", json.dumps(error).encode())
        os._exit(1)
    sys.stdout.flush()
    _send(b"R", b"\0\0\0\0", "{}.{}.{}".format(*sys.version_info).encode())
    _serve(handler, config)


_main()
