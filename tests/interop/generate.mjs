// One line of text that a model writes, through llama.cpp: node generate.mjs MODEL [BEGINNING]
import {getLlama} from "node-llama-cpp";

const [, , path, beginning = "And it came to pass"] = process.argv;
// More threads than free cores wait for each other in busy loops.
const llama = await getLlama({gpu: false, build: "never", logLevel: "error", maxThreads: 1});
const model = await llama.loadModel({modelPath: path});
const context = await model.createContext({contextSize: 256, batchSize: 256, sequences: 1});
const sequence = context.getSequence();
const bytes = [...Buffer.from(beginning)];
let count = 0;
for await (const token of sequence.evaluate([1, ...bytes.map((byte) => byte + 3)], {temperature: 0})) {
    if (token < 3 || token === 10 + 3 || ++count > 100) break;
    bytes.push(token - 3);
}
console.log(Buffer.from(bytes).toString().trim());
process.exit(0);
