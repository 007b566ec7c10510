import fs from 'node:fs';

const given = JSON.parse(fs.readFileSync(0, 'utf8'));
const bytes = Buffer.from(given.hex.repeat(given.times), 'hex');
for (let at = 0; at < bytes.length; ) at += fs.writeSync(1, bytes, at);
console.error(given.because);
process.exit(given.exit);
