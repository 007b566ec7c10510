// The input names an attempt; the answer says what it got, or the error that refused it.

import { spawn, spawnSync } from 'node:child_process';
import dgram from 'node:dgram';
import { Resolver } from 'node:dns/promises';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const note = text => fs.writeSync(2, `${text}\n`);
const refused = code => Object.assign(new Error(code), { code });

/** A program's answer, or the code that it gives when it is refused. */
const program = (name, ...args) => {
  const ended = spawnSync(name, args, { encoding: 'utf8' });
  if (ended.error) throw ended.error;
  if (ended.status !== 0) throw refused((ended.stdout.trim() || ended.stderr.trim()).split('\n').at(-1));
  return ended.stdout.trim();
};

const heard = connection =>
  new Promise((resolve, reject) => {
    connection.setTimeout?.(5000, () => reject(refused('ETIMEDOUT')));
    connection.on('error', reject);
    connection.on('data', data => resolve(String(data)));
    connection.on('close', () => reject(refused('ECONNRESET')));
  });

const started = (given, more = {}) =>
  new Promise((resolve, reject) => {
    const child = spawn('sleep', ['3600', given.mark], { stdio: 'inherit', ...more });
    child.on('spawn', () => resolve(child));
    child.on('error', reject);
  });

const attempts = {
  read: given => fs.readFileSync(given.path).subarray(0, 200).toString(),
  look: given => fs.readdirSync(given.path).join(' ') || 'nothing',
  link(given) {
    const at = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'x')), 'link');
    fs.symlinkSync(given.path, at);
    return attempts.read({ path: at });
  },
  inherited() {
    for (const fd of fs.readdirSync('/proc/self/fd').filter(fd => fd > 2)) {
      const at = fs.existsSync(`/proc/self/fd/${fd}`) ? fs.readlinkSync(`/proc/self/fd/${fd}`) : '';
      // Node's own are no files, and its folder listing is of /proc.
      if (at.startsWith('/') && !/^\/(proc|dev)\//.test(at)) return at;
    }
    throw refused('EBADF');
  },
  write(given) {
    fs.writeFileSync(given.path, 'written');
    return '7';
  },
  publish(given) {
    fs.symlinkSync(given.path, '/work/link');
    return 'link';
  },
  processes(given) {
    const has = pid => {
      try {
        return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(given.mark);
      } catch {
        return false;
      }
    };
    const found = fs.readdirSync('/proc').filter(name => /^\d+$/.test(name)).find(has);
    if (!found) throw refused('ESRCH');
    return found;
  },
  kill(given) {
    process.kill(given.pid, 'SIGKILL');
    return 'killed';
  },
  tcp: given => heard(net.connect(given.port, given.host ?? '127.0.0.1')),
  udp: given =>
    new Promise((resolve, reject) => {
      const socket = dgram.createSocket('udp4');
      const over = setTimeout(() => (socket.close(), reject(refused('ETIMEDOUT'))), 5000);
      const end = then => value => (clearTimeout(over), socket.close(), then(value));
      socket.on('error', end(reject));
      socket.on('message', end(data => resolve(String(data))));
      socket.connect(given.port, '127.0.0.1', () => socket.send('hello'));
    }),
  async dns(given) {
    const resolver = new Resolver({ timeout: 2000, tries: 1 });
    resolver.setServers([`127.0.0.1:${given.port}`]);
    return (await resolver.resolve4('secret.example')).join();
  },
  // Node has no sockets without a file; a program beside it has.
  local: given => (given.path.startsWith('\0')
    ? program('python3', '-c', ABSTRACT, given.path.slice(1))
    : heard(net.connect(given.path))),
  async fetch(given) {
    const answer = await fetch(given.url, { signal: AbortSignal.timeout(10_000) });
    return (await answer.text()).slice(0, 200);
  },
  system: given => program('python3', fileURLToPath(new URL('call.py', import.meta.url)), given.call),
  async forks(given) {
    for (let n = 0; n < given.count; n += 1) await started(given);
    return `${given.count} processes`;
  },
  async left(given) {
    for (let n = 0; n < 3; n += 1) (await started(given, { detached: true })).unref();
    return 'left';
  },
  memory(given) {
    const held = Array.from({ length: given.mb }, () => Buffer.alloc(1 << 20, 1));
    return `${held.length} MiB`;
  },
  fill(given) {
    const block = Buffer.alloc(given.kb << 10, 1);
    for (let n = 0; n < given.count; n += 1) fs.writeFileSync(path.join(given.path, `file-${n}`), block);
    return `${given.count} files`;
  },
  async output(given) {
    await started(given);
    for (;;) fs.writeSync(1, 'x'.repeat(65_536));
  },
  async lines(given) {
    await started(given);
    for (;;) note('x'.repeat(1000));
  },
  async sleep(given) {
    await started(given);
    note('asleep');
    return new Promise(() => setInterval(() => {}, 3_600_000));
  },
  async spin(given) {
    await started(given);
    note('busy');
    for (;;);
  },
  async stubborn(given) {
    await started(given);
    for (const name of Object.keys(os.constants.signals).filter(name => !/KILL|STOP|CHLD|PROF/.test(name)))
      process.on(name, (_, number) => note(`signal ${number} is ignored`));
    note('stubborn');
    return new Promise(() => setInterval(() => {}, 3_600_000));
  },
};

const ABSTRACT = `
import errno, socket, sys
try:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect("\\0" + sys.argv[1])
        print(connection.recv(200).decode())
except OSError as error:
    sys.exit(errno.errorcode[error.errno])
`;

const given = JSON.parse(fs.readFileSync(0, 'utf8'));
let answer;
try {
  answer = { escaped: true, how: await attempts[given.attempt](given) };
} catch (error) {
  if (error instanceof TypeError && !error.cause) throw error;
  answer = { escaped: false, how: error.cause?.code ?? error.code ?? error.message };
}
// Whatever is still open is no reason to stay.
fs.writeSync(1, JSON.stringify(answer));
process.exit();
