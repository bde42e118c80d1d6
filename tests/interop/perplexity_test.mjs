// Our files run in llama.cpp and give the perplexity of its own files: node perplexity_test.mjs NIBBLE LLAMA_QUANTIZE MODEL TEXT
import {execFileSync} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const [, , nibble, llamaQuantize, model, text] = process.argv;
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const libraries = path.join(here, "node_modules/@node-llama-cpp/linux-x64/bins/linux-x64");
// For 12 windows of the text; what the F16 file gives, and how much worse each type may be. Far above what was measured.
const types = {Q8_0: [7, 1.002], Q6_K: [18, 1.01], Q4_K_M: [15, 1.03], Q4_0: [2, 1.05]};

const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nibble-test-"));
process.on("exit", () => fs.rmSync(folder, {recursive: true, force: true}));
const files = [];
for (const [type, [number]] of Object.entries(types)) {
    execFileSync(nibble, ["quantize", model, path.join(folder, `ours-${type}.gguf`), type, "--quiet"], {stdio: "inherit"});
    execFileSync(llamaQuantize, [libraries, model, path.join(folder, `theirs-${type}.gguf`), String(number)], {stdio: "ignore"});
    files.push(path.join(folder, `ours-${type}.gguf`), path.join(folder, `theirs-${type}.gguf`));
}
const output = execFileSync(process.execPath, [path.join(here, "perplexity.mjs"), text, "12", model, ...files], {encoding: "utf8"});
const perplexity = JSON.parse(output.trim().split("\n").at(-1));
let failed = false;
console.log(`F16 ${perplexity[model]}`);
for (const [type, [, worse]] of Object.entries(types)) {
    const ours = perplexity[path.join(folder, `ours-${type}.gguf`)], theirs = perplexity[path.join(folder, `theirs-${type}.gguf`)];
    const good = ours === theirs && ours > 1 && ours <= perplexity[model] * worse;
    console.log(`${type} ours ${ours} llama.cpp's ${theirs}${good ? "" : "  FAILED"}`);
    failed ||= !good;
}
process.exit(failed ? 1 : 0);
