// Node's own clients: node client.mjs HOST PORT CA SIZE. Says "ok" at the end.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { once } from "node:events";

const [host, port, caFile, sizeText] = process.argv.slice(2);
const size = Number(sizeText);
const ca = readFileSync(caFile);
const data = Buffer.alloc(size);
for (let i = 0; i < size; i++) data[i] = i & 255;
const sha = (b) => createHash("sha256").update(b).digest("hex");
const digest = sha(data);
const whole = async (stream) => {
  const parts = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
};

async function one(module, agent, method, path, body, headers = {}) {
  const req = module.request({
    agent, method, path, host: "127.0.0.1", port, ca, servername: host, headers: { Host: host, ...headers },
  });
  if (Array.isArray(body)) {
    for (const part of body) if (!req.write(part)) await once(req, "drain");
    req.end();
  } else req.end(body);
  const [res] = await once(req, "response");
  const got = await whole(res);
  assert.equal(res.statusCode, 200, `${method} ${path}`);
  return { res, got, socket: req.reusedSocket };
}

for (const module of [http, https]) {
  const agent = new module.Agent({ keepAlive: true, maxSockets: 1 });
  assert.equal((await one(module, agent, "GET", "/cached/1024")).got.length, 1024);
  assert.equal((await one(module, agent, "GET", "/cached/1024")).socket, true, "the connection is used again");
  const want = { bytes: size, sha256: digest };
  const put = await one(module, agent, "PUT", "/sum", data, { "Content-Length": size });
  assert.deepEqual(JSON.parse(put.got), want);
  const parts = [];
  for (let i = 0; i < size; i += 70000) parts.push(data.subarray(i, i + 70000));
  const chunked = await one(module, agent, "POST", "/sum", parts);
  assert.deepEqual(JSON.parse(chunked.got), want);
  assert.equal(sha((await one(module, agent, "GET", `/download/${size}`)).got), digest);
  assert.equal(sha((await one(module, agent, "GET", `/stream/${size}`)).got), digest);
  const req = module.get({ agent, path: `/download/${size}`, host: "127.0.0.1", port, ca, servername: host, headers: { Host: host } });
  const [res] = await once(req, "response");
  await once(res, "data");
  req.on("error", () => {}); // it is ours
  req.destroy();
  assert.equal((await one(module, agent, "GET", "/cached/1024")).got.length, 1024, "after an aborted download");
  agent.destroy();
}

const session = http2.connect(`https://${host}`, {
  ca, createConnection: undefined, port, servername: host, host: "127.0.0.1", lookup: (_n, o, done) => (o.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4)),
});
const h2 = async (headers, body) => {
  const stream = session.request(headers, { endStream: body === undefined });
  if (body !== undefined) stream.end(body);
  const [answer] = await once(stream, "response");
  const got = await whole(stream);
  assert.equal(answer[":status"], 200, headers[":path"]);
  return got;
};
const sizes = await Promise.all(Array.from({ length: 50 }, (_, i) => h2({ ":path": `/cached/${1000 + i}` })));
sizes.forEach((b, i) => assert.equal(b.length, 1000 + i));
assert.deepEqual(JSON.parse(await h2({ ":path": "/sum", ":method": "POST" }, data)), { bytes: size, sha256: digest });
assert.equal(sha(await h2({ ":path": `/download/${size}` })), digest);
assert.equal(sha(await h2({ ":path": `/stream/${size}` })), digest);
const aborted = session.request({ ":path": `/download/${size}` });
await once(aborted, "data");
aborted.close(http2.constants.NGHTTP2_CANCEL);
assert.equal((await h2({ ":path": "/cached/1024" })).length, 1024, "after an aborted stream");
session.close();
console.log("ok");
