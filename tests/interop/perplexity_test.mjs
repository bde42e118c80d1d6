// Our files run in llama.cpp, through node-llama-cpp, and give the perplexity of its own files:
//     node perplexity_test.mjs NIBBLE LLAMA_QUANTIZE MODEL TEXT
import {execFileSync} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const [, , nibble, llamaQuantize, model, text] = process.argv;
const here = import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname);
const libraries = path.join(here, "node_modules/@node-llama-cpp/linux-x64/bins/linux-x64");
const windows = "3";
// llama.cpp's number, and how much worse than F16 the type may be: twice what was measured and rounded up.
const types = {
    F32: [0, 1.0001], F16: [1, 1.0001], BF16: [32, 1.002], Q8_0: [7, 1.003], Q6_K: [18, 1.01], Q4_K_M: [15, 1.02], Q4_K_S: [14, 1.03],
    Q4_0: [2, 1.03],
};

for (const program of [nibble, llamaQuantize]) {
    if (!fs.existsSync(program)) {
        console.error(`${program} was not built, and this test needs it`);
        process.exit(1);
    }
}
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nibble-test-"));
process.on("exit", () => fs.rmSync(folder, {recursive: true, force: true}));
const ours = (type) => path.join(folder, `ours-${type}.gguf`), theirs = (type) => path.join(folder, `theirs-${type}.gguf`);
const files = [];
for (const [type, [number]] of Object.entries(types)) {
    execFileSync(nibble, ["quantize", model, ours(type), type, "--quiet"], {stdio: "inherit"});
    execFileSync(llamaQuantize, [libraries, model, theirs(type), String(number)], {stdio: ["ignore", "ignore", "pipe"]});
    files.push(ours(type), theirs(type));
}
const output = execFileSync(process.execPath, [path.join(here, "perplexity.mjs"), text, windows, model, ...files], {encoding: "utf8"});
const perplexity = JSON.parse(output.trim().split("\n").at(-1));
console.log(`the model itself: ${perplexity[model]}`);
let failed = !(perplexity[model] > 1 && perplexity[model] < 4);
for (const [type, [, worse]] of Object.entries(types)) {
    const good = perplexity[ours(type)] === perplexity[theirs(type)] && perplexity[ours(type)] <= perplexity[model] * worse;
    console.log(`${type}: ours ${perplexity[ours(type)]}, llama.cpp's ${perplexity[theirs(type)]}${good ? "" : "  FAILED"}`);
    failed ||= !good;
}
process.exit(failed ? 1 : 0);
