// Reads AsyncAPI documents and says what is wrong with them:
//     node check.cjs FOLDER-WITH-NODE_MODULES accepted|refused DOCUMENT...
// The exit code is 0 only if the parser takes each of them without an error; with `refused`, none.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");

const [folder, wanted, ...files] = process.argv.slice(2);
const { Parser } = createRequire(folder + "/")("@asyncapi/parser");
const SEVERITIES = ["error", "warning", "information", "hint"];

async function accepted(file) {
  const { document, diagnostics } = await new Parser().parse(readFileSync(file, "utf8"), { source: file });
  for (const { severity, path, message, code } of diagnostics) {
    console.log(`${SEVERITIES[severity]} at /${path.join("/")}: ${message} (${code})`);
  }
  const counts = SEVERITIES.map((name, severity) => {
    const count = diagnostics.filter((diagnostic) => diagnostic.severity === severity).length;
    return `${count} ${name}`;
  });
  const size = document
    ? `${document.channels().all().length} channels, ${document.operations().all().length} operations, ` +
      `${document.components().messages().all().length} messages`
    : "no document";
  console.log(`${file}: ${size}; diagnostics: ${counts.join(", ")}`);
  return document !== undefined && !diagnostics.some((diagnostic) => diagnostic.severity === 0);
}

(async () => {
  if (files.length === 0 || !["accepted", "refused"].includes(wanted)) throw new Error("see the first lines of this file");
  let good = true;
  for (const file of files) good = (await accepted(file)) === (wanted === "accepted") && good;
  process.exit(good ? 0 : 1);
})();
