// One JSON object on stdin, one on stdout; what goes to stderr is shown as log lines.
//
// Exit with 65 when an input is wrong, with 75 when trying again may help; the last line on stderr
// says why.

import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

export function greet({ name }) {
  return { greeting: `Hello, ${name}!` };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const inputs = JSON.parse(readFileSync(0, "utf8"));
  console.error(`greeting ${inputs.name}`);
  process.stdout.write(JSON.stringify(greet(inputs)));
}
