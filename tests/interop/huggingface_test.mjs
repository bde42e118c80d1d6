// @huggingface/gguf reads our files and sees what `nibble inspect` sees: node huggingface_test.mjs NIBBLE MODEL
import {execFileSync, spawnSync} from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import assert from "node:assert/strict";
import {GGMLQuantizationType, gguf} from "@huggingface/gguf";

const [, , nibble, model] = process.argv;
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "nibble-test-"));
process.on("exit", () => fs.rmSync(folder, {recursive: true, force: true}));

const plain = (value) => (typeof value === "bigint" ? Number(value) : Array.isArray(value) ? value.map(plain) : value);
// The tool lists the types that it knows when it is asked for another one.
const types = spawnSync(nibble, ["quantize", model, path.join(folder, "x"), "?"], {encoding: "utf8"}).stderr.split("known are ")[1].trim().split(" ");
assert.ok(types.length > 30);
for (const type of types) {
    const file = path.join(folder, `${type}.gguf`);
    const made = spawnSync(nibble, ["quantize", model, file, type, "--quiet"], {encoding: "utf8"});
    assert.equal(made.status, 0, made.stderr);
    const ours = JSON.parse(execFileSync(nibble, ["inspect", "--json", "--full", file], {encoding: "utf8", maxBuffer: 1 << 28}));
    const theirs = await gguf(file, {allowLocalFile: true});

    assert.equal(theirs.metadata.version, ours.gguf_version);
    assert.equal(Number(theirs.metadata.tensor_count), ours.tensors.length);
    assert.equal(Number(theirs.metadata.kv_count), ours.metadata.length);
    for (const {key, value} of ours.metadata) assert.deepEqual(plain(theirs.metadata[key]), value, key);
    assert.equal(Number(theirs.tensorDataOffset), fs.statSync(file).size - ours.tensors.reduce((sum, t) => sum + Math.ceil(t.bytes / 32) * 32, 0));
    ours.tensors.forEach((tensor, i) => {
        const other = theirs.tensorInfos[i];
        assert.equal(other.name, tensor.name);
        assert.deepEqual(plain(other.shape), tensor.shape, tensor.name);
        assert.equal(GGMLQuantizationType[other.dtype], tensor.type, tensor.name);
        assert.equal(Number(other.offset), tensor.offset, tensor.name);
    });
    console.log(`${type}: ${ours.tensors.length} tensors and ${ours.metadata.length} keys agree`);
}
