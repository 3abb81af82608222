// Runs the public suite http-tests/cache-tests against a Foregate distribution and counts its required cases.
//
//   git clone https://github.com/http-tests/cache-tests && (cd cache-tests && npm install)
//   go build -o foregate ./cmd/foregate
//   node conformance/cache-tests/run.mjs cache-tests ./foregate [--id TEST] [--json FILE]
//
// It starts the suite's own server as the origin and Foregate with template.yaml in front of it, both on loopback, and runs
// the suite's own client. A case counts as passed as the suite's pages count it: it passes, and so does every case that it
// depends on. Cases for browsers are left out. The cases that fail are compared with those that expected.txt explains; exit
// status 1 says that the two differ.
import { spawn } from 'node:child_process'
import dns from 'node:dns'
import fs from 'node:fs'
import net from 'node:net'
import path from 'node:path'
import process from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = path.dirname(fileURLToPath(import.meta.url))
const args = process.argv.slice(2)
const option = name => {
  const i = args.indexOf(name)
  return i < 0 ? undefined : args.splice(i, 2)[1]
}
const only = option('--id')
const jsonFile = option('--json')
if (args.length !== 2) {
  console.error('usage: run.mjs CHECKOUT FOREGATE [--id TEST] [--json FILE]')
  process.exit(2)
}
const checkout = path.resolve(args[0])
const suite = file => import(pathToFileURL(path.join(checkout, file)))

// Node does not take *.localhost to loopback by itself.
const lookup = dns.lookup
dns.lookup = (host, options, callback) => host.endsWith('.localhost') ? lookup('127.0.0.1', options, callback) : lookup(host, options, callback)

function freePort () {
  return new Promise((resolve, reject) => {
    const s = net.createServer().on('error', reject)
    s.listen(0, '127.0.0.1', () => {
      const { port } = s.address()
      s.close(() => resolve(port))
    })
  })
}

// start runs a program and resolves with the first line that it prints.
const children = []
function start (program, programArgs, options) {
  const child = spawn(program, programArgs, { stdio: ['ignore', 'pipe', 'ignore'], ...options })
  children.push(child)
  return new Promise((resolve, reject) => {
    let out = ''
    child.on('error', reject)
    child.on('exit', code => reject(new Error(`${program} ended with status ${code}`)))
    child.stdout.on('data', data => {
      out += data
      if (out.includes('\n')) resolve(out.slice(0, out.indexOf('\n')))
    })
  })
}

async function main () {
  const port = await freePort()
  await start('node', ['test-engine/server/server.mjs'], {
    cwd: checkout,
    env: { ...process.env, npm_config_protocol: 'http', npm_config_port: String(port), npm_config_pidfile: '/dev/null' }
  })
  const ready = await start(path.resolve(args[1]), ['up', '-o', 'json', '--listen', '127.0.0.1:0',
    '--origin', `origin.example.org=http://127.0.0.1:${port}`, path.join(here, 'template.yaml')])
  const base = JSON.parse(ready).endpoints[0].url

  const tests = (await suite('tests/index.mjs')).default
  const { runTests, getResults } = await suite('test-engine/client/runner.mjs')
  const { determineTestResult, resultTypes } = await suite('test-engine/lib/results.mjs')
  let selected = tests
  if (only) {
    selected = tests.map(s => ({ ...s, tests: s.tests.filter(t => t.id === only).map(t => Object.assign(t, { dump: true })) }))
  }
  await runTests(selected, false, base)
  const results = getResults()
  if (jsonFile) fs.writeFileSync(jsonFile, JSON.stringify(results, null, 2))
  if (only) {
    console.log(JSON.stringify(results[only]))
    return true
  }
  return report(tests, id => determineTestResult(tests, id, results), resultTypes, results)
}

function report (tests, outcome, types, results) {
  const expected = new Set(fs.readFileSync(path.join(here, 'expected.txt'), 'utf8').split('\n').filter(l => l && !l.startsWith('#')).map(l => l.split(' ')[0]))
  const kinds = { required: [0, 0], optimal: [0, 0], check: [0, 0] }
  let same = true
  for (const test of tests.flatMap(s => s.tests).filter(t => !t.browser_only)) {
    const kind = test.kind || 'required'
    const passed = [types.pass, types.yes].includes(outcome(test.id))
    kinds[kind][1]++
    if (passed) kinds[kind][0]++
    if (kind !== 'required' || passed) {
      if (expected.delete(test.id)) {
        console.log(`passes, though expected.txt says that it fails: ${test.id}`)
        same = false
      }
      continue
    }
    const known = expected.delete(test.id)
    same = same && known
    const why = results[test.id] === true ? 'a case that it depends on fails' : results[test.id]?.[1]
    console.log(`${known ? 'fails, as expected' : 'FAILS'}: ${test.id}: ${why}`)
  }
  console.log(`required ${kinds.required.join(' of ')}, optimal ${kinds.optimal.join(' of ')}, behaviours seen ${kinds.check.join(' of ')}`)
  return same
}

let ok = false
try {
  ok = await main()
} finally {
  for (const c of children) {
    c.removeAllListeners('exit')
    c.kill('SIGTERM')
  }
}
process.exit(ok ? 0 : 1)
