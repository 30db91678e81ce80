// Checks workflows, its arguments, with GitHub's own language service: today's schema, expressions and contexts. Prints
// each diagnostic, and fails if there is one. `@actions/languageservice` is in the folder MODULES. Needs no network.
import { readFileSync, existsSync } from "node:fs";
import { createRequire, register } from "node:module";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

// The service imports JSON as bundlers do; node does not without this hook.
const hook = `
  import { readFileSync } from "node:fs";
  import { fileURLToPath } from "node:url";
  export async function load(url, context, next) {
    if (!url.endsWith(".json")) return next(url, context);
    return { format: "module", shortCircuit: true, source: "export default " + readFileSync(fileURLToPath(url), "utf8") };
  }`;
register("data:text/javascript," + encodeURIComponent(hook));

const modules = pathToFileURL(resolve(process.env.MODULES ?? ".", "node_modules") + "/");
const load = (name) => import(new URL(name, modules));
const { validate } = await load("@actions/languageservice/dist/index.js");
const { TextDocument } = createRequire(modules)("vscode-languageserver-textdocument");

let count = 0;
for (const file of process.argv.slice(2)) {
  const document = TextDocument.create(pathToFileURL(resolve(file)).href, "yaml", 1, readFileSync(file, "utf8"));
  // For the workflows of this repository that the workflow calls.
  const fileProvider = {
    getFileContent: async (reference) => {
      const path = reference.path ?? "";
      if (!existsSync(path)) throw new Error(`${file} calls ${path}, which is not there`);
      return { name: path, content: readFileSync(path, "utf8") };
    },
  };
  for (const { range, message } of await validate(document, { fileProvider })) {
    console.log(`${file}:${range.start.line + 1}: ${message}`);
    count += 1;
  }
}
console.log(`${process.argv.length - 2} workflows, ${count} diagnostics`);
process.exit(count === 0 ? 0 : 1);
