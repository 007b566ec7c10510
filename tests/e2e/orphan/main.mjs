import { spawnSync } from 'node:child_process';
import fs from 'node:fs';

const given = JSON.parse(fs.readFileSync(0, 'utf8'));
const said = await (await fetch(given.url)).text();
if (said === 'wait') spawnSync('sleep', ['3600', given.mark]);
console.log(JSON.stringify({ said }));
