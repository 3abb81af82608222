'use strict';
// Runs one Node.js function in this process. Foregate's requests come on fd 3 and the answers go to fd 4, so that the
// function's own output has stdout and stderr to itself. frame.go describes the frames.
//
// Reading blocks on purpose: between invocations Lambda freezes the process, and nothing of the function runs.

const fs = require('fs');
const path = require('path');
const util = require('util');
const { Writable } = require('stream');
const { pathToFileURL } = require('url');
const Module = require('module');

const REQUESTS = 3;
const ANSWERS = 4;
const READ_SIZE = 65536;
const MAX_RESPONSE = 6291556;

let buffer = Buffer.allocUnsafeSlow(READ_SIZE);
let start = 0;
let end = 0;

function fill(need) {
  if (end - start >= need) return;
  if (start + need > buffer.length) {
    const target = need > buffer.length ? Buffer.allocUnsafeSlow(need) : buffer;
    buffer.copy(target, 0, start, end);
    end -= start;
    start = 0;
    buffer = target;
  }
  while (end - start < need) {
    const n = fs.readSync(REQUESTS, buffer, end, buffer.length - end, null);
    if (n === 0) process.exit(0);
    end += n;
  }
}

function readFrame() {
  if (start === end) {
    start = end = 0;
    if (buffer.length > READ_SIZE) buffer = Buffer.allocUnsafeSlow(READ_SIZE);
  }
  fill(10);
  const length = buffer.readUInt32BE(start);
  fill(4 + length);
  const at = start + 10;
  const metaEnd = at + buffer.readUInt16BE(start + 8);
  const frame = {
    seq: buffer.readUInt32BE(start + 4),
    meta: buffer.toString('utf8', at, metaEnd),
    payload: buffer.toString('utf8', metaEnd, start + 4 + length),
  };
  start += 4 + length;
  return frame;
}

function writeAll(fd, bytes) {
  let at = 0;
  while (at < bytes.length) {
    try {
      at += fs.writeSync(fd, bytes, at);
    } catch (err) {
      if (err.code !== 'EAGAIN') throw err;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    }
  }
}

function send(kind, seq, text) {
  const size = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(9 + size);
  frame.writeUInt32BE(5 + size, 0);
  frame[4] = kind.charCodeAt(0);
  frame.writeUInt32BE(seq, 5);
  frame.write(text, 9, 'utf8');
  writeAll(ANSWERS, frame);
}

// Output is synchronous: what a function printed has left the process before its answer has.
function output(fd) {
  const stream = new Writable({
    decodeStrings: true,
    write(chunk, _encoding, done) {
      try {
        writeAll(fd, chunk);
        done();
      } catch (err) {
        done(err);
      }
    },
  });
  stream.fd = fd;
  stream._type = 'pipe';
  stream._isStdio = true;
  stream.destroy = () => stream;
  return stream;
}

let requestId;

function patchOutput() {
  for (const [name, fd] of [['stdout', 1], ['stderr', 2]]) {
    const stream = output(fd);
    Object.defineProperty(process, name, { configurable: true, enumerable: true, get: () => stream });
  }
  const levels = { log: 'INFO', info: 'INFO', debug: 'DEBUG', trace: 'TRACE', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };
  for (const [method, level] of Object.entries(levels)) {
    console[method] = (...args) => {
      writeAll(1, Buffer.from(`${new Date().toISOString()}\t${requestId}\t${level}\t${util.format(...args)}\n`));
    };
  }
}

class RuntimeError extends Error {
  constructor(kind, cause) {
    super(String(cause));
    this.name = `Runtime.${kind}`;
    if (cause instanceof Error) this.stack = `${this.name}: ${cause.stack}`;
  }
}

// The error objects that Lambda's Node.js runtime reports (aws-lambda-nodejs-runtime-interface-client, Errors.js).
function describe(err) {
  try {
    const like = err && typeof err.name === 'string' && typeof err.message === 'string' && typeof err.stack === 'string';
    if (util.types.isNativeError(err) || like) {
      return { errorType: err.name, errorMessage: err.message, trace: String(err.stack).split('\n') };
    }
    return { errorType: typeof err, errorMessage: String(err), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack',
    };
  }
}

function logError(what, err) {
  const e = err instanceof Error ? err : new Error(err);
  let text;
  try {
    const shown = { errorType: e.name, errorMessage: e.message, code: e.code, ...e };
    if (typeof e.stack === 'string') shown.stack = e.stack.split('\n');
    text = JSON.stringify(shown);
  } catch {
    text = JSON.stringify(describe(e));
  }
  console.error(what, '\t' + text);
}

let config;
let handler;
let current = null;
let initialising = true;
let traceId;

class Invocation {
  constructor(seq) {
    this.seq = seq;
    this.called = false;
    this.held = undefined;
    this.waits = true;
  }

  succeed(result) {
    if (current !== this) return;
    let text;
    try {
      text = JSON.stringify(result === undefined ? null : result);
      if (text === undefined) text = 'null';
    } catch {
      this.fail(new Error('Unable to stringify response body'));
      return;
    }
    if (text.length > MAX_RESPONSE / 3 && Buffer.byteLength(text) > MAX_RESPONSE) {
      this.finish('E', JSON.stringify({
        errorType: 'Function.ResponseSizeTooLarge',
        errorMessage: `Response payload size exceeded maximum allowed payload size (${MAX_RESPONSE} bytes).`,
      }));
      return;
    }
    this.finish('O', text);
  }

  fail(err) {
    if (current !== this) return;
    logError('Invoke Error', err);
    this.finish('E', JSON.stringify(describe(err)));
  }

  finish(kind, text) {
    current = null;
    send(kind, this.seq, text);
    setImmediate(next);
  }
}

function once(invocation, fn) {
  return (...args) => {
    if (invocation.called) return;
    invocation.called = true;
    fn(...args);
  };
}

function optional(json) {
  return json === '' ? undefined : JSON.parse(json);
}

function contextOf(invocation, meta) {
  const done = once(invocation, (err, result) => {
    if (err !== undefined && err !== null) invocation.fail(err);
    else invocation.succeed(result);
  });
  const deadline = Number(meta[1]);
  return {
    get callbackWaitsForEmptyEventLoop() { return invocation.waits; },
    set callbackWaitsForEmptyEventLoop(value) { invocation.waits = value; },
    succeed: (result) => done(null, result),
    fail: (err) => done(err === undefined || err === null ? 'handled' : err),
    done,
    functionVersion: config.version,
    functionName: config.name,
    memoryLimitInMB: config.memory,
    logGroupName: config.logGroup,
    logStreamName: config.logStream,
    clientContext: optional(meta[4]),
    identity: optional(meta[5]),
    invokedFunctionArn: meta[3],
    awsRequestId: meta[0],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

function next() {
  const frame = readFrame();
  const meta = frame.meta.split('\n');
  const invocation = new Invocation(frame.seq);
  current = invocation;
  requestId = meta[0];
  if (meta[2] !== traceId) {
    traceId = meta[2];
    if (traceId === '') delete process.env._X_AMZN_TRACE_ID;
    else process.env._X_AMZN_TRACE_ID = traceId;
  }
  try {
    const context = contextOf(invocation, meta);
    const callback = once(invocation, (err, result) => {
      if (err !== undefined && err !== null) invocation.fail(err);
      else if (invocation.waits) invocation.held = { result };
      else invocation.succeed(result);
    });
    const returned = handler(JSON.parse(frame.payload), context, callback);
    if (returned && typeof returned.then === 'function') {
      returned.then((result) => context.succeed(result), (err) => context.fail(err));
    }
  } catch (err) {
    invocation.fail(err);
  }
}

// The event loop has nothing left to do: a held result goes out now, and a handler that never answers yields null.
process.on('beforeExit', () => {
  if (current) current.succeed(current.held ? current.held.result : null);
});

function fatal(what, err, status) {
  try {
    logError(what, err);
    if (initialising) send('I', 0, JSON.stringify(describe(err)));
    else if (current) send('X', current.seq, JSON.stringify(describe(err)));
  } finally {
    process.exit(status);
  }
}

function typeOfPackage(folder) {
  for (;;) {
    if (path.basename(folder) === 'node_modules') return '';
    const file = path.join(folder, 'package.json');
    if (fs.existsSync(file)) {
      try {
        return JSON.parse(fs.readFileSync(file, 'utf8')).type || '';
      } catch (err) {
        console.warn(`${file} cannot be read, it will be ignored for ES module detection purposes.`, err);
        return '';
      }
    }
    const parent = path.dirname(folder);
    if (parent === folder) return '';
    folder = parent;
  }
}

// The order of file names is that of Lambda's runtime (aws-lambda-nodejs-runtime-interface-client, UserFunction.js).
async function loadModule(folder, name) {
  const base = path.resolve(config.root, folder, name);
  const require = Module.createRequire(path.join(config.root, 'index.js'));
  const isModule = typeOfPackage(path.dirname(base)) === 'module';
  const typescript = Number(process.versions.node.split('.')[0]) >= 24;
  const forms = [['', false], ['.js', isModule], ['.mjs', true], ['.cjs', false]];
  if (typescript) forms.push(['.ts', isModule], ['.mts', true], ['.cts', false]);
  for (const [extension, esm] of forms) {
    const file = base + extension;
    if (!fs.statSync(file, { throwIfNoEntry: false })?.isFile()) continue;
    return esm ? await import(pathToFileURL(file).href) : require(file);
  }
  return require(require.resolve(name, { paths: [config.root, path.resolve(config.root, folder)] }));
}

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');

async function load() {
  const full = config.handler;
  if (full.includes('..')) {
    throw new RuntimeError('MalformedHandlerName',
      `'${full}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const last = path.basename(full);
  const dot = last.indexOf('.');
  if (dot < 0) throw new RuntimeError('MalformedHandlerName', 'Bad handler');
  globalThis.awslambda = {
    streamifyResponse: (fn) => {
      fn[STREAMING] = 'response';
      return fn;
    },
  };
  let found;
  try {
    found = await loadModule(full.slice(0, full.length - last.length), last.slice(0, dot));
  } catch (err) {
    if (err instanceof SyntaxError) throw new RuntimeError('UserCodeSyntaxError', err);
    if (err && (err.code === 'MODULE_NOT_FOUND' || err.code === 'ERR_MODULE_NOT_FOUND')) {
      throw new RuntimeError('ImportModuleError', err);
    }
    throw err;
  }
  for (const key of last.slice(dot + 1).split('.')) found = found && found[key];
  if (!found) throw new RuntimeError('HandlerNotFound', `${full} is undefined or not exported`);
  if (typeof found !== 'function') throw new RuntimeError('HandlerNotFound', `${full} is not a function`);
  if (found[STREAMING]) {
    throw new RuntimeError('MalformedStreamingHandler', `${full} streams its response, which Foregate does not support`);
  }
  return found;
}

async function main() {
  const frame = readFrame();
  config = JSON.parse(frame.payload);
  if (config.env) {
    for (const key of Object.keys(process.env)) delete process.env[key];
    Object.assign(process.env, config.env);
  }
  process.chdir(config.root);
  patchOutput();
  process.on('uncaughtException', (err) => fatal('Uncaught Exception', err, 129));
  process.on('unhandledRejection', (reason) => {
    fatal('Unhandled Promise Rejection', new RuntimeError('UnhandledPromiseRejection', reason), 128);
  });
  try {
    handler = await load();
  } catch (err) {
    fatal('Uncaught Exception', err, 1);
  }
  initialising = false;
  send('R', 0, process.versions.node);
  setImmediate(next);
}

main();
