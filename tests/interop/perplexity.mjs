// Perplexity per byte of model files on a text, through llama.cpp:
//     node perplexity.mjs TEXT WINDOWS MODEL...
// WINDOWS: how many windows of 256 tokens are evaluated; 0: all. Prints a JSON object {model: perplexity}. Only for models whose tokens
// are <unk>, <s>, </s> and the 256 bytes, like the shipped one: token = byte + 3.
import fs from "node:fs";
import {getLlama} from "node-llama-cpp";

const [, , textPath, windowCount, ...models] = process.argv;
const size = 256;
const tokens = [...fs.readFileSync(textPath)].map((byte) => byte + 3);
const windows = [];
for (let at = 0; at + size - 1 <= tokens.length; at += size - 1) windows.push([1, ...tokens.slice(at, at + size - 1)]);
if (Number(windowCount) > 0) windows.length = Math.min(windows.length, Number(windowCount));

// More threads than free cores wait for each other in busy loops.
const llama = await getLlama({gpu: false, build: "never", logLevel: "error", maxThreads: 1});
const result = {};
for (const path of models) {
    const model = await llama.loadModel({modelPath: path});
    const context = await model.createContext({contextSize: size, batchSize: size, sequences: 1});
    const sequence = context.getSequence();
    let sum = 0, count = 0;
    for (const window of windows) {
        await sequence.clearHistory();
        // The first byte has nothing but <s> before it and is left out.
        const asked = (i) => i >= 1 && i + 1 < window.length;
        const answers = await sequence.controlledEvaluate(
            window.map((token, i) => (asked(i) ? [token, {generateNext: {probabilities: true}}] : token)));
        for (let i = 1; asked(i); ++i) {
            sum -= Math.log(answers[i].next.probabilities.get(window[i + 1]) ?? 1e-10);
            ++count;
        }
    }
    result[path] = Math.exp(sum / count);
    await context.dispose();
    await model.dispose();
}
console.log(JSON.stringify(result));
process.exit(0);
